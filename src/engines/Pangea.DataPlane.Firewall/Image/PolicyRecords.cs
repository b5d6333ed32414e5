using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

// The twins of the structs in bpf/policy.h, which describes the fields. PolicyLayoutTests compares
// names, sizes and offsets. Fields are set by the compiler and read through spans over the image.
namespace Pangea.DataPlane.Firewall.Image;

[InlineArray(2)]
public struct PolicyReserved2 : IEquatable<PolicyReserved2>
{
    private uint _word;

    public readonly bool Equals(PolicyReserved2 other) =>
        ((ReadOnlySpan<uint>)this).SequenceEqual(other);

    public override readonly bool Equals(object? other) =>
        other is PolicyReserved2 reserved && Equals(reserved);

    public override readonly int GetHashCode() => (int)_word;
}

[InlineArray(4)]
public struct PolicyFamilyResults
{
    private uint _result;
}

[InlineArray(35)]
public struct PolicyReserved35
{
    private uint _word;
}

[InlineArray(16)]
public struct PolicyChildren
{
    private uint _entry;
}

[InlineArray(11)]
public struct PolicyReserved11
{
    private uint _word;
}

[InlineArray((int)PolicyConstants.EventHeadBytes)]
public struct PolicyEventHead
{
    private byte _byte;
}

/// <summary>Stands at offset 0 of an image.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PolicyHeader
{
    public uint Magic;
    public uint Version;
    public ulong Generation;
    public PolicyFeature Features;
    public uint ImageBytes;
    public uint Flags;
    public uint MalformedDrop;
    public PolicyFamilyResults SourceAny;
    public PolicyFamilyResults DestinationAny;
    public uint InterfaceMultiplier;
    public uint DefaultDeny;
    public ushort SourcePortNone;
    public ushort DestinationPortNone;
    public ushort InterfaceOther;
    public ushort IcmpNone;
    public uint ComplexCount;
    public uint PoliceCount;
    public uint ComplexOrderMin;
    public PolicyReserved35 Reserved;
}

/// <summary>A branch of a trie: the next four bits choose.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PolicyBranch
{
    public PolicyChildren Child;
}

/// <summary>A run of one-child branches, folded.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PolicySkip
{
    public ulong Want;
    public uint BitCount;
    public uint Match;
    public uint Miss;
    public PolicyReserved11 Reserved;
}

/// <summary>What one address means.</summary>
[StructLayout(LayoutKind.Sequential)]
public record struct PolicyResult
{
    public uint Order;
    public uint Decision;
    public ushort Vector;
    public ushort Flags;
    public uint PinSlot;
}

/// <summary>A complex or police rule.</summary>
[StructLayout(LayoutKind.Sequential)]
public record struct PolicyRule
{
    public uint Order;
    public uint Decision;
}

/// <summary>A place of the interface table; <see cref="Ifindex"/> 0 is free.</summary>
[StructLayout(LayoutKind.Sequential)]
public record struct PolicyInterface
{
    public uint Ifindex;
    public ushort Vector;
    public byte Deny;
    public byte Reserved;
}

/// <summary>A limit in the units of the data path.</summary>
[StructLayout(LayoutKind.Sequential)]
public record struct PolicyLimit
{
    public ulong PacketCostNs;
    public ulong PacketBurstNs;
    public ulong ByteCostQ20;
    public ulong ByteBurstNs;
    public ulong BanWindowNs;
    public ulong BanNs;
    public uint BanAfter;
    public PolicyScope Scope;
    public byte Prefix4;
    public byte Prefix6;
    public byte Ban6;
    public ulong Reserved;
}

/// <summary>Packets and bytes that passed, and that dropped.</summary>
[StructLayout(LayoutKind.Sequential)]
public record struct PolicyCounter
{
    public ulong PassedPackets;
    public ulong PassedBytes;
    public ulong DroppedPackets;
    public ulong DroppedBytes;
}

/// <summary>The bucket of a source under one rule.</summary>
[StructLayout(LayoutKind.Sequential)]
public record struct RateKey
{
    public ulong High;
    public ulong Low;
    public uint Slot;
    public uint Family;
}

/// <summary>Theoretical arrival times of a bucket.</summary>
[StructLayout(LayoutKind.Sequential)]
public record struct RateState
{
    public ulong PacketsTatNs;
    public ulong BytesTatNs;
}

/// <summary>Violations of one source since the window began.</summary>
[StructLayout(LayoutKind.Sequential)]
public record struct ViolationState
{
    public ulong WindowStartNs;
    public uint Count;
    public uint Reserved;
}

/// <summary>A banned IPv6 address, or a /64 under its all-ones address.</summary>
[StructLayout(LayoutKind.Sequential)]
public record struct BanKey6
{
    public ulong High;
    public ulong Low;
}

/// <summary>A sampled drop.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PolicyEvent
{
    public ulong TimeNs;
    public uint Ifindex;
    public uint FrameBytes;
    public uint Slot;
    public byte Dropped;
    public byte Reason;
    public byte Malformed;
    public byte HeadBytes;
    public PolicyEventHead Head;
}
