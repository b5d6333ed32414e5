using System.Numerics;
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// What is left of an object, what of it is to be written anew, and where to. Made from the catalog
/// and the devices alone, so that looking at an object costs no reading; what reading finds out is
/// noted here and decided anew. Loop thread only.
/// </summary>
internal sealed class HealPlan
{
    private readonly StorageService _service;
    private readonly int[] _holders;
    private readonly int[] _preferred;
    private readonly int[] _targets;
    private readonly StorageDevice?[] _targetDevices;

    private HealPlan(StorageService service, ObjectEntry entry)
    {
        _service = service;
        Entry = entry;
        _holders = new int[entry.Locations.Length];
        _preferred = new int[entry.Locations.Length];
        _targets = new int[entry.Locations.Length];
        _targetDevices = new StorageDevice?[entry.Locations.Length];
    }

    public ObjectEntry Entry { get; }

    public int DataShards => Entry.DataShards;

    public int Positions => Entry.Locations.Length;

    /// <summary>Bit i: position i has a commit entry on a device that is here.</summary>
    public ulong Here { get; private set; }

    /// <summary>Of these, the ones that were seen damaged.</summary>
    public ulong Bad { get; private set; }

    /// <summary>Of these, the ones whose device is being emptied.</summary>
    public ulong Moving { get; private set; }

    /// <summary>Positions that are here and not known to be damaged.</summary>
    public ulong Good => Here & ~Bad;

    /// <summary>Positions to be written anew.</summary>
    public ulong Wanted { get; private set; }

    /// <summary>Of these, the ones that have a device to go to.</summary>
    public ulong Placed { get; private set; }

    /// <summary>Every position of the object.</summary>
    public ulong All => ulong.MaxValue >> (Limits.DevicesMax - Positions);

    /// <summary>Good shards beyond the k that a get needs.</summary>
    public int Spare => BitOperations.PopCount(Good) - DataShards;

    /// <summary>Looks at an object.</summary>
    /// <param name="healing">Whose devices, settings and knowledge of losses.</param>
    /// <param name="entry">As the catalog has it.</param>
    /// <param name="bad">Positions seen damaged.</param>
    public static HealPlan Make(Healing healing, ObjectEntry entry, ulong bad)
    {
        var plan = new HealPlan(healing.Service, entry);
        plan.Look(healing, bad);
        return plan;
    }

    /// <summary>Reading found more damage.</summary>
    public void AddBad(Healing healing, ulong positions) => Look(healing, Bad | positions);

    /// <summary>
    /// Where the position is to be written; only for placed ones. May have been taken out since:
    /// then its log is closed or gone.
    /// </summary>
    public StorageDevice TargetOf(int position)
    {
        StorageDevice? target = _targetDevices[position];
        Invariant.Check(target is not null, "the position has a target");
        return target;
    }

    /// <summary>The position stays on the device that has it.</summary>
    public bool StaysAt(int position) => _targets[position] == _holders[position];

    public PositionSource SourceOf(int position) =>
        _service.Ordinals.SourceOf(Entry, position);

    /// <summary>Why not all that is wanted is placed.</summary>
    public Fault NoPlace()
    {
        int homeless = BitOperations.PopCount(Wanted & ~Placed);
        return new Fault(
            FaultCode.Unavailable,
            $"{homeless} of {Positions} shards are lost and no healthy device is without a shard "
                + "of the object",
            "replace the missing device or add another one");
    }

    /// <summary>Why it cannot be healed now.</summary>
    public Fault TooFew() => new(
        FaultCode.Unavailable,
        $"needs {DataShards} of {Positions} shards, has {BitOperations.PopCount(Here)}",
        "bring back the devices that are missing");

    private void Look(Healing healing, ulong bad)
    {
        Here = 0;
        Moving = 0;
        ulong lost = 0;
        for (int position = 0; position < Positions; position++)
        {
            ulong bit = 1UL << position;
            PositionSource source = SourceOf(position);
            bool isHere = source.IsHere && DeviceLosses.IsHere(source.Device);
            _holders[position] = isHere ? source.Device!.Index : HealPlacement.None;
            _preferred[position] = healing.Works.HeirOf(Entry.Locations[position]);
            if (!isHere)
            {
                lost |= bit;
                continue;
            }

            Here |= bit;
            Moving |= source.Device!.IsDraining ? bit : 0;
        }

        Bad = bad & Here;
        bool isCritical = Spare <= healing.Settings.CriticalShards;
        for (int position = 0; position < Positions; position++)
        {
            ulong bit = 1UL << position;
            if ((lost & bit) != 0 && !isCritical
                && !healing.Losses.IsLost(Entry.Locations[position]))
            {
                lost &= ~bit; // Perhaps it only restarts: give it time.
            }
        }

        Wanted = lost | Bad | Moving;
        if (healing.Settings.TargetShards is { } target && Spare >= target && Bad == 0)
        {
            Wanted = Moving;
        }

        Place();
    }

    private void Place()
    {
        Span<ulong> scores = stackalloc ulong[Limits.DevicesMax];
        scores.Clear();
        foreach (StorageDevice device in _service.Devices.All)
        {
            if (device.TakesWrites && device.Log is not null)
            {
                scores[device.Index] = Score(Entry.Id, device.Id) | 1;
            }
        }

        Placed = HealPlacement.Choose(_holders, Wanted, _preferred, scores, _targets);
        for (int position = 0; position < Positions; position++)
        {
            _targetDevices[position] = _targets[position] == HealPlacement.None
                ? null
                : _service.Devices.Find(_targets[position]);
        }
    }

    // splitmix64's finaliser over both identities, which are random bytes already.
    private static ulong Score(ObjectId id, DeviceId device)
    {
        UInt128 mixed = id.Value ^ device.Value.Value;
        ulong x = (ulong)mixed + (0x9E3779B97F4A7C15UL * (ulong)(mixed >> 64));
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9UL;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EBUL;
        return x ^ (x >> 31);
    }
}
