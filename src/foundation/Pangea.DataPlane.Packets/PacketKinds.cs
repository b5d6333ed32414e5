namespace Pangea.DataPlane.Packets;

/// <summary>What stands behind the Ethernet header.</summary>
public enum PacketFamily : byte
{
    Ipv4 = 0,
    Ipv6 = 1,

    /// <summary>Neither; rules about addresses, protocols or ports never match it.</summary>
    Other = 2,
}

/// <summary>Where in its datagram a packet stands. Only the first part has ports.</summary>
public enum FragmentKind : byte
{
    None = 0,
    First = 1,
    Later = 2,
}

/// <summary>
/// Why a packet cannot be judged. The numbers are shared with the XDP program (bpf/policy.h, where
/// each kind is described).
/// </summary>
public enum MalformedKind : byte
{
    None = 0,
    FrameTruncated = 1,
    VlanTruncated = 2,
    VlanDepth = 3,
    Ipv4Truncated = 4,
    Ipv4Header = 5,
    Ipv4Length = 6,
    Ipv6Truncated = 7,
    Ipv6Header = 8,
    Ipv6Length = 9,
    ExtensionTruncated = 10,
    ExtensionDepth = 11,
    TransportTruncated = 12,
    TcpHeader = 13,
    UdpLength = 14,
    FragmentBounds = 15,
}
