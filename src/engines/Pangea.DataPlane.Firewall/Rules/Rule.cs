using Pangea.DataPlane.Packets;

namespace Pangea.DataPlane.Firewall.Rules;

/// <summary>What a rule does with what it matches.</summary>
public enum RuleAction : byte
{
    /// <summary>Ends the search: the packet passes, within the rule's limit if it has
    /// one.</summary>
    Allow,

    /// <summary>Ends the search: the packet drops.</summary>
    Deny,

    /// <summary>
    /// Stands before the policy: charges its limit, drops what is over it, and lets the search go
    /// on otherwise. Only the first that matches is charged.
    /// </summary>
    Limit,
}

/// <summary>Which parts of fragmented datagrams a rule matches.</summary>
public enum FragmentMatch : byte
{
    /// <summary>All packets; the field is not in the rule.</summary>
    Unset,

    /// <summary>Only packets that are whole.</summary>
    Whole,

    /// <summary>First and later fragments.</summary>
    Any,
    First,
    Later,
}

/// <summary>Addresses of a rule: prefixes written out, and names of sets.</summary>
public sealed record AddressList(IReadOnlyList<IpPrefix> Prefixes, IReadOnlyList<string> SetNames)
{
    public static AddressList Of(params IpPrefix[] prefixes) => new(prefixes, []);
}

/// <summary>A type of ICMP or ICMPv6, with one of its codes or with any.</summary>
public readonly record struct IcmpType(byte Type, byte? Code = null)
{
    /// <summary>Whether this takes all that the other takes.</summary>
    public bool Covers(IcmpType other) =>
        Type == other.Type && (Code is null || Code == other.Code);

    public static implicit operator IcmpType(byte type) => new(type);
}

/// <summary>Ports first..last, both included.</summary>
public readonly record struct PortRange(ushort First, ushort Last)
{
    public bool Contains(ushort port) => port >= First && port <= Last;

    public override string ToString() => First == Last ? $"{First}" : $"{First}-{Last}";
}

/// <summary>
/// One rule. A field that is not set matches everything, the others must all match. Rules are tried
/// by ascending <see cref="Priority"/>, equal ones in their order in the set.
/// </summary>
public sealed record Rule
{
    /// <summary><see cref="Vlan"/> of a rule that matches only frames without the tag.</summary>
    public const int Untagged = PacketKey.NoVlan;

    public const int PriorityDefault = 1000;
    public const int PriorityMax = 65535;

    /// <summary>A copy made with changes takes the field along, hence the owner in it.</summary>
    private IdentityOf? _identity;

    private sealed record IdentityOf(Rule Owner, (ulong High, ulong Low) Value);

    public required RuleAction Action { get; init; }

    /// <summary>Unique in its set; counters follow a named rule through every change.</summary>
    public string? Name { get; init; }

    /// <summary><see cref="PacketFamily.Ipv4"/> or IPv6; also "other" for frames that are not
    /// IP.</summary>
    public PacketFamily? Family { get; init; }

    /// <summary>0..255.</summary>
    public byte? Protocol { get; init; }

    public bool Syn { get; init; }

    /// <summary>
    /// Types of ICMP or ICMPv6, whichever <see cref="Protocol"/> says (1 or 58); empty: all.
    /// </summary>
    public IReadOnlyList<IcmpType> IcmpTypes { get; init; } = [];

    public FragmentMatch Fragment { get; init; }

    public AddressList? From { get; init; }

    public AddressList? To { get; init; }

    public IReadOnlyList<PortRange> SourcePorts { get; init; } = [];

    public IReadOnlyList<PortRange> DestinationPorts { get; init; } = [];

    /// <summary>Names of interfaces; empty: all.</summary>
    public IReadOnlyList<string> Interfaces { get; init; } = [];

    /// <summary>Outer tag, 0..4095, or <see cref="Untagged"/>.</summary>
    public int? Vlan { get; init; }

    public int? InnerVlan { get; init; }

    public RuleLimit? Limit { get; init; }

    /// <summary>What the rule would drop is counted and passes.</summary>
    public bool Monitor { get; init; }

    public int Priority { get; init; } = PriorityDefault;

    /// <summary>From this moment on the rule is as if it were not there.</summary>
    public DateTimeOffset? Expires { get; init; }

    public string? Owner { get; init; }

    public string? Comment { get; init; }

    /// <summary>Only addresses of one direction, or nothing at all: any number of such.</summary>
    internal bool IsSimple =>
        Action != RuleAction.Limit && Family is null && Protocol is null && !Syn
        && IcmpTypes.Count == 0 && Fragment == FragmentMatch.Unset && (From is null || To is null)
        && SourcePorts.Count == 0 && DestinationPorts.Count == 0 && Interfaces.Count == 0
        && Vlan is null && InnerVlan is null;

    /// <summary>
    /// The name, or what the rule matches and does: a rule with the same identity keeps its slot
    /// and with it its counters. 128 bits of hash, so that two rules never share one by accident.
    /// </summary>
    internal (ulong High, ulong Low) Identity
    {
        get
        {
            if (_identity is not { } known || !ReferenceEquals(known.Owner, this))
            {
                known = new IdentityOf(this, RuleIdentity.Of(this));
                _identity = known;
            }

            return known.Value;
        }
    }

    public bool Equals(Rule? other) => ReferenceEquals(this, other);

    public override int GetHashCode() => Identity.GetHashCode();
}
