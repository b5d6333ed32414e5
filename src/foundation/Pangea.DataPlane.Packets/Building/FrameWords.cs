namespace Pangea.DataPlane.Packets.Building;

/// <summary>Words of a description of a packet, and the numbers behind them.</summary>
internal static class FrameWords
{
    public const byte Icmp = 1;
    public const byte Tcp = 6;
    public const byte Udp = 17;
    public const byte IcmpV6 = 58;
    public const byte Sctp = 132;
    public const ushort EtherArp = 0x0806;

    public static readonly Dictionary<string, byte> Protocols = new()
    {
        ["icmp"] = Icmp,
        ["tcp"] = Tcp,
        ["udp"] = Udp,
        ["icmpv6"] = IcmpV6,
        ["sctp"] = Sctp,
    };

    public static readonly Dictionary<string, byte> TcpFlags = new()
    {
        ["fin"] = 1,
        ["syn"] = 2,
        ["rst"] = 4,
        ["psh"] = 8,
        ["ack"] = 16,
    };

    public static readonly Dictionary<string, byte> IcmpTypes = new()
    {
        ["echo-reply"] = 0,
        ["unreachable"] = 3,
        ["redirect"] = 5,
        ["echo"] = 8,
        ["time-exceeded"] = 11,
        ["parameter-problem"] = 12,
    };

    public static readonly Dictionary<string, byte> IcmpV6Types = new()
    {
        ["unreachable"] = 1,
        ["too-big"] = 2,
        ["time-exceeded"] = 3,
        ["parameter-problem"] = 4,
        ["echo"] = 128,
        ["echo-reply"] = 129,
        ["router-solicitation"] = 133,
        ["router-advertisement"] = 134,
        ["neighbour-solicitation"] = 135,
        ["neighbour-advertisement"] = 136,
    };
}
