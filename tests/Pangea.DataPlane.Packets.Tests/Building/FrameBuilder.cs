using System.Buffers.Binary;

namespace Pangea.DataPlane.Packets.Tests.Building;

/// <summary>
/// Writes frames from the outside in; every length is right unless the test says otherwise.
/// </summary>
public sealed class FrameBuilder
{
    private readonly List<byte> _bytes = [];
    private int _etherType = 12;

    public FrameBuilder()
    {
        Add([0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1, 0, 0]);
    }

    public int Length => _bytes.Count;

    public byte[] Bytes => [.. _bytes];

    public byte this[int offset]
    {
        get => _bytes[offset];
        set => _bytes[offset] = value;
    }

    public static byte[] Udp4(uint source, uint destination, ushort sourcePort, ushort port) =>
        new FrameBuilder().Ipv4(source, destination, 17, Udp(sourcePort, port, 4)).Bytes;

    public static byte[] Tcp4(
        uint source, uint destination, ushort sourcePort, ushort port, byte flags = 0x10) =>
        new FrameBuilder().Ipv4(source, destination, 6, Tcp(sourcePort, port, flags)).Bytes;

    public static byte[] Udp6(
        UInt128 source, UInt128 destination, ushort sourcePort, ushort port) =>
        new FrameBuilder().Ipv6(source, destination, 17, Udp(sourcePort, port, 4)).Bytes;

    public static byte[] Udp(ushort source, ushort destination, int payloadBytes)
    {
        byte[] udp = new byte[8 + payloadBytes];
        BinaryPrimitives.WriteUInt16BigEndian(udp, source);
        BinaryPrimitives.WriteUInt16BigEndian(udp.AsSpan(2), destination);
        BinaryPrimitives.WriteUInt16BigEndian(udp.AsSpan(4), (ushort)udp.Length);
        return udp;
    }

    public static byte[] Tcp(
        ushort source, ushort destination, byte flags, int words = 5, int payloadBytes = 0)
    {
        byte[] tcp = new byte[Math.Max(20, words * 4) + payloadBytes];
        BinaryPrimitives.WriteUInt16BigEndian(tcp, source);
        BinaryPrimitives.WriteUInt16BigEndian(tcp.AsSpan(2), destination);
        tcp[12] = (byte)(words << 4);
        tcp[13] = flags;
        return tcp;
    }

    public static byte[] Sctp(ushort source, ushort destination)
    {
        byte[] sctp = new byte[16];
        BinaryPrimitives.WriteUInt16BigEndian(sctp, source);
        BinaryPrimitives.WriteUInt16BigEndian(sctp.AsSpan(2), destination);
        return sctp;
    }

    public static byte[] Icmp(byte type, byte code = 0) => [type, code, 0, 0, 0, 0, 0, 0];

    /// <summary>A tag; also a second and a third.</summary>
    public FrameBuilder Vlan(int id, bool service = false)
    {
        EtherType(service ? 0x88a8 : 0x8100);
        _etherType = Length + 2;
        Add([(byte)(id >> 8), (byte)id, 0, 0]);
        return this;
    }

    public FrameBuilder EtherType(int type)
    {
        _bytes[_etherType] = (byte)(type >> 8);
        _bytes[_etherType + 1] = (byte)type;
        return this;
    }

    public FrameBuilder Add(ReadOnlySpan<byte> bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    /// <param name="source">As a number.</param>
    /// <param name="destination">As a number.</param>
    /// <param name="protocol">What the payload is.</param>
    /// <param name="payload">Transport header and data.</param>
    /// <param name="words">Header length in words, options included.</param>
    /// <param name="fragment">The 16 bits of flags and offset.</param>
    /// <param name="totalBytes">Total length to state; -1: the right one.</param>
    public FrameBuilder Ipv4(
        uint source, uint destination, byte protocol, byte[] payload, int words = 5,
        int fragment = 0, int totalBytes = -1)
    {
        EtherType(0x0800);
        byte[] header = new byte[Math.Max(20, words * 4)];
        header[0] = (byte)(0x40 | words);
        int total = totalBytes >= 0 ? totalBytes : header.Length + payload.Length;
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(2), (ushort)total);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(6), (ushort)fragment);
        header[8] = 64;
        header[9] = protocol;
        BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(12), source);
        BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(16), destination);
        return Add(header).Add(payload);
    }

    /// <param name="source">As a number.</param>
    /// <param name="destination">As a number.</param>
    /// <param name="next">The first next header.</param>
    /// <param name="payload">Extension headers, transport header and data.</param>
    /// <param name="hopLimit">255 for neighbour discovery.</param>
    /// <param name="payloadBytes">Length to state; -1: the right one.</param>
    public FrameBuilder Ipv6(
        UInt128 source, UInt128 destination, byte next, byte[] payload, byte hopLimit = 64,
        int payloadBytes = -1)
    {
        EtherType(0x86dd);
        byte[] header = new byte[40];
        header[0] = 0x60;
        int length = payloadBytes >= 0 ? payloadBytes : payload.Length;
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(4), (ushort)length);
        header[6] = next;
        header[7] = hopLimit;
        BinaryPrimitives.WriteUInt128BigEndian(header.AsSpan(8), source);
        BinaryPrimitives.WriteUInt128BigEndian(header.AsSpan(24), destination);
        return Add(header).Add(payload);
    }

    /// <summary>An extension header with what follows it.</summary>
    /// <param name="kind">Its own number, 44 and 51 have lengths of their own.</param>
    /// <param name="next">What follows.</param>
    /// <param name="rest">The bytes that follow.</param>
    /// <param name="units">The length byte.</param>
    /// <param name="fragment">Offset and flag of a fragment header.</param>
    public static byte[] Extension(
        int kind, byte next, byte[] rest, int units = 0, int fragment = 0)
    {
        int bytes = kind switch { 44 => 8, 51 => (units + 2) * 4, _ => (units + 1) * 8 };
        byte[] header = new byte[Math.Max(8, bytes)];
        header[0] = next;
        header[1] = (byte)units;
        if (kind == 44)
        {
            header[1] = 0;
            BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(2), (ushort)fragment);
        }

        return [.. header, .. rest];
    }
}
