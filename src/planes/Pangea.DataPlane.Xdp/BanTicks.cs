using Pangea.DataPlane.Firewall.Image;

namespace Pangea.DataPlane.Xdp;

/// <summary>
/// Expiry of bans in the data path: units of 2^26 ns (67 ms), rounded up, so that address and
/// expiry are one word.
/// </summary>
internal static class BanTicks
{
    internal const uint Forever = uint.MaxValue;
    internal const uint Removed = 1;
    internal const int Shift = 26;

    internal static uint Of(ulong expiryNs)
    {
        ulong ticks = (expiryNs >> Shift) + ((expiryNs & ((1UL << Shift) - 1)) != 0 ? 1UL : 0);
        return ticks >= Forever ? Forever : (uint)ticks;
    }

    internal static ulong Ns(uint ticks) =>
        ticks == Forever ? ulong.MaxValue : (ulong)ticks << Shift;
}

/// <summary>A banned IPv4 source.</summary>
/// <param name="Address">As a number.</param>
/// <param name="ExpiryNs">On the data path's clock; all ones for ever.</param>
public readonly record struct Ban4(uint Address, ulong ExpiryNs);

/// <summary>A banned IPv6 source, or a /64 under its all-ones address.</summary>
/// <param name="Key">The address.</param>
/// <param name="ExpiryNs">On the data path's clock; all ones for ever.</param>
public readonly record struct Ban6(BanKey6 Key, ulong ExpiryNs);
