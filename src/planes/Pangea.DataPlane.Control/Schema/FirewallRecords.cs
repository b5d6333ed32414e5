namespace Pangea.DataPlane.Control.Schema;

/// <summary>Parameters of <c>firewall.attach</c>.</summary>
public sealed record FirewallAttachParameters
{
    public required string Interface { get; init; }

    /// <summary>"auto", "native", "generic" or "userspace"; null: auto.</summary>
    public string? Mode { get; init; }

    /// <summary>Replace the XDP program of somebody else.</summary>
    public bool Force { get; init; }
}

/// <summary>Parameters of <c>firewall.detach</c>.</summary>
public sealed record FirewallDetachParameters
{
    /// <summary>Null: all of them.</summary>
    public string? Interface { get; init; }
}

/// <summary>Result of <c>firewall.detach</c>.</summary>
public sealed record FirewallDetachResult
{
    /// <summary>Those that were attached.</summary>
    public required IReadOnlyList<string> Interfaces { get; init; }
}

/// <summary>An interface that the firewall guards, or is to guard.</summary>
public sealed record FirewallInterface
{
    public required string Name { get; init; }

    /// <summary>False while it does not exist; it is attached when it comes.</summary>
    public required bool Present { get; init; }

    /// <summary>What was asked for: "auto", "native", "generic" or "userspace".</summary>
    public required string Wanted { get; init; }

    /// <summary>What it is: "native", "generic", "userspace" or "none".</summary>
    public required string Mode { get; init; }

    /// <summary>Why not a better mode; null where it is the best.</summary>
    public string? Reason { get; init; }

    /// <summary>False: attached by a call.</summary>
    public required bool Configured { get; init; }

    public required bool Force { get; init; }

    /// <summary>The kernel's number of the interface; null while it does not exist.</summary>
    public int? Index { get; init; }

    /// <summary>The kernel's number of the program; null without one.</summary>
    public int? ProgramId { get; init; }
}

/// <summary>Result of <c>firewall.status</c>.</summary>
public sealed record FirewallStatusResult
{
    /// <summary>Whether the configuration has a section "firewall".</summary>
    public required bool Enabled { get; init; }

    /// <summary>Why it is off, or what it cannot do.</summary>
    public string? Reason { get; init; }

    public required IReadOnlyList<FirewallInterface> Interfaces { get; init; }

    public required long Generation { get; init; }

    public required long Rules { get; init; }

    public required long Prefixes { get; init; }

    /// <summary>Where the rules in use are from: "none", "file", "state" or "call".</summary>
    public required string RulesFrom { get; init; }

    /// <summary>The configured file of rules.</summary>
    public string? RulesFile { get; init; }

    /// <summary>What happens where no rule matches: "allow" or "deny".</summary>
    public required string Default { get; init; }

    /// <summary>Whether the whole set only counts.</summary>
    public required bool Monitor { get; init; }

    /// <summary>When an unconfirmed change is taken back, UTC; null: none waits.</summary>
    public DateTime? ConfirmBefore { get; init; }

    public required long Bans { get; init; }

    public required long BansMax { get; init; }

    /// <summary>Bytes of the compiled rules.</summary>
    public required long ImageBytes { get; init; }

    /// <summary>Bytes of all maps; null while no program is loaded.</summary>
    public long? MapBytes { get; init; }

    /// <summary>Unknown interfaces, shadowed rules; one sentence each.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }
}

/// <summary>Result of <c>firewall.stats</c>.</summary>
public sealed record FirewallStatsResult
{
    public required IReadOnlyList<FirewallReasonCount> Reasons { get; init; }

    /// <summary>Only kinds that were seen.</summary>
    public required IReadOnlyList<FirewallMalformedCount> Malformed { get; init; }

    public required IReadOnlyList<FirewallInterface> Interfaces { get; init; }

    public required long Bans { get; init; }

    /// <summary>Bans that a rule asked for and that found no room.</summary>
    public required long BansRefused { get; init; }
}

