using System.Buffers.Binary;

namespace Pangea.DataPlane.Benchmarks.Firewall;

/// <summary>Frames of 60 to 74 bytes that belong to nobody (documentation addresses).</summary>
internal static class BenchFrames
{
    internal static readonly byte[] Source4 = [198, 51, 100, 77];
    internal static readonly byte[] Source6 =
        [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x77];

    internal static byte[] Tcp4(byte[] source, ushort port)
    {
        byte[] frame = new byte[60];
        frame[12] = 8;
        Span<byte> ip = frame.AsSpan(14);
        ip[0] = 0x45;
        ip[3] = 40;
        ip[8] = 64;
        ip[9] = 6;
        source.CopyTo(ip[12..]);
        ((byte[])[192, 0, 2, 1]).CopyTo(ip[16..]);
        Tcp(ip[20..], port);
        return frame;
    }

    internal static byte[] Tcp6(byte[] source, ushort port)
    {
        byte[] frame = new byte[74];
        frame[12] = 0x86;
        frame[13] = 0xdd;
        Span<byte> ip = frame.AsSpan(14);
        ip[0] = 0x60;
        ip[5] = 20;
        ip[6] = 6;
        ip[7] = 64;
        source.CopyTo(ip[8..]);
        ((byte[])[0x20, 0x01, 0x0d, 0xb8, 1]).CopyTo(ip[24..]);
        Tcp(ip[40..], port);
        return frame;
    }

    private static void Tcp(Span<byte> tcp, ushort port)
    {
        BinaryPrimitives.WriteUInt16BigEndian(tcp, 40000);
        BinaryPrimitives.WriteUInt16BigEndian(tcp[2..], port);
        tcp[12] = 0x50;
        tcp[13] = 0x10;
    }
}
