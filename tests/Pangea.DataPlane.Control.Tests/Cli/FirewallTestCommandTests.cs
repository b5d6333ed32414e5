using System.Buffers.Binary;
using System.Text.Json;
using Pangea.DataPlane.Cli;

namespace Pangea.DataPlane.Control.Tests.Cli;

/// <summary>Goal: packets and captures are judged, by a file or by the appliance.</summary>
public sealed class FirewallTestCommandTests : IDisposable
{
    private const string Rules =
        """
        default deny
        pin from 192.0.2.10
        limit udp port 53 rate 1/s burst 2 per source name dns
        allow tcp from 203.0.113.0/24 port 22 name ssh
        allow tcp from 203.0.113.7 port 22
        allow udp port 53
        deny icmp on eth0
        """;

    private readonly FakeAppliance _appliance = new();

    public FirewallTestCommandTests() => File.WriteAllText(PathOf("rules.fw"), Rules);

    public void Dispose() => _appliance.Dispose();

    [Theory]
    [InlineData("tcp syn 203.0.113.7 > 198.51.100.1:22", "pass", "rule", 2)]
    [InlineData("tcp syn 203.0.113.7 > 198.51.100.1:23", "drop", "default", null)]
    [InlineData("udp 192.0.2.10 > 198.51.100.1:23", "pass", "pinned", null)]
    [InlineData("arp 192.0.2.1 > 192.0.2.2", "pass", "essential", null)]
    [InlineData("vlan 1 vlan 2 vlan 3 udp ::1 > [::2]:53", "drop", "malformed", null)]
    public void The_deciding_rule_is_named_without_an_appliance(
        string packet, string verdict, string reason, int? number)
    {
        CommandLine run = CommandLine.Run(
            "firewall", "test", "--rules", PathOf("rules.fw"), packet, "--json");
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        using JsonDocument json = JsonDocument.Parse(run.Output);
        JsonElement only = Assert.Single(
            json.RootElement.GetProperty("verdicts").EnumerateArray());
        Assert.Equal(verdict, only.GetProperty("verdict").GetString());
        Assert.Equal(reason, only.GetProperty("reason").GetString());
        Assert.Equal(
            number, only.TryGetProperty("number", out JsonElement n) ? n.GetInt32() : null);
    }

    [Fact]
    public void The_reason_and_what_matches_too_are_said()
    {
        CommandLine run = Local("tcp", "syn", "203.0.113.7 > 198.51.100.1:22");
        Assert.Equal(
            """
            packet       60 bytes, tcp syn from 203.0.113.7 port 40000 to 198.51.100.1 port 22
            verdict      passes: the rule is the first that matches
            rule 2       allow tcp from 203.0.113.0/24 port 22 name ssh
            matches too  allow tcp from 203.0.113.7 port 22

            """.ReplaceLineEndings("\n"),
            run.Output);
    }

    [Fact]
    public void An_interface_can_be_named()
    {
        Assert.Contains("rule 5", Local("-i", "eth0", "icmp", "192.0.2.1 > 192.0.2.2").Output);
        Assert.Contains(
            "no rule matches; this is the default on eth9",
            Local("-i", "eth9", "icmp", "192.0.2.1 > 192.0.2.2").Output);
    }

    [Fact]
    public void What_was_not_expected_fails()
    {
        Assert.Equal(0, Local("--expect", "drop", "tcp", "192.0.2.1 > 192.0.2.2:1").ExitCode);
        CommandLine run = Local("--expect", "pass", "tcp", "192.0.2.1 > 192.0.2.2:1");
        Assert.Equal(ExitCodes.Failed, run.ExitCode);
        Assert.Equal("pangea: the packet does not pass\n", run.Error);
    }

    [Fact]
    public void Limits_of_a_capture_follow_its_times()
    {
        // Three at once, of which two are within the burst, and one two seconds later.
        byte[] dns = FrameOf("udp 192.0.2.1:5 > 198.51.100.1:53");
        File.WriteAllBytes(PathOf("c.pcap"), Capture((0, dns), (0, dns), (0, dns), (2, dns)));
        CommandLine run = Local(PathOf("c.pcap"));
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        string[] lines = run.Output.Split('\n');
        Assert.Equal(
            ["pass", "pass", "drop", "pass"],
            lines[..4].Select(line => line.Split(
                ' ', StringSplitOptions.RemoveEmptyEntries)[2]));
        Assert.Equal("4 packets: 3 pass, 1 drop", lines[5]);
        Assert.Equal("         3  pass       rule 4", lines[6]);
        Assert.Equal("         1  drop       rate of rule 1 dns", lines[7]);
    }

