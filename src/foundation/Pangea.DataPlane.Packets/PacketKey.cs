using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Packets;

/// <summary>
/// What a frame says about itself, as the flat value that rules are matched against. IPv4 addresses
/// stand in the low word as a number; the high word is then 0.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public record struct PacketKey
{
    /// <summary><see cref="Vlan"/> of a frame without that tag.</summary>
    public const ushort NoVlan = 4096;

    /// <summary><see cref="Protocol"/> of a frame that is not IP.</summary>
    public const ushort NoProtocol = 256;

    /// <summary><see cref="Icmp"/> of a packet that is neither ICMP nor ICMPv6.</summary>
    public const ushort NoIcmp = 512;

    /// <summary>Added to the type of an ICMPv6 message in <see cref="Icmp"/>.</summary>
    public const ushort IcmpV6 = 256;

    public ulong SourceHigh;
    public ulong SourceLow;
    public ulong DestinationHigh;
    public ulong DestinationLow;

    /// <summary>Bytes of the whole frame, also of those that were not captured.</summary>
    public uint FrameBytes;

    /// <summary>0 unless <see cref="HasPorts"/>.</summary>
    public ushort SourcePort;

    public ushort DestinationPort;

    /// <summary>Id of the outer tag, 0..4095, or <see cref="NoVlan"/>.</summary>
    public ushort Vlan;

    public ushort InnerVlan;

    /// <summary>
    /// Behind the last extension header, 0..255, or <see cref="NoProtocol"/>. In a later fragment,
    /// what the fragment header names.
    /// </summary>
    public ushort Protocol;

    /// <summary>Type, 256 + type of an ICMPv6 message, or <see cref="NoIcmp"/>.</summary>
    public ushort Icmp;

    /// <summary>Of an ICMP or ICMPv6 message; 0 otherwise.</summary>
    public byte IcmpCode;

    public PacketFamily Family;
    public FragmentKind Fragment;

    /// <summary>
    /// Not <see cref="MalformedKind.None"/>: nothing else but <see cref="FrameBytes"/> is to be
    /// trusted.
    /// </summary>
    public MalformedKind Malformed;

    /// <summary>TCP, UDP or SCTP, and not a later fragment.</summary>
    public bool HasPorts;

    /// <summary>TCP with SYN set and ACK clear.</summary>
    public bool Syn;

    /// <summary>
    /// ARP, or neighbour discovery from the link itself (hop limit 255): without it no address
    /// resolves, so no rule may drop it.
    /// </summary>
    public bool Essential;
}
