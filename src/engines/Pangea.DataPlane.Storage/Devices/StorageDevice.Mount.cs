using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Storage;

/// <content>Taking a device with its log into use: a directory or a block device.</content>
public sealed partial class StorageDevice
{
    private readonly OwnedFd? _block;
    private DirectorySegmentStore? _directories;
    private BlockSegmentStore? _blocks;

    /// <summary>
    /// Takes a device into use: reads its superblock, or formats it when it is empty, and opens its
    /// log. A device that cannot be used is returned all the same, with its state and reason.
    /// <see cref="DeviceLog.ReplayAsync"/> comes next.
    /// </summary>
    /// <param name="index">Place in the configuration.</param>
    /// <param name="path">As configured, for messages.</param>
    /// <param name="root">The open directory or block device (for reading and writing, O_DIRECT
    /// where it can), owned from now on; null where it is missing.</param>
    /// <param name="stateId">The appliance state that the device must belong to.</param>
    /// <param name="reactor">The loop that will use it.</param>
    /// <param name="pool">Has <see cref="DeviceLog.SlabsPerDevice"/> slabs for the log.</param>
    /// <param name="missingReason">What the supervisor said about a missing directory.</param>
    /// <param name="mayFormat">False where a device was in use at this place before.</param>
    /// <param name="options">Bounds of the log.</param>
    public static StorageDevice Open(
        int index,
        string path,
        OwnedFd? root,
        string stateId,
        IReactor reactor,
        BufferPool pool,
        string? missingReason = null,
        bool mayFormat = true,
        DeviceLogOptions? options = null)
    {
        if (root is null)
        {
            var missing = new StorageDevice(index, path, null);
            missing.SetState(
                DeviceState.Missing,
                new Fault(FaultCode.NotFound, missingReason ?? $"directory {path} does not exist"));
            return missing;
        }

        StorageDevice device;
        if (Files.KindOf(root) == FileKind.BlockDevice)
        {
            device = new StorageDevice(index, path, null, root);
        }
        else
        {
            Result<DirectoryFd> directory = DirectoryFd.Adopt(root);
            if (!directory.IsOk)
            {
                root.Dispose();
                device = new StorageDevice(index, path, null);
                device.SetState(DeviceState.Failed, directory.Fault);
                return device;
            }

            device = new StorageDevice(index, path, directory.Value);
        }

        Result mounted = device.MountLog(
            stateId, mayFormat, reactor, pool, options ?? DeviceLogOptions.Default);
        if (!mounted.IsOk)
        {
            device.CloseLog();
            device.SetState(StateOf(mounted.Fault), mounted.Fault);
        }

        return device;
    }

    /// <summary>Ends the log before the device goes while the loop runs on.</summary>
    public async ValueTask CloseAsync()
    {
        if (Log is { } log)
        {
            await log.CloseAsync();
        }

        Dispose();
    }

    private Result MountLog(
        string stateId, bool mayFormat, IReactor reactor, BufferPool pool, DeviceLogOptions options)
    {
        Result<DeviceSuperblock> superblock =
            _block is null ? ReadSuperblock() : ReadBlockSuperblock(pool);
        if (!superblock.IsOk && superblock.Fault.Code == FaultCode.NotFound)
        {
            superblock = !mayFormat ? NotMounted()
                : _block is null ? Format(stateId) : FormatBlock(stateId, pool);
        }

        if (!superblock.IsOk)
        {
            return superblock.Fault;
        }

        if (superblock.Value.StateId != stateId)
        {
            return Foreign(superblock.Value, stateId);
        }

        Id = superblock.Value.Device;
        Result<ISegmentStore> store = _block is null
            ? OpenDirectoryStore()
            : OpenBlockStore(superblock.Value.SegmentBytes);
        if (!store.IsOk)
        {
            return store.Fault;
        }

        Result<DeviceLog> log = DeviceLog.Open(
            Index, store.Value, reactor, pool, options, Report);
        if (!log.IsOk)
        {
            return log.Fault;
        }

        Log = log.Value;
        return Result.Ok;
    }

