using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Storage;
using ObjectEntry = Pangea.DataPlane.Catalog.ObjectEntry;

namespace Pangea.DataPlane.Worker.Tests.Healing;

/// <summary>
/// A rig with its healing, and the means to look at shards and to damage them where they lie.
/// </summary>
internal sealed class HealingRig : IDisposable
{
    public static readonly HealSettings Fast = StorageSettings.Default.Heal with
    {
        CheckSeconds = 0,
    };

    private readonly StorageRigOptions _options;

    public HealingRig(
        StorageRigOptions options, HealSettings? settings = null, int queueBound = 1000)
    {
        _options = options;
        Rig = new StorageRig(options);
        Healing = new Worker.Healing(
            Rig.Service, settings ?? Fast,
            new ScrubSettings { EverySeconds = 0, BytesPerSecond = 0 })
        {
            NoteEveryBytes = 64 * 1024,
            Queue = new HealQueue(queueBound),
        };
        Changes = new DeviceChanges(Healing, new DeviceTerms(options.StateId, options.Log));
        Rig.Service.Heal = Healing;
        Rig.OnLoop(() =>
        {
            Healing.Start();
            return ValueTask.FromResult(true);
        });
    }

    public StorageRig Rig { get; }

    public Worker.Healing Healing { get; }

    public DeviceChanges Changes { get; }

    /// <summary>A device for an index, as the supervisor would hand it over.</summary>
    public Result<DeviceChangeResult> Add(int index, string path, bool mayFormat = true) =>
        Rig.OnLoop(() => Changes.AddAsync(
            ParametersOf(index, path, mayFormat), DirectoryFd.Open(path).Value.Fd));

    public Result<DeviceChangeResult> Replace(int index, string path, bool mayFormat = true) =>
        Rig.OnLoop(() => Changes.ReplaceAsync(
            ParametersOf(index, path, mayFormat), DirectoryFd.Open(path).Value.Fd));

    public Result<DeviceChangeResult> Remove(int index, bool force = false) =>
        Rig.OnLoop(() => Changes.RemoveAsync(
            new WorkerDeviceRemoveParameters { Index = index, Force = force }));

    /// <summary>Waits until the queue is empty and no device is being filled.</summary>
    public void WaitForWork() => Rig.OnLoop(async () =>
    {
        do
        {
            await Healing.Check.RunAsync();
            await Healing.Healer.IdleAsync();
            await Healing.Check.RunAsync();
        }
        while (Rig.Service.Devices.All.Any(
            device => Healing.Works.Find(device.Index) is { ObjectsLeft: > 0 }));
        return true;
    });

    /// <summary>Everything that can be healed is healed.</summary>
    public void Heal() => Rig.OnLoop(async () =>
    {
        Healing.StartNow();
        await Healing.Check.RunAsync();
        await Healing.Healer.IdleAsync();
        return true;
    });

    /// <summary>A whole pass, and what it led to.</summary>
    public ScrubState Scrub() => Rig.OnLoop(async () =>
    {
        Healing.Scrubber.Start(0, restart: true);
        while (Healing.Scrubber.State.IsRunning)
        {
            await Rig.Service.Reactor.DelayAsync(TimeSpan.FromMilliseconds(1));
        }

        await Healing.Healer.IdleAsync();
        return Healing.Scrubber.State;
    });

    public ObjectEntry Entry(string name) => Rig.OnLoop(() => ValueTask.FromResult(
        Rig.Service.Catalog.Find(ObjectName.Parse(name).Value)!));

    /// <summary>
    /// Shard headers and payloads of each position, all stripes one after another; null where
    /// something of it cannot be read.
    /// </summary>
    public byte[]?[] Shards(string name)
    {
        ObjectEntry entry = Entry(name);
        return Rig.OnLoop(async () =>
        {
            var shards = new byte[]?[entry.Locations.Length];
            for (int position = 0; position < shards.Length; position++)
            {
                shards[position] = await ShardsAsync(entry, position);
            }

            return shards;
        });
    }

    /// <summary>Positions whose shards are where the catalog says, whole or not.</summary>
    public int PositionsHere(string name) => Shards(name).Count(shards => shards is not null);

