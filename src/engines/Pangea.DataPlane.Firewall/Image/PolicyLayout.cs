namespace Pangea.DataPlane.Firewall.Image;

/// <summary>
/// What a rule set uses, and what a program variant can do; a program must be able to do all that
/// the image uses. The twin of the enum in bpf/policy.h.
/// </summary>
[Flags]
public enum PolicyFeature : uint
{
    None = 0,
    Source4 = 1 << 0,
    Destination4 = 1 << 1,
    Source6 = 1 << 2,
    Destination6 = 1 << 3,
    Pins = 1 << 4,
    Complex = 1 << 5,
    Police = 1 << 6,
    SourcePort = 1 << 7,
    DestinationPort = 1 << 8,
    Protocol = 1 << 9,
    Icmp = 1 << 10,
    Vlan = 1 << 11,
    InnerVlan = 1 << 12,
    Shape = 1 << 13,
    Interface = 1 << 14,
    Limits = 1 << 15,
    Bans = 1 << 16,
    Violations = 1 << 17,
    Events = 1 << 18,
}

/// <summary>Why a packet passes or drops, in the order of the tests.</summary>
public enum PolicyReason : byte
{
    Essential = 0,
    Malformed = 1,
    Pinned = 2,
    Ban = 3,
    Rate = 4,
    Rule = 5,
    Default = 6,
}

/// <summary>Who shares the bucket of a limit.</summary>
public enum PolicyScope : byte
{
    Rule = 0,
    Source = 1,
}

/// <summary>The numbers of bpf/policy.h, described there.</summary>
public static class PolicyConstants
{
    public const uint ImageMagic = 0x31594c50;
    public const uint ImageVersion = 1;

    public const uint VlanNone = 4096;
    public const uint ProtocolNone = 256;
    public const uint IcmpV6 = 256;
    public const uint IcmpNone = 512;

    public const uint RootEntries = 65536;
    public const uint PortEntries = 65536;
    public const uint ProtocolEntries = 512;
    public const uint IcmpEntries = 131072;
    public const uint VlanEntries = 8192;
    public const uint ShapeEntries = 32;
    public const uint InterfaceEntries = 1024;
    public const uint PoliceEntries = 64;
    public const uint VectorWordsMax = 16;
    public const uint NodeBytes = 64;
    public const uint TrieStepsMax = 28;

    public const uint ShapeFragmentShift = 2;
    public const uint ShapeSyn = 16;

    public const uint EntryLeaf = 0x80000000;
    public const uint EntrySkip = 0x40000000;
    public const uint EntryIndex = 0x3fffffff;

    public const uint DecisionSlot = 0x00ffffff;
    public const uint DecisionLimit = 0x20000000;
    public const uint DecisionMonitor = 0x40000000;
    public const uint DecisionDeny = 0x80000000;

    public const uint OrderNone = 0xffffffff;
    public const uint SlotNone = 0x00ffffff;
    public const uint ResultPinned = 1;
    public const uint FlagMonitor = 1;

    public const uint CounterMonitor = 16;
    public const uint CounterMalformed = 32;
    public const uint CounterSlots = 64;
    public const uint EventHeadBytes = 96;
}
