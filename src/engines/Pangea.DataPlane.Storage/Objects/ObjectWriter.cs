using System.Runtime.CompilerServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Storage;

/// <summary>How many devices made an object durable.</summary>
/// <param name="DevicesCommitted">Devices that hold it, durable.</param>
/// <param name="DevicesTotal">Positions it has, k+m.</param>
/// <param name="DeviceMask">Bit i: device i holds it.</param>
public readonly record struct CommitReceipt(
    int DevicesCommitted, int DevicesTotal, ulong DeviceMask);

/// <summary>
/// Writes one new object version onto its devices, in two phases: every device gets the whole file
/// under <c>tmp/</c> and makes it durable; only when a quorum has, the files are renamed into
/// <c>objects/</c>. So a name in <c>objects/</c> on any device proves that the object is whole on a
/// quorum, and recovery may finish the renames; a file only under <c>tmp/</c> was never
/// acknowledged and is removed. A device that fails on the way is left out; the put goes on while a
/// quorum remains.
/// </summary>
public sealed class ObjectWriter
{
    private readonly IReactor _reactor;
    private readonly BufferPool _pool;
    private readonly Redundancy _redundancy;
    private readonly StorageDevice?[] _devices;
    private readonly OwnedFd?[] _files;
    private readonly Fault?[] _faults;
    private readonly List<OwnedFd> _retired = [];
    private readonly string _fileName;
    private long _offset;

    private ObjectWriter(
        IReactor reactor, BufferPool pool, Redundancy redundancy, ObjectId id, Placement placement)
    {
        _reactor = reactor;
        _pool = pool;
        _redundancy = redundancy;
        _fileName = ShardFile.NameOf(id);
        Placement = placement;
        _devices = new StorageDevice?[placement.Positions];
        _files = new OwnedFd?[placement.Positions];
        _faults = new Fault?[placement.Positions];
    }

    public Placement Placement { get; }

    /// <summary>Devices that have taken everything so far.</summary>
    public int Participants { get; private set; }

    /// <summary>Bytes of shard file written so far on each participating device.</summary>
    public long FileBytes => _offset;

    /// <summary>
    /// Creates the files under <c>tmp/</c>; fails where fewer than a quorum can be made.
    /// </summary>
    public static Result<ObjectWriter> Create(
        IReactor reactor, BufferPool pool, DeviceSet devices, Redundancy redundancy, ObjectId id)
    {
        Placement placement = Placement.Choose(id, redundancy, devices.All);
        var writer = new ObjectWriter(reactor, pool, redundancy, id, placement);
        writer.Open(devices);
        Result enough = writer.CheckQuorum();
        if (!enough.IsOk)
        {
            writer.Abort();
            return enough.Fault;
        }

        return writer;
    }

    /// <summary>
    /// Appends one stripe: shard i of the image goes to its position's device. Calls may overlap:
    /// the place of the stripe is taken when the call is made. The image's slab must stay untouched
    /// until completion.
    /// </summary>
    public ValueTask<Result> WriteStripeAsync(
        long stripeIndex, StripeImage image, ValueTask<SysResult>[] scratch)
    {
        long offset = _offset;
        _offset += ShardFile.RecordBytes(image.ShardBytes);
        return WriteStripeAtAsync(stripeIndex, image, offset, scratch);
    }

    /// <summary>
    /// Writes manifest and footer, makes all files durable, then renames them into place and makes
    /// that durable. On failure nothing of the object stays visible.
    /// </summary>
    /// <param name="manifest">The encoded manifest, the same for every device.</param>
    /// <param name="lease">A slab of the pool to write from.</param>
    public async ValueTask<Result<CommitReceipt>> CommitAsync(
        ReadOnlyMemory<byte> manifest, BufferLease lease)
    {
        await WriteTailAsync(manifest, lease);
        await ForEachParticipantAsync(
            position => _reactor.SyncAsync(_files[position]!, dataOnly: false), "flush");
        await ForEachParticipantAsync(
            position => _reactor.SyncAsync(_devices[position]!.TemporaryDirectory, dataOnly: false),
            "flush");
        Result enough = CheckQuorum();
        if (!enough.IsOk)
        {
            Abort();
            return enough.Fault;
        }

        for (int position = 0; position < _files.Length; position++)
        {
            if (_files[position] is not null)
            {
                KeepOrDrop(position, _devices[position]!.Publish(_fileName));
            }
        }

        await ForEachParticipantAsync(
            position => _reactor.SyncAsync(_devices[position]!.ObjectsDirectory, dataOnly: false),
            "publish on");
        enough = CheckQuorum();
        if (!enough.IsOk)
        {
            Abort();
            return enough.Fault;
        }

        return Finish();
    }

