using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Pangea.DataPlane.Packets.Building;

/// <summary>One end of a packet's way.</summary>
/// <param name="Address">IPv4 or IPv6.</param>
/// <param name="Port">Null where it was not said.</param>
internal sealed record FrameEnd(IPAddress Address, ushort? Port);

/// <summary>What a frame is to say about itself, before it is built.</summary>
internal sealed class FramePlan
{
    private const ushort SourcePortUsual = 40000;

    public List<ushort> Tags { get; } = [];

    /// <summary>Null: that of the addresses.</summary>
    public ushort? EtherType { get; set; }

    public FrameEnd? Source { get; set; }

    public FrameEnd? Destination { get; set; }

    public byte? Protocol { get; set; }

    public byte? TcpFlags { get; set; }

    /// <summary>A name or a number; null: echo.</summary>
    public string? IcmpType { get; set; }

    public byte IcmpCode { get; set; }

    public byte Hops { get; set; } = 64;

    public FragmentKind Fragment { get; set; }

    /// <summary>Of the whole frame; null: as short as Ethernet allows.</summary>
    public int? FrameBytes { get; set; }

    /// <summary>Set by <see cref="Complete"/>.</summary>
    public byte IcmpTypeNumber { get; private set; }

    public bool IsV6 => Source!.Address.AddressFamily == AddressFamily.InterNetworkV6;

    public bool HasPorts => Protocol is
        FrameWords.Tcp or FrameWords.Udp or FrameWords.Sctp
        && Fragment != FragmentKind.Later;

    public ushort SourcePort => Source!.Port ?? SourcePortUsual;

    public ushort DestinationPort => Destination!.Port ?? 0;

    /// <summary>What does not fit together, in one sentence, or null.</summary>
    public string? Complete()
    {
        bool isArp = EtherType == FrameWords.EtherArp;
        if (EtherType is not null && !isArp)
        {
            return Source is null && Destination is null && Protocol is null
                ? null
                : "a frame of another ethertype has no addresses and no protocol";
        }

        if (Source is null || Destination is null)
        {
            return "a packet needs two addresses, as in 192.0.2.1 > 198.51.100.1";
        }

        if (Source.Address.AddressFamily != Destination.Address.AddressFamily)
        {
            return "both addresses must be of IPv4, or both of IPv6";
        }

        if (isArp)
        {
            return IsV6 || Protocol is not null ? "ARP is about IPv4 alone" : null;
        }

        return Protocol is null
            ? "which protocol? tcp, udp, sctp, icmp, icmpv6 or proto N"
            : CompleteProtocol();
    }

    private string? CompleteProtocol()
    {
        bool isIcmp = Protocol == (IsV6 ? FrameWords.IcmpV6 : FrameWords.Icmp);
        if (!isIcmp && Protocol is FrameWords.Icmp or FrameWords.IcmpV6)
        {
            return IsV6 ? "over IPv6 goes icmpv6" : "over IPv4 goes icmp";
        }

        if (TcpFlags is not null && Protocol != FrameWords.Tcp)
        {
            return "only tcp has flags";
        }

        if (!HasPorts && (Source!.Port is not null || Destination!.Port is not null))
        {
            return "only whole tcp, udp and sctp packets and first fragments have ports";
        }

        if (HasPorts && Destination!.Port is null)
        {
            return "which port does it go to? as in 198.51.100.1:22";
        }

        return isIcmp ? CompleteIcmp() : IcmpType is null ? null : "only icmp has types";
    }

    private string? CompleteIcmp()
    {
        var names = IsV6 ? FrameWords.IcmpV6Types : FrameWords.IcmpTypes;
        string type = IcmpType ?? "echo";
        if (!names.TryGetValue(type, out byte number) && !byte.TryParse(
            type, NumberStyles.None, CultureInfo.InvariantCulture, out number))
        {
            return $"'{type}' is no type: 0 to 255 or {string.Join(", ", names.Keys.Order())}";
        }

        IcmpTypeNumber = number;
        return null;
    }
}