    [Fact]
    public void A_capture_is_sent_in_batches_and_counted()
    {
        byte[] frame = FrameOf("tcp 192.0.2.1 > 192.0.2.2:1");
        byte[] odd = [.. frame, 0];
        File.WriteAllBytes(PathOf("c.pcap"), Capture(
            [.. Enumerable.Range(0, 130).Select(i => (i, i % 2 == 0 ? frame : odd))]));
        CommandLine run = CommandLine.Run(
            _appliance, "firewall", "test", PathOf("c.pcap"), "--expect", "pass");
        Assert.Equal(ExitCodes.Failed, run.ExitCode);
        Assert.Equal("pangea: 65 of 130 packets do not pass\n", run.Error);
        Assert.Contains("130 packets: 65 pass, 65 drop\n", run.Output);
        Assert.Equal(3, _appliance.FirewallCalls.Count);
    }

    [Fact]
    public void A_damaged_capture_is_judged_as_far_as_it_goes()
    {
        byte[] capture = Capture((0, FrameOf("tcp 192.0.2.1 > 192.0.2.2:1")));
        File.WriteAllBytes(PathOf("c.pcap"), [.. capture, 1, 2, 3]);
        CommandLine run = Local(PathOf("c.pcap"));
        Assert.Equal(ExitCodes.BadFile, run.ExitCode);
        Assert.Contains("1 packet: 0 pass, 1 drop\n", run.Output);
        Assert.Contains("damaged at byte", run.Error);
    }

    [Fact]
    public void Hexadecimal_digits_are_a_frame()
    {
        string hex = Convert.ToHexString(FrameOf("udp 192.0.2.10 > 198.51.100.1:23"));
        Assert.Contains("pinned", Local(hex).Output);
        Assert.Contains("pinned", Local(hex[..28], hex[28..]).Output);
    }

    [Fact]
    public void Rules_with_errors_judge_nothing()
    {
        File.WriteAllText(PathOf("bad.fw"), "permit all\n");
        CommandLine run = CommandLine.Run(
            "firewall", "test", "--rules", PathOf("bad.fw"), "arp 192.0.2.1 > 192.0.2.2");
        Assert.Equal((ExitCodes.Usage, ""), (run.ExitCode, run.Output));
        Assert.Contains(":1:1: 'permit' begins no statement", run.Error);
    }

    [Fact]
    public void A_packet_that_is_none_is_explained()
    {
        CommandLine run = Local("tcp", "192.0.2.1 > 192.0.2.2");
        Assert.Equal(ExitCodes.Usage, run.ExitCode);
        Assert.StartsWith("pangea: which port does it go to?", run.Error);
    }

    private static byte[] FrameOf(string text) =>
        Packets.Building.FrameText.ToFrame(text).Value;

    /// <summary>A pcap file of little-endian microseconds.</summary>
    private static byte[] Capture(params (int Second, byte[] Frame)[] frames)
    {
        using var file = new MemoryStream();
        Span<byte> header = stackalloc byte[24];
        BinaryPrimitives.WriteUInt32LittleEndian(header, 0xa1b2c3d4);
        BinaryPrimitives.WriteUInt32LittleEndian(header[16..], 65535);
        BinaryPrimitives.WriteUInt32LittleEndian(header[20..], 1);
        file.Write(header);
        foreach ((int second, byte[] frame) in frames)
        {
            Span<byte> record = header[..16];
            record.Clear();
            BinaryPrimitives.WriteInt32LittleEndian(record, 1_700_000_000 + second);
            BinaryPrimitives.WriteInt32LittleEndian(record[8..], frame.Length);
            BinaryPrimitives.WriteInt32LittleEndian(record[12..], frame.Length);
            file.Write(record);
            file.Write(frame);
        }

        return file.ToArray();
    }

    private CommandLine Local(params string[] args) =>
        CommandLine.Run(["firewall", "test", "--rules", PathOf("rules.fw"), .. args]);

    private string PathOf(string name) => Path.Combine(_appliance.Directory, name);
}
