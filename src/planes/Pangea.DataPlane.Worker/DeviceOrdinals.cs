using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// The two names of a device: the catalog's ordinal, which stays for ever, and its index in the
/// device set, which is where it is plugged in now. Loop thread only.
/// </summary>
internal sealed class DeviceOrdinals(ObjectCatalog catalog, DeviceSet devices)
{
    private readonly byte[] _ordinalOf = new byte[Limits.DevicesMax];
    private readonly DeviceId[] _idOf = new DeviceId[Limits.DevicesMax];
    private readonly StorageDevice?[] _deviceOf = new StorageDevice?[byte.MaxValue + 1];

    /// <summary>The catalog's ordinal of a device that has an identity.</summary>
    public byte Of(StorageDevice device)
    {
        Invariant.Check(device.Id != default, "a device without identity holds nothing");
        int index = device.Index;
        if (_idOf[index] != device.Id)
        {
            _ordinalOf[index] = catalog.OrdinalOf(device.Id.Value.Value);
            _idOf[index] = device.Id;
        }

        return _ordinalOf[index];
    }

    /// <summary>The device of an ordinal; null where it is not here.</summary>
    public StorageDevice? Find(byte ordinal)
    {
        StorageDevice? known = _deviceOf[ordinal];
        if (known is null || known.Id == default || Of(known) != ordinal
            || devices.Find(known.Id) != known)
        {
            known = devices.Find(new DeviceId(new ObjectId(catalog.DeviceOf(ordinal))));
            _deviceOf[ordinal] = known;
        }

        return known;
    }

    /// <summary>Where the commit entry of each position is.</summary>
    public PositionSource[] SourcesOf(ObjectEntry entry)
    {
        var sources = new PositionSource[entry.Locations.Length];
        for (int position = 0; position < sources.Length; position++)
        {
            sources[position] = SourceOf(entry, position);
        }

        return sources;
    }

    public PositionSource SourceOf(ObjectEntry entry, int position)
    {
        ShardLocation location = entry.Locations[position];
        return location.IsNone
            ? default
            : new PositionSource(
                Find(location.Device),
                new LogAddress(location.Segment, location.Offset, location.Bytes));
    }

    /// <summary>Where a finished commit put its entries.</summary>
    public ImmutableArray<ShardLocation> LocationsOf(ObjectCommit commit)
    {
        var locations = new ShardLocation[commit.Positions];
        for (int position = 0; position < locations.Length; position++)
        {
            LogAddress entry = commit.EntryOf(position);
            locations[position] =
                entry.IsNone ? default : LocationOf(commit.DeviceOf(position), entry);
        }

        return ImmutableCollectionsMarshal.AsImmutableArray(locations);
    }

    public ShardLocation LocationOf(StorageDevice device, LogAddress address) =>
        new(Of(device), address.Segment, address.Offset, address.Bytes);
}
