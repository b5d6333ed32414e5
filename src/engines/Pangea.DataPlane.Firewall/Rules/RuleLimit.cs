using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Image;

namespace Pangea.DataPlane.Firewall.Rules;

/// <summary>So many packets or bytes in so much time, with a burst that may come at once.</summary>
/// <param name="Count">Packets or bytes in <paramref name="Period"/>; at least 1.</param>
/// <param name="Period">A second, a minute or an hour.</param>
/// <param name="Burst">What may come at once after a pause; at least 1.</param>
public sealed record Rate(ulong Count, TimeSpan Period, ulong Burst);

/// <summary>Who breaks a limit too often is banned.</summary>
/// <param name="Duration">Length of the ban; null is for ever.</param>
/// <param name="After">Violations that lead to it; at least 1.</param>
/// <param name="Window">The time, from the first one, in which they are counted.</param>
/// <param name="Bits6">64 or 128: what of an IPv6 source is banned.</param>
public sealed record BanAfter(TimeSpan? Duration, int After, TimeSpan Window, int Bits6 = 64);

/// <summary>The limit of a rule. At least one of the rates is set.</summary>
public sealed record RuleLimit
{
    public const int Prefix4Default = 32;

    /// <summary>Whoever has an IPv6 address has the whole /64.</summary>
    public const int Prefix6Default = 64;

    /// <summary>A packet costs at least 10 ns, so 100 M a second at most.</summary>
    public const ulong PacketsPerSecondMax = 100_000_000;

    /// <summary>Below it the cost of a large frame would not fit 64 bits.</summary>
    public const ulong BytesPerSecondMin = 64;

    /// <summary>Bursts and bans beyond a year are mistakes.</summary>
    public static readonly TimeSpan TimeMax = TimeSpan.FromDays(366);

    public Rate? Packets { get; init; }

    public Rate? Bytes { get; init; }

    public PolicyScope Scope { get; init; }

    /// <summary>Bits of an IPv4 source that share a bucket, where the scope is the
    /// source.</summary>
    public int Prefix4 { get; init; } = Prefix4Default;

    public int Prefix6 { get; init; } = Prefix6Default;

    public BanAfter? Ban { get; init; }

    /// <summary>What is wrong with the values, or null.</summary>
    public string? Error()
    {
        if (Packets is null && Bytes is null)
        {
            return "a limit needs a rate of packets or of bytes";
        }

        if (Packets is Rate packets && packets.Count
            > PacketsPerSecondMax * (ulong)packets.Period.TotalSeconds)
        {
            return $"a rate is at most {PacketsPerSecondMax} packets/s";
        }

        foreach (Rate? rate in (ReadOnlySpan<Rate?>)[Packets, Bytes])
        {
            if (rate is not null && (rate.Count == 0 || rate.Burst == 0
                || rate.Count > (1UL << 50) || rate.Burst > (1UL << 50)
                || rate.Burst / (double)rate.Count * rate.Period.TotalSeconds
                    > TimeMax.TotalSeconds))
            {
                return "rate and burst are at least 1, and a burst at most a year of its rate";
            }
        }

        if (Bytes is Rate slow && slow.Count < BytesPerSecondMin * slow.Period.TotalSeconds)
        {
            return $"a rate is at least {BytesPerSecondMin} bytes/s";
        }

        if (Bytes is { Burst: < Limits.FrameBurstBytesMin })
        {
            return $"a burst of bytes is at least {Limits.FrameBurstBytesMin}, one large frame";
        }

        if (Ban is BanAfter ban && (ban.After < 1 || ban.Window <= TimeSpan.Zero
            || ban.Window > TimeMax || ban.Duration is { } time
            && (time <= TimeSpan.Zero || time > TimeMax)))
        {
            return "a ban needs at least one violation and times of at most a year";
        }

        return null;
    }

    /// <summary>The same in the units of the data path.</summary>
    internal PolicyLimit ToImage()
    {
        PolicyLimit limit = new()
        {
            Scope = Scope,
            Prefix4 = (byte)Prefix4,
            Prefix6 = (byte)Prefix6,
            Ban6 = (byte)(Ban?.Bits6 ?? 128),
        };
        if (Packets is Rate packets)
        {
            limit.PacketCostNs = Math.Max(1, Ns(packets.Period) / packets.Count);
            limit.PacketBurstNs = (ulong)((UInt128)limit.PacketCostNs * packets.Burst);
        }

        if (Bytes is Rate bytes)
        {
            limit.ByteCostQ20 =
                Math.Max(1, (ulong)(((UInt128)Ns(bytes.Period) << 20) / bytes.Count));
            limit.ByteBurstNs = (ulong)(((UInt128)limit.ByteCostQ20 * bytes.Burst) >> 20);
        }

        if (Ban is BanAfter ban)
        {
            limit.BanAfter = (uint)ban.After;
            limit.BanWindowNs = Ns(ban.Window);
            limit.BanNs = ban.Duration is TimeSpan duration ? Ns(duration) : ulong.MaxValue;
        }

        return limit;
    }

    private static ulong Ns(TimeSpan time) => (ulong)time.Ticks * 100;
}
