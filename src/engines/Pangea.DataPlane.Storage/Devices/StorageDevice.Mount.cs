using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Storage;

/// <content>Taking a directory into use: superblock, folders, what its file system can
/// do.</content>
public sealed partial class StorageDevice
{
    private Result Mount(string stateId, bool mayFormat)
    {
        Result<DeviceSuperblock> superblock = ReadSuperblock();
        if (!superblock.IsOk && superblock.Fault.Code == FaultCode.NotFound)
        {
            superblock = mayFormat ? Format(stateId) : NotMounted();
        }

        if (!superblock.IsOk)
        {
            return superblock.Fault;
        }

        if (superblock.Value.StateId != stateId)
        {
            return new Fault(
                FaultCode.Denied,
                $"device {Index} ({Path}) belongs to the appliance state "
                    + $"{superblock.Value.StateId}, this one is {stateId}",
                "give this appliance an empty directory, or start it with the device's own state");
        }

        Id = superblock.Value.Device;
        foreach (string name in new[] { ObjectsName, TemporaryName, TombstonesName })
        {
            SysResult made = _root!.MakeDirectory(name);
            if (!made.IsOk && made.Errno != Errno.EEXIST && made.Errno != Errno.EROFS)
            {
                return made.Errno.ToFault($"make {name}/ on device {Index} ({Path})");
            }
        }

        _root!.Sync(); // The names just made; a file in them is durable only if they are.

        Result<DirectoryFd> objects = _root!.OpenDirectory(ObjectsName);
        Result<DirectoryFd> temporary = _root.OpenDirectory(TemporaryName);
        Result<DirectoryFd> tombstones = _root.OpenDirectory(TombstonesName);
        _objects = objects.IsOk ? objects.Value : null;
        _temporary = temporary.IsOk ? temporary.Value : null;
        _tombstones = tombstones.IsOk ? tombstones.Value : null;
        Fault? fault = objects.Fault ?? temporary.Fault ?? tombstones.Fault;
        if (fault is not null)
        {
            return fault;
        }

        return ProbeWrites();
    }

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
            .FirstOrDefault(name => name is not ("lost+found" or ReserveName)
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

    /// <summary>Finds out whether files can be made, and whether they take direct I/O.</summary>
    private Result ProbeWrites()
    {
        const string probe = "probe";
        _temporary!.RemoveFile(probe);
        Result<OwnedFd> file = _temporary.OpenFile(
            probe, OpenFlags.Read | OpenFlags.Write | OpenFlags.Create | OpenFlags.Exclusive);
        if (!file.IsOk)
        {
            // Reading goes on, so the directories stay open; the state keeps new objects away.
            Fault fault = Describe(file.Fault, "write");
            DeviceState state = StateOf(fault);
            SetState(state == DeviceState.Failed ? DeviceState.ReadOnly : state, fault);
            return Result.Ok;
        }

        using OwnedFd owned = file.Value;
        DirectIo direct = Files.ProbeDirectIo(owned);
        _directIo = direct.Supported
            && direct.MemoryAlignment <= LogFormat.BlockBytes
            && direct.OffsetAlignment <= LogFormat.BlockBytes;
        _temporary.RemoveFile(probe);
        KeepReserve();
        return Result.Ok;
    }
}
