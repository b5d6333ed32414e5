using Pangea.DataPlane.Control.Schema;

namespace Pangea.DataPlane.Control.Tests.Cli;

/// <summary>Results about the firewall with known values, for golden texts.</summary>
internal static class SampleFirewall
{
    public static FirewallStatusResult Status { get; } = new()
    {
        Enabled = true,
        Generation = 7,
        Rules = 3,
        Prefixes = 100_004,
        RulesFrom = "file",
        RulesFile = "/etc/pangea/firewall.rules",
        Default = "deny",
        Monitor = false,
        ConfirmBefore = SampleRecords.Created,
        Bans = 12,
        BansMax = 100_000,
        ImageBytes = 19_000_000,
        MapBytes = 44_000_000,
        Warnings = ["there is no interface eth7"],
        Interfaces =
        [
            new FirewallInterface
            {
                Name = "eth0",
                Present = true,
                Wanted = "auto",
                Mode = "native",
                Configured = true,
                Force = false,
                Index = 2,
                ProgramId = 77,
            },
            new FirewallInterface
            {
                Name = "lan0",
                Present = true,
                Wanted = "auto",
                Mode = "generic",
                Reason = "the driver has no native XDP",
                Configured = false,
                Force = true,
            },
            new FirewallInterface
            {
                Name = "eth7",
                Present = false,
                Wanted = "native",
                Mode = "none",
                Reason = "it does not exist",
                Configured = true,
                Force = false,
            },
        ],
    };

    public static IReadOnlyList<FirewallRule> Rules { get; } =
    [
        new FirewallRule
        {
            Number = 1,
            Text = "limit udp port 53 rate 50/s per source",
            Packets = 1_000_000,
            Bytes = 64_000_000,
            Drops = 1_234,
        },
        new FirewallRule
        {
            Number = 2,
            Name = "ssh",
            Text = "allow tcp from @office port 22 name ssh",
            Packets = 12,
            Bytes = 1_000,
            Drops = 0,
        },
        new FirewallRule
        {
            Number = 3,
            Text = "deny tcp from 203.0.113.7 port 22",
            Packets = 0,
            Bytes = 0,
            Drops = 0,
            ShadowedBy = 2,
        },
        new FirewallRule
        {
            Number = 4,
            Text = "deny udp expires 2026-01-01T00:00:00Z",
            Expires = new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc),
            Packets = 1,
            Bytes = 60,
            Drops = 1,
        },
    ];

    public static IReadOnlyList<FirewallBan> Bans { get; } =
    [
        new FirewallBan
        {
            Address = "192.0.2.1",
            Expires = SampleRecords.Created,
            Origin = "operator",
            Comment = "port scans",
        },
        new FirewallBan { Address = "2001:db8:1:2::/64" },
    ];

    public static FirewallStatsResult Stats { get; } = new()
    {
        Reasons =
        [
            Count("essential", 100, 0),
            Count("ban", 0, 1_000_000),
            Count("default", 5_000, 20),
        ],
        Malformed =
        [
            new FirewallMalformedCount { Kind = "vlan-depth", Packets = 2, Bytes = 120 },
        ],
        Interfaces = Status.Interfaces,
        Bans = 12,
        BansRefused = 1,
    };

    public static FirewallChangeResult Change(int? confirmSeconds, int? number) => new()
    {
        Applied = true,
        Generation = 8,
        Rules = 4,
        Prefixes = 100_005,
        Warnings = ["rule 3 never decides"],
        Errors = [],
        Number = number,
        ConfirmBefore = confirmSeconds is { } seconds
            ? DateTime.UtcNow.AddSeconds(seconds)
            : null,
    };

    public static FirewallBan Ban(FirewallBanParameters ban) => new()
    {
        Address = ban.Address,
        Expires = ban.ForSeconds is null ? null : SampleRecords.Created,
        Comment = ban.Comment,
        Origin = "operator",
    };

    public static FirewallEvent Event(long sequence, string reason) => new()
    {
        Sequence = sequence,
        Time = SampleRecords.Created,
        Interface = "eth0",
        Verdict = "drop",
        Reason = reason,
        Malformed = reason == "malformed" ? "vlan-depth" : null,
        Number = reason == "rule" ? 3 : null,
        Name = reason == "rule" ? "ssh" : null,
        Packet = "60 bytes, tcp syn from 192.0.2.1 port 4000 to 198.51.100.1 port 22",
        FrameBytes = 60,
        Head = "00",
    };

    /// <summary>Frames of odd length drop.</summary>
    public static FirewallTestVerdict Verdict(FirewallTestFrame frame)
    {
        int bytes = frame.FrameBytes ?? frame.Hex.Length / 2;
        bool drops = bytes % 2 == 1;
        return new FirewallTestVerdict
        {
            Verdict = drops ? "drop" : "pass",
            Reason = drops ? "rule" : "default",
            Number = drops ? 3 : null,
            Rule = drops ? "deny from 192.0.2.0/24" : null,
            Packet = $"{bytes} bytes",
            Explanation = drops ? "drops: the rule is the first that matches" : "passes: default",
            AlsoMatching = [],
        };
    }

    private static FirewallReasonCount Count(string reason, long passed, long dropped) => new()
    {
        Reason = reason,
        PassedPackets = passed,
        PassedBytes = passed * 64,
        DroppedPackets = dropped,
        DroppedBytes = dropped * 64,
        WouldDropPackets = 0,
        WouldDropBytes = 0,
    };
}
