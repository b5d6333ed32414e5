using System.Runtime.InteropServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Judging;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Linux.Bpf;

namespace Pangea.DataPlane.Xdp;

/// <summary>
/// The banned IPv6 sources: a hash of the kernel's behind a filter of bits. Bits of bans that are
/// over stay until the table is empty or <see cref="Sweep"/> finds enough of them gone.
/// </summary>
public sealed class Bans6
{
    private const ulong Multiplier = 0x9e3779b97f4a7c15;
    private readonly XdpFilter _filter;

    internal Bans6(XdpFilter filter) => _filter = filter;

    private BpfMap Map => _filter.Maps["bans6"];

    /// <summary>Bans a source or a /64, or changes the expiry of its ban.</summary>
    public Result Add(Ban6 ban)
    {
        // The table first, for whoever builds the filter anew (bpf/bans.h).
        BanKey6 key = ban.Key;
        ulong expiry = BanClock.RoundUp(ban.ExpiryNs);
        SysResult result = Map.Update(
            MemoryMarshal.AsBytes(new ReadOnlySpan<BanKey6>(in key)),
            MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in expiry)));
        BanFilter.Mark(_filter.Maps.Bloom6, _filter.Config.Bloom6Mask, Hash(ban.Key));
        Volatile.Write(ref _filter.State.HasBans6, 1);
        return result.IsOk
            ? Result.Ok
            : new Fault(
                FaultCode.NoSpace,
                $"the table of {Map.Entries} banned IPv6 sources has no room for one more",
                "raise bans-max, or deny a prefix by a rule",
                Errno: result.Errno.Value);
    }

    /// <summary>
    /// Has the program look at the table where there is a ban in it: one may have come between the
    /// load of a program and the moment at which it took over.
    /// </summary>
    public void Note()
    {
        if (List().Any())
        {
            Volatile.Write(ref _filter.State.HasBans6, 1);
        }
    }

    /// <summary>Ends a ban; false where there was none.</summary>
    public bool Remove(BanKey6 key) =>
        Map.Remove(MemoryMarshal.AsBytes(new ReadOnlySpan<BanKey6>(in key))).IsOk;

    /// <summary>When the ban ends; null where there is none.</summary>
    public ulong? ExpiryNs(BanKey6 key)
    {
        ulong expiry = 0;
        return Map.Lookup(
            MemoryMarshal.AsBytes(new ReadOnlySpan<BanKey6>(in key)),
            MemoryMarshal.AsBytes(new Span<ulong>(ref expiry))).IsOk
                ? expiry
                : null;
    }

    /// <summary>All bans, in no order; those that are over may still be among them.</summary>
    public IEnumerable<Ban6> List()
    {
        byte[] key = new byte[Map.KeyBytes];
        byte[] value = new byte[sizeof(ulong)];
        byte[] before = [];
        while (Map.NextKey(before, key).IsOk)
        {
            if (Map.Lookup(key, value).IsOk)
            {
                yield return new Ban6(
                    MemoryMarshal.Read<BanKey6>(key), MemoryMarshal.Read<ulong>(value));
            }

            before = [.. key];
        }
    }

    /// <summary>
    /// Removes what is over; once nothing is left the filter is cleared too. Returns how many went.
    /// </summary>
    public int Sweep(ulong nowNs)
    {
        List<BanKey6> over = [];
        int left = 0;
        foreach (Ban6 ban in List())
        {
            if (ban.ExpiryNs <= nowNs)
            {
                over.Add(ban.Key);
            }
            else
            {
                left++;
            }
        }

        int removed = over.Count(Remove);
        if (left == 0)
        {
            // A ban of the data path that comes in between sets its bits after we cleared them, or
            // is found by the next look at the table below.
            Volatile.Write(ref _filter.State.HasBans6, 0);
            _filter.Maps.Bloom6.Span(0, (int)(_filter.Config.Bloom6Mask + 1) * 8).Clear();
            foreach (Ban6 ban in List().ToList())
            {
                _ = Add(ban);
            }
        }

        return removed;
    }

    private static ulong Hash(BanKey6 key)
    {
        ulong x = (key.High * Multiplier) ^ key.Low;
        x ^= x >> 33;
        x *= 0xff51afd7ed558ccd;
        x ^= x >> 33;
        x *= 0xc4ceb9fe1a85ec53;
        return x ^ (x >> 33);
    }
}