    /// <summary>The places of a position's frames, or of its entry if it is packed.</summary>
    public IReadOnlyList<LogAddress> Frames(string name, int position)
    {
        ObjectEntry entry = Entry(name);
        return Rig.OnLoop(async () =>
        {
            PositionSource source = Rig.Service.Ordinals.SourceOf(entry, position);
            BufferLease lease = Rig.Service.RentEntrySlab();
            CommitRecord record = (await source.Device!.Log!.ReadCommitAsync(
                source.Commit, lease, Rig.Service.Pool)).Value;
            Rig.Service.Pool.Return(lease);
            Manifest manifest = ManifestCodec.DecodeUnauthenticated(record.Manifest).Value;
            var frames = new List<LogAddress>();
            foreach (Extent extent in record.Entry.Extents.ToArray())
            {
                uint offset = extent.Offset;
                for (uint i = 0; i < extent.Stripes; i++)
                {
                    uint bytes = (uint)StripeImage.FrameBytes(
                        manifest.Stripe((int)(extent.FirstStripe + i)).ShardBytes);
                    frames.Add(new LogAddress(extent.Segment, offset, bytes));
                    offset += bytes;
                }
            }

            return (IReadOnlyList<LogAddress>)(frames.Count > 0 ? frames : [source.Commit]);
        });
    }

    /// <summary>Flips one byte of a position: in a header, or in a payload's last block.</summary>
    public void Damage(string name, int position, Random random)
    {
        IReadOnlyList<LogAddress> frames = Frames(name, position);
        LogAddress frame = frames[random.Next(frames.Count)];

        // Between shard header and payload, and between manifest and packed shard, are zeros that
        // nothing depends on.
        long at = random.Next(2) == 0
            ? frame.Offset + random.Next(96)
            : frame.Offset + frame.Bytes - 1 - random.Next(64);
        Change(SegmentPath(name, position, frame.Segment), bytes =>
            bytes[(int)at] ^= (byte)random.Next(1, 256));
    }

    public string SegmentPath(string name, int position, uint segment)
    {
        ObjectEntry entry = Entry(name);
        int device = Rig.OnLoop(() => ValueTask.FromResult(
            Rig.Service.Ordinals.SourceOf(entry, position).Device!.Index));
        return _options.SegmentsOf(device).Single(path => Path.GetFileName(path)
            .StartsWith(segment.ToString("x8", null), StringComparison.Ordinal));
    }

    public static void Change(string path, Action<byte[]> change)
    {
        byte[] bytes = File.ReadAllBytes(path);
        change(bytes);
        using FileStream file = File.OpenWrite(path);
        file.Write(bytes);
        file.Flush(flushToDisk: true);
    }

    public void Dispose() => Rig.Dispose();

    private static WorkerDeviceParameters ParametersOf(int index, string path, bool mayFormat) =>
        new() { Index = index, Path = path, Descriptor = 0, MayFormat = mayFormat };

    private async ValueTask<byte[]?> ShardsAsync(ObjectEntry entry, int position)
    {
        PositionSource source = Rig.Service.Ordinals.SourceOf(entry, position);
        if (!source.IsHere || !DeviceLosses.IsHere(source.Device))
        {
            return null;
        }

        BufferLease lease = Rig.Service.RentEntrySlab();
        Result<CommitRecord> record = await source.Device!.Log!.ReadCommitAsync(
            source.Commit, lease, Rig.Service.Pool);
        if (!record.IsOk || record.Value.Entry.Position != position)
        {
            Rig.Service.Pool.Return(lease);
            return null;
        }

        var all = new MemoryStream();
        all.Write(record.Value.InlineShard);
        Manifest manifest = ManifestCodec.DecodeUnauthenticated(record.Value.Manifest).Value;
        bool isWhole = true;
        foreach (Extent extent in record.Value.Entry.Extents.ToArray())
        {
            uint offset = extent.Offset;
            for (uint i = 0; i < extent.Stripes && isWhole; i++)
            {
                int bytes = manifest.Stripe((int)(extent.FirstStripe + i)).ShardBytes;
                isWhole = (await source.Device.Log.ReadShardAsync(
                    new LogAddress(extent.Segment, offset, (uint)StripeImage.FrameBytes(bytes)),
                    lease.Slice(0, LogFormat.BlockBytes),
                    lease.Slice(LogFormat.BlockBytes, bytes))).IsOk;
                all.Write(Rig.Service.Pool.Span(lease.Slice(
                    StripeImage.ShardHeaderStart, StripeImage.HeaderStride + bytes)));
                offset += (uint)StripeImage.FrameBytes(bytes);
            }
        }

        Rig.Service.Pool.Return(lease);
        return isWhole ? all.ToArray() : null;
    }
}
