using System.Collections.Immutable;
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;
using ObjectEntry = Pangea.DataPlane.Catalog.ObjectEntry;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Decides which of a name's versions is visible after a start, see <see cref="ObjectRecovery"/>.
/// </summary>
internal sealed class VersionChoice(
    StorageService service, Action<string> remark, bool counts)
{
    private readonly List<ObjectEntry> _void = [];

    /// <summary>True where something was decided that another start might decide otherwise.
    /// </summary>
    public bool HasDecided { get; private set; }

    private ObjectCatalog Catalog => service.Catalog;

    private PassedOver PassedOver => service.Versions.PassedOver;

    /// <summary>The entry with a position where a log says that it is now.</summary>
    public static ObjectEntry WithLocation(
        StorageService service, ObjectEntry entry, int position, ShardLocation location)
    {
        ShardLocation known = entry.Locations[position];
        if (known == location)
        {
            return entry;
        }

        if (!known.IsNone && known.Device != location.Device
            && service.Ordinals.Find(known.Device)?.Log is not null)
        {
            return entry; // Two devices have it; both are right, and one is enough.
        }

        return entry with { Locations = entry.Locations.SetItem(position, location) };
    }

    /// <param name="entry">All that is known of a version that is not visible.</param>
    /// <param name="mayHaveMore">True where a device that is not here, or cannot be read, may know
    /// of more shards.</param>
    public void Decide(ObjectEntry entry, bool mayHaveMore)
    {
        if (Catalog.RemovedMs(entry.Name.Text) >= entry.CreatedMs)
        {
            Discard(entry);
            return;
        }

        ObjectEntry? visible = Catalog.Find(entry.Name);
        if (visible?.Id == entry.Id)
        {
            PassedOver.Remove(entry.Name, entry.Id);
        }
        else if (visible is not null && visible.CreatedMs > entry.CreatedMs)
        {
            DecideOlder(entry, visible);
        }
        else if (IsRestorable(entry) || (visible is null && mayHaveMore))
        {
            Show(entry, visible);
        }
        else if (mayHaveMore)
        {
            PassOver(entry);
        }
        else
        {
            // All its devices are here and say that it was never acknowledged.
            _void.Add(entry);
            remark($"object \"{entry.Name}\": {entry.Id} was never finished");
            Discard(entry);
        }
    }

    /// <summary>
    /// Best effort: says on the devices what was decided, so that a later start with fewer devices
    /// does not wonder again.
    /// </summary>
    public async ValueTask WriteVoidsAsync()
    {
        foreach (ObjectEntry entry in _void)
        {
            foreach (ShardLocation location in entry.Locations)
            {
                if (!location.IsNone && service.Ordinals.Find(location.Device)?.Log is { } log)
                {
                    _ = await log.AppendVoidAsync(entry.Id);
                }
            }
        }

        _void.Clear();
    }

    /// <summary>An older version than the visible one.</summary>
    private void DecideOlder(ObjectEntry entry, ObjectEntry visible)
    {
        if (IsWhole(visible))
        {
            Discard(entry);
        }
        else if (IsRestorable(entry) && !IsRestorable(visible) && !LacksDevices(visible))
        {
            // The newer one was shown for want of better and turned out to be unfinished.
            Show(entry, visible);
        }
        else
        {
            PassOver(entry);
        }
    }

    private void Show(ObjectEntry entry, ObjectEntry? visible)
    {
        PassedOver.Remove(entry.Name, entry.Id);
        Catalog.Set(entry);
        HasDecided |= !IsWhole(entry);
        ulong missing = MissingPositions(entry);
        if (missing != 0)
        {
            service.Heal.Report(entry.Id, missing);
        }

        if (visible is null)
        {
            return;
        }

        if (IsWhole(entry) && visible.CreatedMs < entry.CreatedMs)
        {
            Discard(visible);
        }
        else
        {
            PassOver(visible);
        }
    }

    private void PassOver(ObjectEntry entry)
    {
        if (PassedOver.Find(entry.Id) is not { } known || known != entry)
        {
            PassedOver.Set(entry);
            remark($"object \"{entry.Name}\": {entry.Id} was passed over");
        }
    }

    private void Discard(ObjectEntry entry)
    {
        PassedOver.Remove(entry.Name, entry.Id);
        if (counts)
        {
            service.Garbage.Add(entry);
        }
    }

    private int Available(ObjectEntry entry)
    {
        int available = 0;
        for (int position = 0; position < entry.Locations.Length; position++)
        {
            available += service.Ordinals.SourceOf(entry, position).IsHere ? 1 : 0;
        }

        return available;
    }

    private bool IsRestorable(ObjectEntry entry) => Available(entry) >= entry.DataShards;

    private bool IsWhole(ObjectEntry entry) => Available(entry) > entry.DataShards;

    /// <summary>True where a device that has a shard of the entry is not here.</summary>
    private bool LacksDevices(ObjectEntry entry)
    {
        foreach (ShardLocation location in entry.Locations)
        {
            if (!location.IsNone && service.Ordinals.Find(location.Device)?.Log is null)
            {
                return true;
            }
        }

        return service.Devices.All.Any(device => device.Log is null);
    }

    private static ulong MissingPositions(ObjectEntry entry)
    {
        ulong missing = 0;
        for (int position = 0; position < entry.Locations.Length; position++)
        {
            missing |= entry.Locations[position].IsNone ? 1UL << position : 0;
        }

        return missing;
    }
}
