using System.Runtime.CompilerServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Storage;

/// <summary>
/// The open shard files of one object version: reads manifest and shards, judges neither.
/// </summary>
public sealed class ObjectReader : IDisposable
{
    /// <summary>A manifest is at most a stripe table of 16 MiB and some names.</summary>
    private const int ManifestBytesMax = 32 * 1024 * 1024;

    private readonly IReactor _reactor;
    private readonly DeviceSet _devices;
    private readonly OwnedFd?[] _files;

    private ObjectReader(IReactor reactor, DeviceSet devices, OwnedFd?[] files)
    {
        _reactor = reactor;
        _devices = devices;
        _files = files;
    }

    /// <summary>Devices whose file could be opened.</summary>
    public int AvailableDevices => _files.Count(file => file is not null);

    /// <summary>Bit i: the file on device i is open.</summary>
    public ulong DeviceMask
    {
        get
        {
            ulong mask = 0;
            for (int i = 0; i < _files.Length; i++)
            {
                mask |= _files[i] is null ? 0 : 1UL << i;
            }

            return mask;
        }
    }

    /// <summary>Opens the object's file on every device that has one.</summary>
    public static ObjectReader Open(IReactor reactor, DeviceSet devices, ObjectId id)
    {
        string name = ShardFile.NameOf(id);
        var files = new OwnedFd?[devices.All.Count];
        foreach (StorageDevice device in devices.All)
        {
            Result<OwnedFd> file = device.OpenObject(name);
            files[device.Index] = file.IsOk ? file.Value : null;
            if (!file.IsOk && file.Fault.Code != FaultCode.NotFound)
            {
                device.Report(file.Fault);
            }
        }

        return new ObjectReader(reactor, devices, files);
    }

    /// <summary>True where the device of that identity holds a file of this object.</summary>
    public bool Has(DeviceId id) =>
        _devices.Find(id) is { } device && _files[device.Index] is not null;

    /// <summary>
    /// Reads one shard's header block and payload. ENODATA where the file ends early, ENOENT where
    /// the device has none.
    /// </summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<SysResult> ReadShardAsync(
        DeviceId id, long offset, BufferSlice header, BufferSlice payload)
    {
        if (_devices.Find(id) is not { } device || _files[device.Index] is not { } file)
        {
            return SysResult.Fail(Errno.ENOENT);
        }

        SysResult result = await _reactor.ReadAsync(file, header, payload, offset);
        int expected = header.Bytes + payload.Bytes;
        int done = result.IsOk ? (int)result.Value : 0;
        while (result.IsOk && done < expected)
        {
            // Direct I/O hands back whole blocks, so the rest starts on a block again.
            BufferSlice rest = done < header.Bytes
                ? header.Skip(done)
                : payload.Skip(done - header.Bytes);
            result = await _reactor.ReadAsync(file, rest, offset + done);
            if (result.IsOk && result.Value == 0)
            {
                return SysResult.Fail(Errno.ENODATA);
            }

            done += result.IsOk ? (int)result.Value : 0;
        }

        if (!result.IsOk)
        {
            device.Report(result.Errno.ToFault($"read device {device.Index}"));
        }

        return result.IsOk ? new SysResult(done) : result;
    }

    /// <summary>
    /// Reads the encoded manifest from one device's file. Whether it is genuine is for its decoder
    /// to say.
    /// </summary>
    /// <param name="deviceIndex">A device whose bit is set in <see cref="DeviceMask"/>.</param>
    /// <param name="lease">A slab of the pool to read through.</param>
    public async ValueTask<Result<byte[]>> ReadManifestAsync(
        int deviceIndex, BufferPool pool, BufferLease lease)
    {
        OwnedFd? file = _files[deviceIndex];
        if (file is null)
        {
            return new Fault(FaultCode.NotFound, $"device {deviceIndex} has no file of the object");
        }

        Result<long> length = _devices.All[deviceIndex].LengthOf(file);
        if (!length.IsOk)
        {
            return length.Fault;
        }

        long fileBytes = length.Value;
        if (fileBytes < 2 * ShardFile.BlockBytes || fileBytes % ShardFile.BlockBytes != 0)
        {
            return new Fault(FaultCode.Corrupt, $"shard file of {fileBytes} bytes is not whole");
        }

        BufferSlice block = lease.Slice(0, ShardFile.BlockBytes);
        SysResult read = await ReadFullyAsync(file, block, fileBytes - ShardFile.BlockBytes);
        if (!read.IsOk)
        {
            return read.Errno.ToFault($"read the footer on device {deviceIndex}");
        }

        Result<(long Offset, int Bytes)> footer = ShardFile.ReadFooter(pool.Span(block), fileBytes);
        if (!footer.IsOk)
        {
            return footer.Fault;
        }

        if (footer.Value.Bytes > ManifestBytesMax)
        {
            return new Fault(
                FaultCode.Corrupt,
                $"manifest of {footer.Value.Bytes} bytes is over the limit of {ManifestBytesMax}");
        }

        return await ReadManifestBytesAsync(
            file, footer.Value.Offset, footer.Value.Bytes, pool, lease);
    }

    public void Dispose()
    {
        foreach (OwnedFd? file in _files)
        {
            file?.Dispose();
        }
    }

    private async ValueTask<Result<byte[]>> ReadManifestBytesAsync(
        OwnedFd file, long offset, int bytes, BufferPool pool, BufferLease lease)
    {
        var manifest = new byte[bytes];
        int window = lease.Bytes & ~(ShardFile.BlockBytes - 1);
        for (int done = 0; done < bytes;)
        {
            int part = (int)Math.Min(window, ShardFile.RoundUpToBlock(bytes - done));
            BufferSlice slice = lease.Slice(0, part);
            SysResult read = await ReadFullyAsync(file, slice, offset + done);
            if (!read.IsOk)
            {
                return read.Errno.ToFault("read a manifest");
            }

            int take = Math.Min(part, bytes - done);
            pool.Span(slice)[..take].CopyTo(manifest.AsSpan(done));
            done += take;
        }

        return manifest;
    }

    private async ValueTask<SysResult> ReadFullyAsync(OwnedFd file, BufferSlice slice, long offset)
    {
        int done = 0;
        while (done < slice.Bytes)
        {
            SysResult result = await _reactor.ReadAsync(file, slice.Skip(done), offset + done);
            if (!result.IsOk || result.Value == 0)
            {
                return result.IsOk ? SysResult.Fail(Errno.ENODATA) : result;
            }

            done += (int)result.Value;
        }

        return new SysResult(done);
    }
}