/// <summary>Packets and bytes of one reason.</summary>
public sealed record FirewallReasonCount
{
    public required string Reason { get; init; }

    public required long PassedPackets { get; init; }

    public required long PassedBytes { get; init; }

    public required long DroppedPackets { get; init; }

    public required long DroppedBytes { get; init; }

    public required long WouldDropPackets { get; init; }

    public required long WouldDropBytes { get; init; }
}

/// <summary>Packets that were malformed in one way.</summary>
public sealed record FirewallMalformedCount
{
    /// <summary>As in the statement: "vlan-depth".</summary>
    public required string Kind { get; init; }

    public required long Packets { get; init; }

    public required long Bytes { get; init; }
}

/// <summary>Parameters of <c>firewall.events</c>.</summary>
public sealed record FirewallEventsParameters
{
    /// <summary>Only later ones; null: from the oldest that is kept.</summary>
    public long? After { get; init; }

    public int? Limit { get; init; }
}

/// <summary>Result of <c>firewall.events</c>.</summary>
public sealed record FirewallEventsResult
{
    /// <summary>Oldest first.</summary>
    public required IReadOnlyList<FirewallEvent> Events { get; init; }

    /// <summary>For the next call, also where nothing came.</summary>
    public required long Next { get; init; }
}

/// <summary>A sample of a drop.</summary>
public sealed record FirewallEvent
{
    /// <summary>From 1; a gap says that samples were given up.</summary>
    public required long Sequence { get; init; }

    /// <summary>UTC.</summary>
    public required DateTime Time { get; init; }

    /// <summary>Null where the interface is gone.</summary>
    public string? Interface { get; init; }

    public required string Verdict { get; init; }

    public required string Reason { get; init; }

    /// <inheritdoc cref="FirewallMalformedCount.Kind"/>
    public string? Malformed { get; init; }

    /// <summary>Null where none decided, or where it is gone.</summary>
    public int? Number { get; init; }

    public string? Name { get; init; }

    public string? Rule { get; init; }

    /// <summary>In one line for people.</summary>
    public required string Packet { get; init; }

    /// <summary>Of the whole frame.</summary>
    public required long FrameBytes { get; init; }

    /// <summary>The first bytes of the frame, hexadecimal.</summary>
    public required string Head { get; init; }
}

/// <summary>Parameters of <c>firewall.test</c>.</summary>
public sealed record FirewallTestParameters
{
    public required IReadOnlyList<FirewallTestFrame> Frames { get; init; }

    /// <summary>Where they come in; null: on one that no rule names.</summary>
    public string? Interface { get; init; }
}

/// <summary>A frame to judge.</summary>
public sealed record FirewallTestFrame
{
    /// <summary>From the destination MAC address on, hexadecimal, two digits a byte.</summary>
    public required string Hex { get; init; }

    /// <summary>Of the whole frame where only its head was captured; null: all is there.</summary>
    public int? FrameBytes { get; init; }
}

/// <summary>Result of <c>firewall.test</c>.</summary>
public sealed record FirewallTestResult
{
    /// <summary>One for each frame, in their order.</summary>
    public required IReadOnlyList<FirewallTestVerdict> Verdicts { get; init; }
}

/// <summary>What becomes of a frame, and why.</summary>
public sealed record FirewallTestVerdict
{
    public required string Verdict { get; init; }

    public required string Reason { get; init; }

    /// <inheritdoc cref="FirewallMalformedCount.Kind"/>
    public string? Malformed { get; init; }

    public int? Number { get; init; }

    public string? Name { get; init; }

    /// <summary>Text of the rule or pin that decided.</summary>
    public string? Rule { get; init; }

    /// <summary>The packet in one line for people.</summary>
    public required string Packet { get; init; }

    /// <summary>One sentence.</summary>
    public required string Explanation { get; init; }

    /// <summary>Later rules that match too and had no say; the first few.</summary>
    public required IReadOnlyList<string> AlsoMatching { get; init; }
}
