using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Storage;

/// <content>
/// Tombstones and other small files. A full device must still take a tombstone, or nothing could
/// ever be removed from it; a reserve of a few blocks is given up for that.
/// </content>
public sealed partial class StorageDevice
{
    private const string ReserveName = "reserve";
    private const int ReserveBytes = 64 * 1024;

    /// <summary>
    /// Makes a tombstone durable here. Waits for the disk on the reactor, not on its thread.
    /// </summary>
    public async ValueTask<Result> WriteTombstoneAsync(Tombstone tombstone, IReactor reactor)
    {
        if (_tombstones is null)
        {
            return new Fault(FaultCode.NotFound, $"device {Index} is not available: {Reason}");
        }

        // A new file under a temporary name, so that a crash leaves the old one or the new one,
        // never half.
        string temporary = tombstone.FileName + ".tmp";
        Result<OwnedFd> file = WriteSmallFile(_tombstones, temporary, tombstone.Encode());
        if (file.Fault?.Code == FaultCode.NoSpace)
        {
            _root!.RemoveFile(ReserveName);
            file = WriteSmallFile(_tombstones, temporary, tombstone.Encode());
        }

        if (!file.IsOk)
        {
            Report(file.Fault);
            return file.Fault;
        }

        SysResult result = await reactor.SyncAsync(file.Value, dataOnly: false);
        file.Value.Dispose();
        result = result.IsOk
            ? _tombstones.Rename(temporary, _tombstones, tombstone.FileName, replace: true)
            : result;
        result = result.IsOk ? await reactor.SyncAsync(_tombstones.Fd, dataOnly: false) : result;
        if (result.IsOk)
        {
            return Result.Ok;
        }

        Fault fault = result.Errno.ToFault($"write a tombstone on device {Index}");
        Report(fault);
        return fault;
    }

    public void RemoveTombstone(string fileName)
    {
        if (_tombstones?.RemoveFile(fileName).IsOk == true)
        {
            KeepReserve();
        }
    }

    /// <summary>
    /// All tombstones. One that was not finished is removed; one that cannot be read now stays
    /// where it is, and <paramref name="complete"/> is false.
    /// </summary>
    public List<Tombstone> ListTombstones(out bool complete)
    {
        var tombstones = new List<Tombstone>();
        complete = true;
        if (_tombstones is null)
        {
            return tombstones;
        }

        Result<List<DirectoryEntry>> entries = _tombstones.List();
        if (!entries.IsOk)
        {
            complete = false;
            return tombstones;
        }

        foreach (DirectoryEntry entry in entries.Value)
        {
            byte[]? bytes = ReadSmallFile(_tombstones, entry.Name, Tombstone.BytesMax);
            Tombstone? tombstone = bytes is null ? null : Tombstone.Decode(bytes);
            if (tombstone?.FileName == entry.Name)
            {
                tombstones.Add(tombstone);
            }
            else if (bytes is not null)
            {
                _tombstones.RemoveFile(entry.Name);
            }
            else
            {
                complete = false;
            }
        }

        return tombstones;
    }

    /// <summary>Makes the reserve where it is not there and there is room for it.</summary>
    private void KeepReserve()
    {
        Result<OwnedFd> file = _root!.OpenFile(ReserveName, OpenFlags.Write | OpenFlags.Create);
        if (file.IsOk)
        {
            Files.Reserve(file.Value, 0, ReserveBytes, keepLength: false);
            file.Value.Dispose();
        }
    }

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

    private static byte[]? ReadSmallFile(DirectoryFd directory, string name, int bytesMax)
    {
        Result<OwnedFd> file = directory.OpenFile(name, OpenFlags.Read);
        if (!file.IsOk)
        {
            return null;
        }

        using OwnedFd owned = file.Value;
        var bytes = new byte[bytesMax];
        SysResult read = Files.ReadAt(owned, bytes, 0);
        return read.IsOk ? bytes[..(int)read.Value] : null;
    }
}
