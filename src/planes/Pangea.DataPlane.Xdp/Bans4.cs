using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Judging;

namespace Pangea.DataPlane.Xdp;

/// <summary>
/// The banned IPv4 sources, in memory shared with the program (bpf/bans.h has the layout). Entries
/// are single words changed by atomic exchange, because the program bans as well. Changes from here
/// come from one thread.
/// </summary>
public sealed class Bans4
{
    private const int BucketEntries = 8;
    private const int Probes = 8;

    /// <summary>Units of an entry that was removed: over since the boot, yet not 0.</summary>
    private const uint Removed = 1;
    private const ulong Multiplier = 0x9e3779b97f4a7c15;
    private readonly XdpFilter _filter;

    internal Bans4(XdpFilter filter) => _filter = filter;

    /// <summary>Entries there are in all; half of them can be used without crowding.</summary>
    public int Capacity => (int)(_filter.Config.Ban4Mask + 1) * BucketEntries;

    /// <summary>Bans a source, or changes the expiry of its ban.</summary>
    /// <returns><see cref="FaultCode.NoSpace"/> where all of its buckets are full.</returns>
    public Result Add(Ban4 ban, ulong nowNs)
    {
        ulong wanted = Entry(ban.Address, BanClock.Units(ban.ExpiryNs));
        while (true)
        {
            ref ulong found = ref Find(ban.Address, nowNs, out bool exists);
            if (!exists)
            {
                return new Fault(
                    FaultCode.NoSpace,
                    $"the table of {Capacity / 2} banned IPv4 sources has no room for one more",
                    "raise bans-max, or deny a prefix by a rule");
            }

            ulong before = found;
            bool usable = (uint)(before >> 32) == ban.Address || IsOver(before, nowNs);
            if (usable && Interlocked.CompareExchange(ref found, wanted, before) == before)
            {
                Mark(ban.Address);
                return Result.Ok;
            }
        }
    }

    /// <summary>Ends a ban; false where there was none.</summary>
    public bool Remove(uint address, ulong nowNs)
    {
        // Not 0: a bucket that was full stays full (bpf/bans.h). The program may ban the same
        // source twice at once on two CPUs, so the search goes on behind the first entry.
        bool removed = false;
        while (Contains(address, nowNs))
        {
            ref ulong entry = ref Find(address, nowNs, out _);
            ulong before = Volatile.Read(ref entry);
            if ((uint)(before >> 32) != address)
            {
                break;
            }

            removed |= Interlocked.CompareExchange(
                ref entry, Entry(address, Removed), before) == before;
        }

        return removed;
    }

    /// <summary>Whether a packet from this source drops now.</summary>
    public bool Contains(uint address, ulong nowNs)
    {
        uint bucket = Bucket(address);
        for (int probe = 0; probe < Probes; probe++)
        {
            for (int i = 0; i < BucketEntries; i++)
            {
                ulong entry = Volatile.Read(ref At(bucket, i));
                if (entry == 0)
                {
                    return false;
                }

                if ((uint)(entry >> 32) == address)
                {
                    return !IsOver(entry, nowNs);
                }
            }

            bucket = (bucket + Step(address)) & _filter.Config.Ban4Mask;
        }

        return false;
    }

    /// <summary>All bans that are not over, in no order.</summary>
    public IEnumerable<Ban4> List(ulong nowNs)
    {
        for (uint bucket = 0; bucket <= _filter.Config.Ban4Mask; bucket++)
        {
            for (int i = 0; i < BucketEntries; i++)
            {
                ulong entry = Volatile.Read(ref At(bucket, i));
                if (!IsOver(entry, nowNs))
                {
                    yield return new Ban4((uint)(entry >> 32), BanClock.Ns((uint)entry));
                }
            }
        }
    }

    /// <summary>
    /// Takes the bits of bans that are over out of the filter before the table. Bans that hold are
    /// found by every packet meanwhile; one that the program adds in between may be missed by some,
    /// until this ends.
    /// </summary>
    public void RebuildFilter(ulong nowNs)
    {
        uint mask = _filter.Config.Bloom4Mask;
        ulong[] wanted = new ulong[mask + 1];
        foreach (Ban4 ban in List(nowNs))
        {
            ulong hash = Hash(ban.Address);
            wanted[BanFilter.Word(mask, hash)] |= BanFilter.Bits(hash);
        }

        for (int i = 0; i < wanted.Length; i++)
        {
            Interlocked.And(ref _filter.Maps.Bloom4.At<ulong>(i), wanted[i]);
        }

        // What came into the table behind our back has lost its bits; a later one sets its own.
        foreach (Ban4 ban in List(nowNs))
        {
            Mark(ban.Address);
        }
    }

    private static ulong Hash(uint address)
    {
        ulong hash = address * Multiplier;
        return hash ^ (hash >> 32);
    }

    private void Mark(uint address) =>
        BanFilter.Mark(_filter.Maps.Bloom4, _filter.Config.Bloom4Mask, Hash(address));

    /// <summary>
    /// The entry of the address, else the first of its buckets' entries that is free or over.
    /// </summary>
    private ref ulong Find(uint address, ulong nowNs, out bool exists)
    {
        uint bucket = Bucket(address);
        long free = -1;
        exists = true;
        for (int probe = 0; probe < Probes; probe++)
        {
            for (int i = 0; i < BucketEntries; i++)
            {
                ref ulong entry = ref At(bucket, i);
                ulong value = Volatile.Read(ref entry);
                bool isOver = IsOver(value, nowNs);
                if (value != 0 && (uint)(value >> 32) == address && !isOver)
                {
                    return ref entry;
                }

                free = free < 0 && isOver ? (bucket * (long)BucketEntries) + i : free;
                if (value == 0)
                {
                    return ref At((uint)(free / BucketEntries), (int)(free % BucketEntries));
                }
            }

            bucket = (bucket + Step(address)) & _filter.Config.Ban4Mask;
        }

        exists = free >= 0;
        free = Math.Max(0, free);
        return ref At((uint)(free / BucketEntries), (int)(free % BucketEntries));
    }

    private static bool IsOver(ulong entry, ulong nowNs)
    {
        uint ticks = (uint)entry;
        return ticks != BanClock.NeverUnits && BanClock.Ns(ticks) <= nowNs;
    }

    private static ulong Entry(uint address, uint ticks) => ((ulong)address << 32) | ticks;

    private ref ulong At(uint bucket, int entry) =>
        ref _filter.Maps.Bans4.At<ulong>(((int)bucket * BucketEntries) + entry);

    private uint Bucket(uint address) =>
        (uint)(Place(address) >> 40) & _filter.Config.Ban4Mask;

    private static uint Step(uint address) => (uint)(Place(address) >> 8) | 1;

    /// <summary>Multiplied twice, so that addresses in a row fill all buckets alike.</summary>
    private static ulong Place(uint address) => Hash(address) * Multiplier;
}