    private Result<ISegmentStore> OpenDirectoryStore()
    {
        bool directIo = ProbeRoot();
        Result<DirectorySegmentStore> store = DirectorySegmentStore.Open(_root!, Id, directIo);
        if (!store.IsOk)
        {
            return store.Fault;
        }

        _directories = store.Value;
        if (State == DeviceState.Ok)
        {
            _directories.KeepReserve();
        }

        return store.Value;
    }

    private Result<ISegmentStore> OpenBlockStore(long segmentBytes)
    {
        Result<BlockSegmentStore> store = BlockSegmentStore.Open(_block!, Id, segmentBytes);
        if (!store.IsOk)
        {
            return store.Fault;
        }

        _blocks = store.Value;
        return store.Value;
    }

    /// <summary>Finds out whether files can be made, and whether they take direct I/O.</summary>
    private bool ProbeRoot()
    {
        const string probe = "probe.tmp";
        _root!.RemoveFile(probe);
        Result<OwnedFd> file = _root.OpenFile(
            probe, OpenFlags.Read | OpenFlags.Write | OpenFlags.Create | OpenFlags.Exclusive);
        if (!file.IsOk)
        {
            // Reading goes on; the state keeps new objects away.
            Fault fault = Describe(file.Fault, "write");
            DeviceState state = StateOf(fault);
            SetState(state == DeviceState.Failed ? DeviceState.ReadOnly : state, fault);
            return false;
        }

        using OwnedFd owned = file.Value;
        DirectIo direct = Files.ProbeDirectIo(owned);
        _root.RemoveFile(probe);
        return direct.Supported
            && direct.MemoryAlignment <= LogFormat.BlockBytes
            && direct.OffsetAlignment <= LogFormat.BlockBytes;
    }

    private Fault Foreign(DeviceSuperblock superblock, string stateId) => new(
        FaultCode.Denied,
        $"device {Index} ({Path}) belongs to the appliance state {superblock.StateId}, this one "
            + $"is {stateId}",
        "give this appliance an empty device, or start it with the device's own state");

    /// <summary>
    /// A place that held a device before and is empty now is most likely a file system that is not
    /// mounted; formatting the directory below it would hide shards on the wrong disk.
    /// </summary>
    private Fault NotMounted() => new(
        FaultCode.NotFound,
        $"device {Index} ({Path}) was in use before and holds no {DeviceSuperblock.FileName} now",
        $"mount it; for a new disk at the same place, take the line {Path} out of the file "
            + "\"devices-in-use\" in the state directory",
        Errno: Errno.ENOENT.Value);

    private Result<DeviceSuperblock> ReadSuperblock()
    {
        Result<OwnedFd> file = _root!.OpenFile(DeviceSuperblock.FileName, OpenFlags.Read);
        if (!file.IsOk)
        {
            return file.Fault;
        }

        using OwnedFd owned = file.Value;
        var bytes = new byte[DeviceSuperblock.BytesMax];
        SysResult read = Files.ReadAt(owned, bytes, 0);
        return read.IsOk
            ? DeviceSuperblock.Decode(bytes.AsMemory(0, (int)read.Value))
            : read.Errno.ToFault($"read {DeviceSuperblock.FileName} on device {Index}");
    }

    private Result<DeviceSuperblock> Format(string stateId)
    {
        Result<List<DirectoryEntry>> entries = _root!.List();
        if (!entries.IsOk)
        {
            return entries.Fault;
        }

        // ext4 puts lost+found into every new file system.
        string? stranger = entries.Value.Select(entry => entry.Name)
            .FirstOrDefault(name => name is not ("lost+found" or DirectorySegmentStore.ReserveName)
                && !name.EndsWith(".tmp", StringComparison.Ordinal));
        if (stranger is not null)
        {
            return new Fault(
                FaultCode.Exists,
                $"device {Index} ({Path}) has no {DeviceSuperblock.FileName} "
                    + $"but holds \"{stranger}\"",
                "a new device must be an empty directory");
        }

        var superblock = new DeviceSuperblock(DeviceId.New(), stateId);
        const string temporary = DeviceSuperblock.FileName + ".tmp";
        Result<OwnedFd> written = WriteSmallFile(_root, temporary, superblock.Encode());
        if (!written.IsOk)
        {
            return written.Fault;
        }

        SysResult synced = Files.Sync(written.Value, dataOnly: false);
        written.Value.Dispose();
        synced = synced.IsOk
            ? _root.Rename(temporary, _root, DeviceSuperblock.FileName, replace: true)
            : synced;
        synced = synced.IsOk ? _root.Sync() : synced;
        return synced.IsOk ? superblock : synced.Errno.ToFault($"format device {Index} ({Path})");
    }

