using System.Buffers.Binary;

namespace Pangea.DataPlane.Xdp.Tests;

/// <summary>
/// Frames by chance: mostly valid ones of every kind, then damaged in one place, cut short or
/// padded.
/// </summary>
internal sealed class RandomFrames
{
    /// <summary>The kernel runs programs on no less than an Ethernet header.</summary>
    internal const int BytesMin = 14;

    /// <summary>Beyond a page a frame comes to the program in parts.</summary>
    private const int LargeBytesMax = 9000;

    private readonly byte[] _frame = new byte[16384];
    private Random _random = new(0);
    private int _length;

    /// <summary>The frame of a seed; valid until the next call.</summary>
    internal ReadOnlySpan<byte> Of(Random seeded)
    {
        _random = seeded;
        _frame.AsSpan(0, Math.Max(_length, BytesMin)).Clear();
        _length = 12;
        _random.NextBytes(_frame.AsSpan(0, 12));
        for (int tags = _random.Next(4) == 0 ? _random.Next(1, 4) : 0; tags > 0; tags--)
        {
            Put16(_random.Next(2) == 0 ? 0x8100 : 0x88a8);
            Put16(One(RandomRules.Tags) | (_random.Next(8) << 13));
        }

        switch (_random.Next(20))
        {
            case 0: Other(); break;
            case < 11: Ipv4(); break;
            default: Ipv6(); break;
        }

        Damage();
        _length = Math.Max(_length, BytesMin);
        return _frame.AsSpan(0, _length);
    }

    private void Other()
    {
        Put16(One(0x0806, 0x0806, 0x88cc, 0x0000, 0x0600));
        _length += _random.Next(60);
    }

    private void Ipv4()
    {
        Put16(0x0800);
        int start = _length;
        int options = _random.Next(6) == 0 ? _random.Next(11) : 0;
        _frame[_length] = (byte)(0x45 + options);
        byte protocol = _random.Next(10) == 0
            ? (byte)_random.Next(256)
            : One<byte>(6, 6, 17, 17, 1, One(RandomRules.Protocols));
        int fragment = _random.Next(8) == 0
            ? One(0x2000, 0x4000, 0x2001, 0x0001, 0x1fff, 0x3fff, 185, 0x2000 | 185, 0x8000)
            : 0;
        BinaryPrimitives.WriteUInt16BigEndian(_frame.AsSpan(start + 6), (ushort)fragment);
        _frame[start + 8] = 64;
        _frame[start + 9] = protocol;
        Put32At(start + 12, Address4());
        Put32At(start + 16, Address4());
        _length += 20 + (options * 4);
        Transport(protocol, isV6: false);
        BinaryPrimitives.WriteUInt16BigEndian(
            _frame.AsSpan(start + 2), (ushort)(_length - start));
        _length += _random.Next(4) == 0 ? _random.Next(40) : 0;
    }

    private void Ipv6()
    {
        Put16(0x86dd);
        int start = _length;
        _frame[start] = 0x60;
        _frame[start + 7] = One<byte>(255, 255, 64, 0);
        BinaryPrimitives.WriteUInt128BigEndian(_frame.AsSpan(start + 8), Address6());
        BinaryPrimitives.WriteUInt128BigEndian(_frame.AsSpan(start + 24), Address6());
        _length += 40;
        byte protocol = One<byte>(6, 17, 58, 58, 59, One(RandomRules.Protocols));
        int next = start + 6;
        for (int count = _random.Next(3) == 0 ? _random.Next(1, 11) : 0; count > 0; count--)
        {
            byte kind = One<byte>(0, 43, 44, 51, 60, 135, 139, 140);
            _frame[next] = kind;
            next = _length;
            if (kind == 44)
            {
                BinaryPrimitives.WriteUInt16BigEndian(
                    _frame.AsSpan(_length + 2),
                    (ushort)One(0, 0, 1, 8, 9, 1480, 1481, 0xfff8, 0xfff9, 6));
                _length += 8;
                continue;
            }

            int words = _random.Next(3);
            _frame[_length + 1] = (byte)words;
            _length += kind == 51 ? (words + 2) * 4 : (words + 1) * 8;
        }

        _frame[next] = protocol;
        Transport(protocol, isV6: true);
        BinaryPrimitives.WriteUInt16BigEndian(
            _frame.AsSpan(start + 4), (ushort)(_length - start - 40));
        _length += _random.Next(4) == 0 ? _random.Next(40) : 0;
    }

    private void Transport(byte protocol, bool isV6)
    {
        int start = _length;
        int payload = _random.Next(3) == 0 ? _random.Next(64) * 8 : _random.Next(30);
        payload = _random.Next(100) == 0 ? _random.Next(LargeBytesMax) : payload;
        if (protocol is 6 or 17 or 132)
        {
            Put16(One(RandomRules.Ports));
            Put16(One(RandomRules.Ports));
            _length = start + (protocol == 6 ? 20 : protocol == 17 ? 8 : 12);
        }

        if (protocol == 6)
        {
            int words = _random.Next(4) == 0 ? _random.Next(16) : 5;
            _frame[start + 12] = (byte)(words << 4);
            _frame[start + 13] = One<byte>(0x02, 0x02, 0x10, 0x12, 0x18, 0x04);
            _length = start + (Math.Max(words, 5) * 4);
        }
        else if (protocol == 17)
        {
            BinaryPrimitives.WriteUInt16BigEndian(
                _frame.AsSpan(start + 4),
                (ushort)(_random.Next(10) == 0 ? _random.Next(2000) : payload + 8));
        }
        else if (protocol is 1 or 58)
        {
            _frame[start] = isV6
                ? One<byte>(128, 129, 133, 134, 135, 136, 137, 138)
                : One<byte>(0, 8, 3, 11);
            _frame[start + 1] = _random.Next(8) == 0 ? (byte)1 : (byte)0;
            _length = start + 8;
        }

        _length += payload;
    }

    private void Damage()
    {
        switch (_random.Next(12))
        {
            case 0:
                _length = _random.Next(Math.Min(BytesMin, _length), _length + 1);
                break;
            case 1:
                _frame[12 + _random.Next(Math.Min(60, _length))] = (byte)_random.Next(256);
                break;
            case 2:
                _frame[12 + _random.Next(Math.Min(90, _length))] ^= (byte)(1 << _random.Next(8));
                break;
            default:
                break;
        }
    }

    private uint Address4() => _random.Next(6) == 0
        ? (uint)_random.NextInt64(1L << 32)
        : One(RandomRules.Addresses4);

    private UInt128 Address6() => _random.Next(6) == 0
        ? new UInt128((ulong)_random.NextInt64(), (ulong)_random.NextInt64())
        : One(RandomRules.Addresses6);

    private void Put16(int value)
    {
        BinaryPrimitives.WriteUInt16BigEndian(_frame.AsSpan(_length), (ushort)value);
        _length += 2;
    }

    private void Put32At(int at, uint value) =>
        BinaryPrimitives.WriteUInt32BigEndian(_frame.AsSpan(at), value);

    private T One<T>(params ReadOnlySpan<T> choices) => choices[_random.Next(choices.Length)];
}
