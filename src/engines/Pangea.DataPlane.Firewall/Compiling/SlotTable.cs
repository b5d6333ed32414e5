using Pangea.DataPlane.Firewall.Rules;

namespace Pangea.DataPlane.Firewall.Compiling;

/// <summary>
/// Which counters a rule has. A rule that is still there after a change keeps its slot. The slot of
/// one that went is given to a new rule one change later and is then listed as fresh, for its
/// counters and rate states to be cleared before the new image is used: by then no packet counts to
/// it any more, so that what is cleared stays clear.
/// </summary>
public sealed class SlotTable
{
    private readonly Dictionary<(ulong, ulong), uint> _slots;
    private readonly List<uint> _free;

    private SlotTable(Dictionary<(ulong, ulong), uint> slots, List<uint> free, uint count)
    {
        _slots = slots;
        _free = free;
        Count = count;
    }

    public static SlotTable Empty { get; } = new([], [], 0);

    /// <summary>One more than the highest slot ever given out.</summary>
    public uint Count { get; private set; }

    /// <summary>The slots in use with the identity of their owner, to be kept over a
    /// restart.</summary>
    public IReadOnlyDictionary<(ulong High, ulong Low), uint> Owners => _slots;

    /// <summary>The table as it was when <see cref="Owners"/> was saved.</summary>
    public static SlotTable Restore(IReadOnlyDictionary<(ulong High, ulong Low), uint> owners)
    {
        uint count = owners.Count == 0 ? 0 : owners.Values.Max() + 1;
        bool[] used = new bool[count];
        foreach (uint slot in owners.Values)
        {
            used[slot] = true;
        }

        List<uint> free = [];
        for (uint slot = 0; slot < count; slot++)
        {
            if (!used[slot])
            {
                free.Add(slot);
            }
        }

        return new SlotTable(new Dictionary<(ulong, ulong), uint>(owners), free, count);
    }

    /// <summary>A table for the next set of rules, with the same slots for the same
    /// rules.</summary>
    /// <param name="identities">Of all rules and pins; repeated ones share a slot.</param>
    /// <param name="slots">The slot of each, in the same order.</param>
    /// <param name="fresh">Slots whose owner changed.</param>
    internal SlotTable Next(
        IReadOnlyList<(ulong High, ulong Low)> identities, out uint[] slots, out List<uint> fresh)
    {
        Dictionary<(ulong, ulong), uint> next = new(identities.Count);
        slots = new uint[identities.Count];
        fresh = [];
        List<int> without = [];
        for (int i = 0; i < slots.Length; i++)
        {
            if (_slots.TryGetValue(identities[i], out slots[i]))
            {
                next.TryAdd(identities[i], slots[i]);
            }
            else
            {
                without.Add(i);
            }
        }

        uint count = Count;
        List<uint> free = [.. _free];
        free.Sort((left, right) => right.CompareTo(left));
        List<uint> leaving = [];
        foreach (((ulong, ulong) identity, uint slot) in _slots)
        {
            if (!next.ContainsKey(identity))
            {
                leaving.Add(slot);
            }
        }

        foreach (int i in without)
        {
            if (!next.TryGetValue(identities[i], out slots[i]))
            {
                if (free.Count > 0)
                {
                    slots[i] = free[^1];
                    free.RemoveAt(free.Count - 1);
                }
                else
                {
                    slots[i] = count++;
                }

                fresh.Add(slots[i]);
                next.Add(identities[i], slots[i]);
            }
        }

        return new SlotTable(next, [.. free, .. leaving], count);
    }
}
