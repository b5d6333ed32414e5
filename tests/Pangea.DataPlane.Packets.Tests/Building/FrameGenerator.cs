namespace Pangea.DataPlane.Packets.Tests.Building;

/// <summary>
/// Random frames of every kind that a firewall meets, valid ones and damaged ones. Addresses, ports
/// and tags come from small ranges, so that random rules match them. The same seed gives the same
/// frames.
/// </summary>
public sealed class FrameGenerator(Random random)
{
    private static readonly byte[] s_extensions = [0, 43, 44, 51, 60, 135, 139, 140];
    private static readonly byte[] s_protocols = [1, 6, 6, 17, 17, 58, 132, 47, 50, 59, 2];

    /// <summary>192.0.2.0/24 and a few of its neighbours.</summary>
    public static uint Address4(Random random) => random.Next(4) switch
    {
        0 => 0xc0000200u + (uint)random.Next(256),
        1 => 0xc0000000u + (uint)random.Next(65536),
        2 => 0x0a000000u | ((uint)random.Next(8) << 16) | (uint)random.Next(16),
        _ => (uint)random.NextInt64(1L << 32),
    };

    /// <summary>2001:db8::/32 and a few of its neighbours.</summary>
    public static UInt128 Address6(Random random)
    {
        ulong low = random.Next(3) == 0 ? (ulong)random.NextInt64() : (ulong)random.Next(16);
        ulong high = random.Next(4) switch
        {
            0 => 0x20010db8_00000000,
            1 => 0x20010db8_00000000 + (ulong)random.Next(65536),
            2 => 0x20010db8_00000000 + ((ulong)random.Next(16) << 28),
            _ => (ulong)random.NextInt64(),
        };
        return new UInt128(high, low);
    }

    public static ushort Port(Random random) => random.Next(4) switch
    {
        0 => 22,
        1 => 53,
        2 => (ushort)random.Next(1024, 1100),
        _ => (ushort)random.Next(65536),
    };

    /// <summary>A frame; one in four is damaged afterwards.</summary>
    public byte[] Next()
    {
        FrameBuilder frame = new();
        int tags = random.Next(8) switch { < 5 => 0, 5 => 1, 6 => 2, _ => random.Next(4) };
        for (int i = 0; i < tags; i++)
        {
            frame.Vlan(random.Next(6), random.Next(2) == 0);
        }

        switch (random.Next(20))
        {
            case 0:
                frame.EtherType(0x0806).Add(new byte[28]);
                break;
            case 1:
                frame.EtherType(random.Next(65536)).Add(new byte[random.Next(64)]);
                break;
            case < 12:
                Ipv4(frame);
                break;
            default:
                Ipv6(frame);
                break;
        }

        if (random.Next(4) == 0)
        {
            frame.Add(new byte[random.Next(1, 40)]);
        }

        return random.Next(4) == 0 ? Damage(frame.Bytes) : frame.Bytes;
    }

    private byte[] Damage(byte[] frame)
    {
        if (random.Next(2) == 0)
        {
            return frame[..random.Next(frame.Length + 1)];
        }

        for (int count = random.Next(1, 4); count > 0; count--)
        {
            frame[random.Next(Math.Min(frame.Length, 96))] = (byte)random.Next(256);
        }

        return frame;
    }

    private void Ipv4(FrameBuilder frame)
    {
        byte protocol = s_protocols[random.Next(s_protocols.Length)];
        byte[] payload = Transport(protocol, protocol == 1);
        int fragment = Fragment(8, 1 << 13, 0x1fff);
        frame.Ipv4(
            Address4(random), Address4(random), protocol, Cut(payload, fragment),
            random.Next(8) == 0 ? random.Next(16) : 5,
            fragment | (random.Next(3) == 0 ? 0x4000 : 0),
            random.Next(16) == 0 ? random.Next(100) : -1);
    }

    private void Ipv6(FrameBuilder frame)
    {
        byte next = s_protocols[random.Next(s_protocols.Length)];
        byte[] payload = Transport(next, next == 58);
        int count = random.Next(4) == 0 ? random.Next(11) : 0;
        for (int i = 0; i < count; i++)
        {
            byte kind = s_extensions[random.Next(s_extensions.Length)];
            int fragment = kind == 44 ? Fragment(1, 1, 0xfff8) : 0;
            payload = FrameBuilder.Extension(
                kind, next, kind == 44 ? Cut(payload, fragment) : payload, random.Next(3),
                fragment);
            next = kind;
        }

        frame.Ipv6(
            Address6(random), Address6(random), next, payload,
            (byte)(random.Next(2) == 0 ? 255 : 64),
            random.Next(16) == 0 ? random.Next(100) : -1);
    }

    /// <summary>Mostly none; else first, middle, last, or nonsense.</summary>
    private int Fragment(int step, int more, int mask) => random.Next(12) switch
    {
        0 => more,
        1 => more | ((step * random.Next(1, 200)) & mask),
        2 => (step * random.Next(1, 200)) & mask,
        3 => random.Next(65536),
        _ => 0,
    };

    /// <summary>Inner parts of a datagram are multiples of eight.</summary>
    private byte[] Cut(byte[] payload, int fragment) =>
        fragment == 0 || random.Next(5) == 0 ? payload : payload[..(payload.Length & ~7)];

    private byte[] Transport(byte protocol, bool isIcmp)
    {
        int data = random.Next(40);
        switch (protocol)
        {
            case 6:
                int words = random.Next(8) == 0 ? random.Next(16) : 5;
                byte flags = (byte)(random.Next(3) == 0 ? 0x02 : random.Next(64));
                return FrameBuilder.Tcp(Port(random), Port(random), flags, words, data);
            case 17:
                byte[] udp = FrameBuilder.Udp(Port(random), Port(random), data);
                udp[5] = random.Next(8) == 0 ? (byte)random.Next(64) : udp[5];
                return udp;
            case 132:
                return FrameBuilder.Sctp(Port(random), Port(random));
            case 1 or 58:
                byte type = (byte)random.Next(6);
                int discovery = random.Next(132, 139);
                return FrameBuilder.Icmp(
                    !isIcmp || random.Next(2) == 0 ? type : (byte)discovery,
                    (byte)(random.Next(4) == 0 ? random.Next(1, 3) : 0));
            default:
                return new byte[data];
        }
    }
}
