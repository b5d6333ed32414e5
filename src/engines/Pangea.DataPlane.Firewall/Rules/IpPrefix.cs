using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Pangea.DataPlane.Firewall.Rules;

/// <summary>An IPv4 or IPv6 prefix without host bits; an address is one of full length.</summary>
/// <param name="Top">The address with its first bit as the highest one, in both families.</param>
/// <param name="Bits">0..32 or 0..128.</param>
/// <param name="IsV6">The family.</param>
public readonly record struct IpPrefix(UInt128 Top, byte Bits, bool IsV6)
{
    public static IpPrefix V4(uint address, int bits) =>
        new((UInt128)address << 96, (byte)bits, false);

    public static IpPrefix V6(UInt128 address, int bits) => new(address, (byte)bits, true);

    /// <summary>Bits of a whole address of the family.</summary>
    public int AddressBits => IsV6 ? 128 : 32;

    /// <summary>All ones in the first <paramref name="bits"/> of 128.</summary>
    public static UInt128 Mask(int bits) =>
        bits == 0 ? UInt128.Zero : UInt128.MaxValue << (128 - bits);

    public bool Contains(IpPrefix other) =>
        IsV6 == other.IsV6 && Bits <= other.Bits && (other.Top & Mask(Bits)) == Top;

    /// <summary>
    /// Reads "192.0.2.0/24", "2001:db8::/32" or an address. What is wrong is said in
    /// <paramref name="error"/>; a prefix with host bits is refused and the clean one named.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<char> text, out IpPrefix prefix, out string? error)
    {
        prefix = default;
        error = null;
        int slash = text.IndexOf('/');
        ReadOnlySpan<char> address = slash < 0 ? text : text[..slash];
        bool isV6 = address.Contains(':');
        UInt128 top;
        if (isV6 ? !TryV6(address, out top) : !TryV4(address, out top))
        {
            error = $"'{text}' is not an IPv4 or IPv6 prefix";
            return false;
        }

        int bits = isV6 ? 128 : 32;
        if (slash >= 0 && (!int.TryParse(
            text[(slash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out int given)
            || given > bits))
        {
            error = $"'{text}' has no prefix length of 0..{bits}";
            return false;
        }
        else if (slash >= 0)
        {
            bits = int.Parse(text[(slash + 1)..], CultureInfo.InvariantCulture);
        }

        prefix = new IpPrefix(top & Mask(bits), (byte)bits, isV6);
        if (prefix.Top != top)
        {
            error = $"'{text}' has host bits, did you mean {prefix}?";
            return false;
        }

        return true;
    }

    public override string ToString()
    {
        string address;
        if (IsV6)
        {
            Span<byte> bytes = stackalloc byte[16];
            System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(bytes, Top);
            address = new IPAddress(bytes).ToString();
        }
        else
        {
            uint value = (uint)(Top >> 96);
            address = string.Create(
                CultureInfo.InvariantCulture,
                $"{value >> 24}.{(value >> 16) & 255}.{(value >> 8) & 255}.{value & 255}");
        }

        return Bits == AddressBits
            ? address
            : string.Create(CultureInfo.InvariantCulture, $"{address}/{Bits}");
    }

    /// <summary>
    /// Four decimal parts and nothing else: the forms that the C library takes besides (octal,
    /// "10.1") have opened too many firewalls.
    /// </summary>
    private static bool TryV4(ReadOnlySpan<char> text, out UInt128 top)
    {
        top = default;
        uint value = 0;
        int parts = 0;
        int i = 0;
        while (true)
        {
            int start = i;
            uint part = 0;
            while (i < text.Length && char.IsAsciiDigit(text[i]) && i - start < 3)
            {
                part = (part * 10) + (uint)(text[i] - '0');
                i++;
            }

            if (i == start || part > 255 || (text[start] == '0' && i - start > 1))
            {
                return false;
            }

            value = (value << 8) | part;
            if (++parts == 4)
            {
                top = (UInt128)value << 96;
                return i == text.Length;
            }

            if (i == text.Length || text[i] != '.')
            {
                return false;
            }

            i++;
        }
    }

    private static bool TryV6(ReadOnlySpan<char> text, out UInt128 top)
    {
        top = default;
        if (text.IndexOfAnyExcept("0123456789abcdefABCDEF:.") >= 0
            || !IPAddress.TryParse(text, out IPAddress? address)
            || address.AddressFamily != AddressFamily.InterNetworkV6)
        {
            return false;
        }

        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        top = System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(bytes);
        return true;
    }
}
