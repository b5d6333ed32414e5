using Pangea.DataPlane.Core;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Storage;

/// <summary>An entry in a batch and whoever waits for it.</summary>
/// <param name="Waiter">Gets the address once the batch is durable.</param>
/// <param name="Offset">From the frame's beginning.</param>
/// <param name="Bytes">Length.</param>
/// <param name="NeedsShards">A commit that points to shard frames.</param>
/// <param name="Fault">Why it was taken out again; null for one that counts.</param>
internal readonly record struct PendingEntry(
    LoopWaiter<Result<LogAddress>> Waiter,
    int Offset,
    int Bytes,
    bool NeedsShards,
    Fault? Fault = null);

/// <summary>
/// One batch of a group commit: entries packed behind a frame header in a slab, and who waits for
/// them.
/// </summary>
/// <param name="lease">The slab, for the log's life.</param>
internal sealed class JournalBatch(BufferLease lease)
{
    private readonly List<PendingEntry> _entries = new(64);

    internal BufferLease Lease { get; } = lease;

    /// <summary>Bytes taken, the frame header included.</summary>
    internal int UsedBytes { get; private set; } = LogFormat.FrameHeaderBytes;

    internal int Count => _entries.Count;

    internal List<PendingEntry> Entries => _entries;

    /// <summary>Some entry points to shard frames, which must be durable before it is.</summary>
    internal bool NeedsShards { get; private set; }

    /// <summary>Some entry may use the room that is kept back for a full device.</summary>
    internal bool IsEssential { get; private set; }

    internal int FrameBytes => (int)LogFormat.RoundUpToBlock(UsedBytes);

    internal bool HasRoomFor(int bytes) => Lease.Bytes - UsedBytes >= bytes;

    /// <summary>Takes room; returns where it begins.</summary>
    internal int Add(
        LoopWaiter<Result<LogAddress>> waiter, int bytes, bool needsShards, bool essential)
    {
        int offset = UsedBytes;
        UsedBytes += bytes;
        NeedsShards |= needsShards;
        IsEssential |= essential;
        _entries.Add(new PendingEntry(waiter, offset, bytes, needsShards));
        return offset;
    }

    internal void Refuse(int index, Fault fault) =>
        _entries[index] = _entries[index] with { Fault = fault };

    internal void Clear()
    {
        _entries.Clear();
        UsedBytes = LogFormat.FrameHeaderBytes;
        NeedsShards = false;
        IsEssential = false;
    }
}
