using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Storage;

/// <summary>What is known of an object version on one device.</summary>
public enum Liveness
{
    /// <summary>Nothing of it is needed on this device.</summary>
    Dead,

    /// <summary>Its commit entry here is known.</summary>
    Live,

    /// <summary>It is being written, read or healed: leave everything of it where it is.</summary>
    Busy,
}

/// <summary>
/// Answers compaction's questions from the catalog. Called on the loop's thread; must not wait.
/// </summary>
public interface ILogLiveness
{
    /// <summary>Whether the version counts on a device, and where its commit entry is.</summary>
    /// <param name="id">The version.</param>
    /// <param name="deviceIndex">The device.</param>
    /// <param name="commit">Its address where the answer is Live.</param>
    Liveness Find(ObjectId id, int deviceIndex, out LogAddress commit);

    /// <summary>
    /// The commit entry has a durable copy. True: the catalog points there now. False: it changed
    /// meanwhile, and the copy is garbage.
    /// </summary>
    bool Relocated(ObjectId id, int deviceIndex, LogAddress from, LogAddress to);

    /// <summary>
    /// Whether a tombstone, void or touch must be kept: as long as an older segment here, or a
    /// device that is away, may hold what it speaks of.
    /// </summary>
    bool IsNeeded(in LogEntryView entry, int deviceIndex);
}

/// <summary>What compacting one segment did.</summary>
/// <param name="Sequence">The segment.</param>
/// <param name="IsEmptied">False where something in it was busy: try again later.</param>
/// <param name="CopiedBytes">Live bytes that were copied.</param>
/// <param name="FreedBytes">Room that removing the segment gives back.</param>
public readonly record struct CompactionReport(
    uint Sequence, bool IsEmptied, long CopiedBytes, long FreedBytes);