    private Result<DeviceSuperblock> ReadBlockSuperblock(BufferPool pool)
    {
        Result<BufferLease> lease = RentForBlock(pool);
        if (!lease.IsOk)
        {
            return lease.Fault;
        }

        Span<byte> block = pool.Span(lease.Value)[..LogFormat.BlockBytes];
        SysResult read = Files.ReadAt(_block!, block, 0);
        byte[] text = block[..(int)Math.Max(0, read.Raw)].TrimEnd((byte)0).ToArray();
        pool.Return(lease.Value);
        if (!read.IsOk)
        {
            return read.Errno.ToFault($"read the superblock of device {Index} ({Path})");
        }

        if (text.Length == 0)
        {
            return new Fault(FaultCode.NotFound, "block 0 is empty");
        }

        return text[0] == (byte)'{'
            ? DeviceSuperblock.Decode(text)
            : new Fault(
                FaultCode.Exists,
                $"device {Index} ({Path}) holds something else",
                "a new block device must begin with 4096 zero bytes: wipe it first, for example "
                    + "with blkdiscard -z or wipefs -a");
    }

    private Result<DeviceSuperblock> FormatBlock(string stateId, BufferPool pool)
    {
        Result<long> bytes = BlockDevice.BytesOf(_block!);
        if (!bytes.IsOk)
        {
            return bytes.Fault;
        }

        long segmentBytes = BlockSegmentStore.SlotBytesFor(bytes.Value);
        if (segmentBytes == 0)
        {
            return new Fault(
                FaultCode.NoSpace,
                $"device {Index} ({Path}) has {bytes.Value} bytes, too few for "
                    + $"{BlockSegmentStore.SlotsMin} segments");
        }

        Result<BufferLease> lease = RentForBlock(pool);
        if (!lease.IsOk)
        {
            return lease.Fault;
        }

        var superblock = new DeviceSuperblock(DeviceId.New(), stateId, segmentBytes);
        Span<byte> block = pool.Span(lease.Value)[..LogFormat.BlockBytes];
        block.Clear();
        superblock.Encode().CopyTo(block);
        SysResult written = Files.WriteAt(_block!, block, 0);
        pool.Return(lease.Value);
        written = written.IsOk ? Files.Sync(_block!, dataOnly: true) : written;
        return written.IsOk
            ? superblock
            : written.Errno.ToFault($"format device {Index} ({Path})");
    }

    private Result<BufferLease> RentForBlock(BufferPool pool) =>
        pool.TryRent(DeviceLog.SlabBytes, out BufferLease lease)
            ? lease
            : new Fault(FaultCode.Busy, $"no buffers are left for device {Index}");

    /// <summary>Writes a whole file, not yet durable; the caller closes it.</summary>
    private static Result<OwnedFd> WriteSmallFile(
        DirectoryFd directory, string name, ReadOnlySpan<byte> bytes)
    {
        Result<OwnedFd> file = directory.OpenFile(
            name, OpenFlags.Write | OpenFlags.Create | OpenFlags.Truncate);
        if (!file.IsOk)
        {
            return file;
        }

        SysResult written = Files.WriteAt(file.Value, bytes, 0);
        if (written.IsOk)
        {
            return file;
        }

        file.Value.Dispose();
        directory.RemoveFile(name);
        return written.Errno.ToFault($"write {name}");
    }
}
