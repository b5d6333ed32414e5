using System.Diagnostics.CodeAnalysis;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Objects to heal, the closest to loss first, each once. Bounded: when it is full the least urgent
/// one is left out, and <see cref="HasDropped"/> says that another look at all objects is due.
/// </summary>
internal sealed class HealQueue
{
    /// <summary>About 1 MiB; a look at all objects fills it again.</summary>
    public const int ItemsMax = 8192;

    private readonly Dictionary<ObjectId, HealItem> _byId = [];
    private readonly SortedSet<HealItem> _order = [];
    private readonly int _itemsMax;

    public HealQueue(int itemsMax = ItemsMax)
    {
        Invariant.Check(itemsMax > 0);
        _itemsMax = itemsMax;
    }

    /// <summary>Items that it holds at most.</summary>
    public int Bound => _itemsMax;

    public int Count => _byId.Count;

    /// <summary>True where an item was left out since this was last set to false.</summary>
    public bool HasDropped { get; set; }

    /// <summary>
    /// Adds an object or, where it waits already, what is newly known of it: its bad positions add
    /// up, the spare shards are those of the latest look, and it keeps its age.
    /// </summary>
    public void Add(HealItem item)
    {
        if (_byId.TryGetValue(item.Id, out HealItem known))
        {
            _order.Remove(known);
            item = item with
            {
                SinceMs = Math.Min(known.SinceMs, item.SinceMs),
                BadPositions = known.BadPositions | item.BadPositions,
            };
        }

        _byId[item.Id] = item;
        _order.Add(item);
        if (_byId.Count > _itemsMax)
        {
            HealItem last = _order.Max;
            Remove(last.Id);
            HasDropped = true;
        }
    }

    public bool TryFind(ObjectId id, out HealItem item) => _byId.TryGetValue(id, out item);

    /// <summary>Takes the most urgent object.</summary>
    public bool TryTake([MaybeNullWhen(false)] out HealItem item)
    {
        item = default;
        if (_byId.Count == 0)
        {
            return false;
        }

        item = _order.Min;
        Remove(item.Id);
        return true;
    }

    public bool Remove(ObjectId id) => _byId.Remove(id, out HealItem item) && _order.Remove(item);

    /// <summary>How many wait that have at most so many spare shards.</summary>
    public int CountUpTo(int spare)
    {
        int count = 0;
        foreach (HealItem item in _order)
        {
            if (item.Spare > spare)
            {
                break;
            }

            count++;
        }

        return count;
    }

    public void Clear()
    {
        _byId.Clear();
        _order.Clear();
        HasDropped = false;
    }
}
