namespace Pangea.DataPlane.Firewall.Judging;

/// <summary>
/// When a ban ends: the XDP program keeps address and expiry of an IPv4 source in one word, so
/// expiries count in units of 2^26 ns (67 ms), rounded up. Both executors and both families use
/// them, so that a source is let go by both at the same moment.
/// </summary>
public static class BanClock
{
    /// <summary>BAN_TICK_SHIFT of bpf/bans.h.</summary>
    public const int UnitShift = 26;

    /// <summary>No end.</summary>
    public const ulong Never = ulong.MaxValue;

    /// <summary>Units of 32 bits that say "no end"; reached nine years after the boot.</summary>
    public const uint NeverUnits = uint.MaxValue;

    /// <summary>The end of the unit that the moment lies in, or <see cref="Never"/>.</summary>
    public static ulong RoundUp(ulong expiryNs) => Ns(Units(expiryNs));

    public static uint Units(ulong expiryNs)
    {
        ulong units = (expiryNs >> UnitShift)
            + ((expiryNs & ((1UL << UnitShift) - 1)) != 0 ? 1UL : 0);
        return units >= NeverUnits ? NeverUnits : (uint)units;
    }

    public static ulong Ns(uint units) =>
        units == NeverUnits ? Never : (ulong)units << UnitShift;
}
