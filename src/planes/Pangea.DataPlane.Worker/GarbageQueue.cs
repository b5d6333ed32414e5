using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Tells the logs what is garbage. A small object lies in its commit entries, so that is known at
/// once; of a large one the entries must be read to know where its frames are. Which frames are
/// live is always asked of the catalog before anything is thrown away: what is counted here only
/// decides which segments are worth looking at. Loop thread only.
/// </summary>
internal sealed class GarbageQueue(StorageService service)
{
    private readonly Queue<ObjectEntry> _large = new();
    private readonly Dictionary<ObjectId, int> _readers = [];
    private bool _running;

    /// <summary>True while frames of large objects are not all counted.</summary>
    public bool IsRunning => _running;

    /// <summary>
    /// A get of this version is under way: its frames stay where they are until it has ended, even
    /// where it is replaced meanwhile.
    /// </summary>
    public void BeginRead(ObjectId id) => _readers[id] = _readers.GetValueOrDefault(id) + 1;

    public void EndRead(ObjectId id)
    {
        int left = _readers[id] - 1;
        if (left == 0)
        {
            _readers.Remove(id);
        }
        else
        {
            _readers[id] = left;
        }
    }

    public bool IsBeingRead(ObjectId id) => _readers.ContainsKey(id);

    /// <summary>The version is no longer visible.</summary>
    public void Add(ObjectEntry entry)
    {
        if (IsSmall(entry))
        {
            for (int position = 0; position < entry.Locations.Length; position++)
            {
                PositionSource source = service.Ordinals.SourceOf(entry, position);
                if (source.IsHere)
                {
                    source.Device!.Log!.Release(source.Commit);
                }
            }

            return;
        }

        _large.Enqueue(entry);
        if (!_running)
        {
            _running = true;
            Run();
        }
    }

    /// <summary>Whether the shards are packed into the commit entries.</summary>
    public static bool IsSmall(ObjectEntry entry) =>
        entry.Bytes <= ObjectClass.SmallBytesMax(entry.DataShards);

    private async void Run()
    {
        while (_large.TryDequeue(out ObjectEntry? entry))
        {
            bool entered = await service.EntryReaders.EnterAsync();
            Invariant.Check(entered);
            BufferLease lease = service.RentEntrySlab();
            for (int position = 0; position < entry.Locations.Length; position++)
            {
                await ReleaseAsync(service.Ordinals.SourceOf(entry, position), lease);
            }

            service.Pool.Return(lease);
            service.EntryReaders.Leave();
        }

        _running = false;
    }

    private async ValueTask ReleaseAsync(PositionSource source, BufferLease lease)
    {
        if (!source.IsHere)
        {
            return;
        }

        DeviceLog log = source.Device!.Log!;
        Result<Manifest> manifest = default;
        Result<CommitEntry> entry = await log.ReadCommitAsync(
            source.Commit, lease, service.Pool,
            (in CommitEntry _, ReadOnlySpan<byte> encoded, ReadOnlySpan<byte> _) =>
                manifest = ManifestCodec.DecodeUnauthenticated(encoded));
        if (!entry.IsOk || !manifest.IsOk)
        {
            return; // Counted when compaction meets it.
        }

        using StripeTable stripes = manifest.Value.Stripes;
        foreach (Extent extent in entry.Value.Extents.Span)
        {
            log.Release(new LogAddress(
                extent.Segment, extent.Offset, FrameBytesOf(manifest.Value, extent)));
        }

        log.Release(source.Commit);
    }

    /// <summary>Bytes of the frames in an extent.</summary>
    public static uint FrameBytesOf(Manifest manifest, Extent extent)
    {
        long bytes = 0;
        long end = Math.Min(extent.FirstStripe + (long)extent.Stripes, manifest.Stripes.Count);
        for (long stripe = extent.FirstStripe; stripe < end; stripe++)
        {
            bytes += StripeImage.FrameBytes(manifest.Stripe((int)stripe).ShardBytes);
        }

        return (uint)Math.Min(bytes, uint.MaxValue);
    }
}
