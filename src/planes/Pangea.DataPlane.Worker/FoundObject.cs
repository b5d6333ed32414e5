using System.Collections.Immutable;
using System.Numerics;
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;
using ObjectEntry = Pangea.DataPlane.Catalog.ObjectEntry;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// A version whose commit entries are being gathered from the logs, before it is decided what
/// becomes of it.
/// </summary>
internal sealed class FoundObject
{
    private readonly ShardLocation[] _locations;
    private long _storedBytes;
    private ulong _wholePositions;

    /// <param name="manifest">Authenticated.</param>
    /// <param name="expectedPositions">Bit i: the device of position i is here, so its log should
    /// say that it has it.</param>
    public FoundObject(Manifest manifest, ulong expectedPositions)
    {
        Manifest = manifest;
        ExpectedPositions = expectedPositions;
        _locations = new ShardLocation[manifest.Geometry.Redundancy.TotalShards];
    }

    public Manifest Manifest { get; }

    public ulong ExpectedPositions { get; }

    public ulong FoundPositions { get; private set; }

    public long ExpiresMs { get; private set; }

    public long TtlMs { get; private set; }

    public long CreatedMs => Manifest.Created.ToUnixTimeMilliseconds();

    /// <summary>Everything that can be found was found.</summary>
    public bool IsComplete => (ExpectedPositions & ~_wholePositions) == 0;

    /// <summary>
    /// Positions that were found, and those whose device is not here and may know of one more.
    /// </summary>
    public int PositionsPossible
    {
        get
        {
            ulong all = ulong.MaxValue >> (64 - _locations.Length);
            return BitOperations.PopCount(FoundPositions | (all & ~ExpectedPositions));
        }
    }

    /// <summary>Adds what one device's log says.</summary>
    /// <param name="commit">The entry.</param>
    /// <param name="location">Where it is.</param>
    /// <param name="frameBytes">Of the frames that it names.</param>
    /// <param name="hasFrames">False where some of them are gone: the position was moved, within
    /// its device or to another, and any other entry for it is better.</param>
    public void Add(
        in LogEntryView commit, ShardLocation location, long frameBytes, bool hasFrames)
    {
        int position = commit.Position;
        ExpiresMs = Math.Max(ExpiresMs, commit.ExpiresMs);
        TtlMs = commit.TtlMs;
        if (!hasFrames && (FoundPositions & (1UL << position)) != 0)
        {
            return;
        }

        if ((FoundPositions & (1UL << position)) == 0)
        {
            _storedBytes += commit.Address.Bytes + frameBytes;
        }

        _locations[position] = location;
        FoundPositions |= 1UL << position;
        _wholePositions |= hasFrames ? 1UL << position : 0;
    }

    /// <summary>Adds what was known before; what the logs say now comes over it.</summary>
    public void AddKnown(ObjectEntry known)
    {
        for (int position = 0; position < _locations.Length; position++)
        {
            if (!known.Locations[position].IsNone)
            {
                _locations[position] = known.Locations[position];
                FoundPositions |= 1UL << position;
                _wholePositions |= 1UL << position;
            }
        }

        _storedBytes = known.StoredBytes;
        ExpiresMs = known.ExpiresMs;
        TtlMs = known.TtlMs;
    }

    public ObjectEntry ToEntry() => new(
        Manifest.Name, Manifest.ObjectId, CreatedMs, Manifest.Bytes, _storedBytes,
        (byte)Manifest.Geometry.Redundancy.DataShards,
        (byte)Manifest.Geometry.Redundancy.ParityShards,
        ExpiresMs, TtlMs, default, ImmutableArray.Create(_locations));
}
