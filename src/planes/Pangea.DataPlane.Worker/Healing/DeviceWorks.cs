using System.Collections.Immutable;
using System.Numerics;
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// The devices that are being filled or emptied. The work itself is healing; here it is known what
/// belongs to it and how far it is. Loop thread only.
/// </summary>
internal sealed class DeviceWorks(Healing healing)
{
    private const string Table = "device-work";
    private const int StallsMax = 3;

    private readonly List<DeviceWork> _works = [];
    private bool _isChanged;
    private bool _hasHealed;

    private ObjectCatalog Catalog => healing.Service.Catalog;

    public DeviceWork? Find(int index) => _works.Find(work => work.Index == index);

    /// <summary>Reads the notes; once, after the catalog was opened or emptied.</summary>
    public void Load()
    {
        _works.Clear();
        foreach (CatalogNote note in Catalog.ListNotes(Table, [], Limits.DevicesMax))
        {
            if (note.Key.Length == 1 && DeviceWork.Decode(note.Key[0], note.Value) is { } work)
            {
                _works.Add(work);
                Resume(work);
            }
        }
    }

    /// <summary>A new device is in the place of others, whose shards it gets.</summary>
    public void BeginFill(StorageDevice device, ImmutableArray<DeviceId> before)
    {
        End(device.Index);
        var work = new DeviceWork
        {
            Index = device.Index,
            Kind = DeviceWorkKind.Fill,
            Device = device.Id,
            Before = before,
        };
        _works.Add(work);
        Resume(work);
        Save(work);
    }

    /// <summary>
    /// Moves everything that a device holds to others. Ok: it holds nothing any more; the caller
    /// takes it out. A fault: the rest cannot be moved, and it takes new shards again.
    /// </summary>
    public async ValueTask<Result> DrainAsync(StorageDevice device)
    {
        DeviceWork work = Find(device.Index) is { Kind: DeviceWorkKind.Drain } known
            ? known
            : BeginDrain(device);
        device.IsDraining = true;
        int stalls = 0;
        long left = long.MaxValue;
        while (true)
        {
            await healing.Check.RunAsync();
            if (healing.IsEnding || Find(device.Index) != work)
            {
                return new Fault(FaultCode.Canceled, "emptying the device was interrupted");
            }

            if (work.IsCounted && work.ObjectsLeft == 0)
            {
                return Result.Ok;
            }

            stalls = work.ObjectsLeft < left ? 0 : stalls + 1;
            left = work.ObjectsLeft;
            if (stalls == StallsMax)
            {
                End(device.Index);
                device.IsDraining = false;
                return new Fault(
                    FaultCode.Unavailable,
                    $"{left} objects cannot be moved from device {device.Index}: "
                        + (work.Obstacle?.Message ?? "pangea heal status says why"),
                    "add a device or bring the missing ones back, then try again");
            }

            await healing.Healer.IdleAsync();
        }
    }

    /// <summary>Nothing more is to be done for the device at the index.</summary>
    public void End(int index)
    {
        if (_works.RemoveAll(work => work.Index == index) > 0)
        {
            Catalog.DeleteNote(Table, [(byte)index]);
        }
    }

    /// <summary>The index of the device that takes over what was there, or none.</summary>
    public int HeirOf(ShardLocation location)
    {
        if (location.IsNone || _works.Count == 0)
        {
            return HealPlacement.None;
        }

        UInt128 device = Catalog.DeviceOf(location.Device);
        DeviceWork? heir = _works.Find(
            work => work.Kind == DeviceWorkKind.Fill
                && work.Before.Any(before => before.Value.Value == device));
        return heir is not null && healing.Service.Devices.Find(heir.Device) is { } here
            ? here.Index
            : HealPlacement.None;
    }

    /// <summary>A look at all objects begins.</summary>
    public void BeginLook()
    {
        _hasHealed = false;
        foreach (DeviceWork work in _works)
        {
            work.ObjectsSeen = 0;
            work.Obstacle = null;
        }
    }

    /// <summary>An object that is not whole, or has a shard to be moved.</summary>
    public void OnSeen(HealPlan plan)
    {
        foreach (DeviceWork work in _works)
        {
            if ((PositionsOf(work, plan) & plan.Wanted) != 0)
            {
                work.ObjectsSeen++;
                work.Obstacle ??= (PositionsOf(work, plan) & ~plan.Placed) != 0
                    ? plan.NoPlace()
                    : null;
            }
        }
    }

    /// <summary>The look was whole: what it has counted is what is left.</summary>
    public void EndLook()
    {
        foreach (DeviceWork work in _works.ToArray())
        {
            work.ObjectsLeft = work.ObjectsSeen;
            work.IsCounted = true;
            if (work.Kind == DeviceWorkKind.Fill && work.ObjectsLeft == 0)
            {
                End(work.Index);
            }
        }
    }

    /// <summary>An object was healed, in whole or in part.</summary>
    public void OnHealed(HealPlan plan, HealOutcome outcome)
    {
        foreach (DeviceWork work in _works)
        {
            if (outcome.Shards > 0 && (PositionsOf(work, plan) & plan.Placed) != 0)
            {
                work.ObjectsDone++;
                work.ObjectsLeft = Math.Max(0, work.ObjectsLeft - 1);
                work.BytesDone += outcome.Bytes / outcome.Shards;
                _isChanged = true;
                _hasHealed = true;
            }
        }
    }

    /// <summary>Notes how far the works are, and looks again where one should be done.</summary>
    public void Tick()
    {
        if (_isChanged)
        {
            _isChanged = false;
            _works.ForEach(Save);
        }

        // What a look counted may have been healed while it looked: whatever is left, look again.
        bool mayBeDone = _hasHealed && _works.Exists(work => work.Kind == DeviceWorkKind.Fill);
        if (mayBeDone && healing.Queue.Count == 0 && !healing.Healer.IsRunning)
        {
            healing.Check.Begin();
        }
    }

    private DeviceWork BeginDrain(StorageDevice device)
    {
        End(device.Index);
        var work = new DeviceWork
        {
            Index = device.Index,
            Kind = DeviceWorkKind.Drain,
            Device = device.Id,
        };
        _works.Add(work);
        Save(work);
        return work;
    }

    private void Resume(DeviceWork work)
    {
        if (work.Kind == DeviceWorkKind.Fill)
        {
            foreach (DeviceId before in work.Before)
            {
                healing.Losses.GiveUp(Catalog.OrdinalOf(before.Value.Value));
            }
        }
        else if (healing.Service.Devices.Find(work.Device) is { } device
            && device.Index == work.Index)
        {
            device.IsDraining = true;
        }
    }

    /// <summary>Positions of an object that the work is about.</summary>
    private ulong PositionsOf(DeviceWork work, HealPlan plan)
    {
        ulong positions = 0;
        for (int position = 0; position < plan.Positions; position++)
        {
            ShardLocation location = plan.Entry.Locations[position];
            if (!location.IsNone && IsFrom(work, Catalog.DeviceOf(location.Device)))
            {
                positions |= 1UL << position;
            }
        }

        return positions;
    }

    private static bool IsFrom(DeviceWork work, UInt128 device) =>
        work.Kind == DeviceWorkKind.Fill
            ? work.Before.Any(before => before.Value.Value == device)
            : work.Device.Value.Value == device;

    private void Save(DeviceWork work) =>
        Catalog.SetNote(Table, [(byte)work.Index], work.Encode());
}