    /// <summary>
    /// Gives everything back; the object was not stored. Only with no write of this object under
    /// way.
    /// </summary>
    public void Abort()
    {
        for (int position = 0; position < _files.Length; position++)
        {
            Drop(position, fault: null);
        }

        CloseRetired();
    }

    private void Open(DeviceSet devices)
    {
        for (int position = 0; position < _files.Length; position++)
        {
            StorageDevice? device = devices.Find(Placement[position]);
            if (device is null)
            {
                _faults[position] = new Fault(FaultCode.NotFound, "the device is missing");
                continue;
            }

            _devices[position] = device;
            Result<OwnedFd> file = device.CreateTemporary(_fileName);
            if (file.IsOk)
            {
                _files[position] = file.Value;
                Participants++;
            }
            else
            {
                _faults[position] = file.Fault;
                device.Report(file.Fault);
            }
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Result> WriteStripeAtAsync(
        long stripeIndex, StripeImage image, long offset, ValueTask<SysResult>[] scratch)
    {
        int total = _redundancy.TotalShards;
        ulong started = 0;
        for (int shard = 0; shard < total; shard++)
        {
            if (_files[Placement.PositionOf(stripeIndex, shard)] is { } file)
            {
                started |= 1UL << shard;
                scratch[shard] = _reactor.WriteAsync(
                    file, image.Header(shard), image.Payload(shard), offset);
            }
        }

        // Every started operation is awaited, whatever became of its device meanwhile: until then
        // the slab is the kernel's.
        int expected = ShardFile.BlockBytes + image.ShardBytes;
        for (int shard = 0; shard < total; shard++)
        {
            if ((started & (1UL << shard)) == 0)
            {
                continue;
            }

            int position = Placement.PositionOf(stripeIndex, shard);
            SysResult result = await scratch[shard];
            if (result.IsOk && result.Value < expected)
            {
                result = await WriteRestAsync(position, shard, image, offset, (int)result.Value);
            }

            KeepOrDrop(position, result);
        }

        return CheckQuorum();
    }

    /// <summary>Finishes a short write piece by piece; rare (a full disk, a signal).</summary>
    private async ValueTask<SysResult> WriteRestAsync(
        int position, int shard, StripeImage image, long offset, int done)
    {
        int expected = ShardFile.BlockBytes + image.ShardBytes;
        while (done < expected)
        {
            BufferSlice rest = done < ShardFile.BlockBytes
                ? image.Header(shard).Skip(done)
                : image.Payload(shard).Skip(done - ShardFile.BlockBytes);
            OwnedFd? file = _files[position];
            if (file is null)
            {
                return SysResult.Fail(Errno.ECANCELED);
            }

            SysResult result = await _reactor.WriteAsync(file, rest, offset + done);
            if (!result.IsOk)
            {
                return result;
            }

            if (result.Value == 0)
            {
                return SysResult.Fail(Errno.ENOSPC);
            }

            done += (int)result.Value;
        }

        return new SysResult(done);
    }

    private async ValueTask WriteTailAsync(ReadOnlyMemory<byte> manifest, BufferLease lease)
    {
        long manifestOffset = _offset;
        long tailBytes = ShardFile.RoundUpToBlock(manifest.Length) + ShardFile.BlockBytes;
        int window = lease.Bytes & ~(ShardFile.BlockBytes - 1);
        for (long start = 0; start < tailBytes; start += window)
        {
            int bytes = (int)Math.Min(window, tailBytes - start);
            FillTail(_pool.Span(lease)[..bytes], manifest.Span, start, manifestOffset);
            BufferSlice slice = lease.Slice(0, bytes);
            long at = manifestOffset + start;
            await ForEachParticipantAsync(
                position => WriteFullyAsync(_files[position]!, slice, at), "write the manifest to");
        }

        _offset += tailBytes;
    }

    private static void FillTail(
        Span<byte> window, ReadOnlySpan<byte> manifest, long start, long manifestOffset)
    {
        window.Clear();
        if (start < manifest.Length)
        {
            ReadOnlySpan<byte> part = manifest[(int)start..];
            part[..Math.Min(part.Length, window.Length)].CopyTo(window);
        }

        long footerAt = ShardFile.RoundUpToBlock(manifest.Length) - start;
        if (footerAt >= 0 && footerAt < window.Length)
        {
            ShardFile.WriteFooter(window[(int)footerAt..], manifestOffset, manifest.Length);
        }
    }

    private async ValueTask<SysResult> WriteFullyAsync(OwnedFd file, BufferSlice slice, long offset)
    {
        int done = 0;
        while (done < slice.Bytes)
        {
            SysResult result = await _reactor.WriteAsync(file, slice.Skip(done), offset + done);
            if (!result.IsOk || result.Value == 0)
            {
                return result.IsOk ? SysResult.Fail(Errno.ENOSPC) : result;
            }

            done += (int)result.Value;
        }

        return new SysResult(done);
    }

    private async ValueTask ForEachParticipantAsync(
        Func<int, ValueTask<SysResult>> start, string what)
    {
        var running = new ValueTask<SysResult>[_files.Length];
        var started = new bool[_files.Length];
        for (int position = 0; position < _files.Length; position++)
        {
            if (_files[position] is not null)
            {
                running[position] = start(position);
                started[position] = true;
            }
        }

        for (int position = 0; position < _files.Length; position++)
        {
            if (started[position])
            {
                KeepOrDrop(position, await running[position], what);
            }
        }
    }

    private void KeepOrDrop(int position, SysResult result, string what = "write to")
    {
        if (!result.IsOk && _files[position] is not null)
        {
            Drop(position, result.Errno.ToFault($"{what} device {_devices[position]!.Index}"));
        }
    }

    private void KeepOrDrop(int position, Result result)
    {
        if (!result.IsOk)
        {
            Drop(position, result.Fault);
        }
    }

    private void Drop(int position, Fault? fault)
    {
        OwnedFd? file = _files[position];
        if (file is null)
        {
            return;
        }

        _files[position] = null;
        Participants--;
        _retired.Add(file); // Writes of other stripes may still be under way on it.
        StorageDevice device = _devices[position]!;
        device.Discard(_fileName);
        if (fault is not null)
        {
            _faults[position] = fault;
            device.Report(fault);
        }
    }

    private Result CheckQuorum()
    {
        int needed = _redundancy.CommitQuorum;
        if (Participants >= needed)
        {
            return Result.Ok;
        }

        Fault? cause = _faults.FirstOrDefault(fault => fault?.Code == FaultCode.NoSpace)
            ?? _faults.FirstOrDefault(
                fault => fault is not null && fault.Code != FaultCode.NotFound)
            ?? _faults.FirstOrDefault(fault => fault is not null);
        return new Fault(
            cause?.Code is FaultCode.NoSpace ? FaultCode.NoSpace : FaultCode.Unavailable,
            $"{Participants} of {Placement.Positions} devices take writes, a put needs {needed}"
                + (cause is null ? string.Empty : $"; {cause.Message}"),
            cause?.Code is FaultCode.NoSpace
                ? "remove objects or give the devices more room"
                : "bring the missing devices back; pangea status shows them, and one that was not "
                    + "there when the appliance started needs a restart",
            Errno: cause?.Errno ?? 0);
    }

    private CommitReceipt Finish()
    {
        ulong mask = 0;
        for (int position = 0; position < _files.Length; position++)
        {
            if (_files[position] is { } file)
            {
                mask |= 1UL << _devices[position]!.Index;
                _devices[position]!.ReportSuccess();
                file.Dispose();
                _files[position] = null;
            }
        }

        CloseRetired();
        return new CommitReceipt(Participants, Placement.Positions, mask);
    }

    private void CloseRetired()
    {
        foreach (OwnedFd file in _retired)
        {
            file.Dispose();
        }

        _retired.Clear();
    }
}
