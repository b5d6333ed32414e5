using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Supervisor.Devices;

namespace Pangea.DataPlane.Supervisor.State;

/// <content>Whose it is, and how it goes from one program of a process to the next.</content>
public sealed partial class StateDirectory
{
    private const string DevicesDirectory = "devices";
    private const string KeysDirectory = "keys";

    /// <summary>
    /// Takes a state over that an earlier program of this process opened and locked.
    /// </summary>
    /// <param name="path">For messages; need not be reachable.</param>
    /// <param name="directory">Owned from now on.</param>
    /// <param name="guard">The lock; owned from now on.</param>
    internal static Result<StateDirectory> Adopt(string path, OwnedFd directory, OwnedFd guard)
    {
        Result<string> id = ReadOrMakeId(RootOf(path, directory));
        return id.IsOk ? new StateDirectory(path, id.Value, guard, directory) : id.Fault;
    }

    /// <summary>The directory itself, to hand on.</summary>
    internal Result<OwnedFd> OpenDirectory()
    {
        Result<DirectoryFd> opened = DirectoryFd.Open(_root);
        return opened.IsOk ? opened.Value.Fd : opened.Fault;
    }

    /// <summary>
    /// Gives everything but the devices to the user that the supervisor becomes; devices are given
    /// one by one when they are opened. Files of the state only: what is strange to it keeps its
    /// owner.
    /// </summary>
    internal Fault? HandOver(UserAccount user)
    {
        Result<DirectoryFd> opened = DirectoryFd.Open(_root);
        if (!opened.IsOk)
        {
            return opened.Fault;
        }

        using DirectoryFd directory = opened.Value;
        Result<List<DirectoryEntry>> entries = directory.List();
        if (!entries.IsOk)
        {
            return entries.Fault;
        }

        SysResult owned = new(0);
        foreach (DirectoryEntry entry in entries.Value)
        {
            if (!directory.StatusOf(entry.Name, out FileStatus status).IsOk)
            {
                continue;
            }

            if (status.Kind == FileKind.Regular && status.LinkCount == 1)
            {
                owned = directory.ChangeOwner(entry.Name, user.Uid, user.Gid);
            }
            else if (status.Kind == FileKind.Directory
                && entry.Name is KeysDirectory or DevicesDirectory or CatalogDirectory)
            {
                owned = HandOver(directory, entry.Name, user);
            }

            if (!owned.IsOk)
            {
                break;
            }
        }

        owned = owned.IsOk ? Files.ChangeOwner(directory.Fd, user.Uid, user.Gid) : owned;
        return owned.IsOk ? null : owned.Errno.ToFault($"give the state {Path} to {user}");
    }

    /// <summary>
    /// Makes the directory of an embedded device where it is missing: a device that was lost comes
    /// back empty, as after a change of disks.
    /// </summary>
    /// <param name="path">Below this state.</param>
    internal Fault? MakeDevice(string path)
    {
        string real = System.IO.Path.Combine(_root, System.IO.Path.GetRelativePath(Path, path));
        if (Directory.Exists(real) || File.Exists(real))
        {
            return null;
        }

        Fault? fault = MakeDirectory(System.IO.Path.GetDirectoryName(real) ?? "/")
            ?? MakeDirectory(real);
        if (fault is null)
        {
            EventLog.Write("device.made", ("path", path));
        }

        return fault;
    }

    private static SysResult HandOver(DirectoryFd parent, string name, UserAccount user)
    {
        Result<DirectoryFd> opened = parent.OpenDirectory(name);
        if (!opened.IsOk)
        {
            return SysResult.Fail(new Errno(opened.Fault.Errno));
        }

        using DirectoryFd directory = opened.Value;
        return name == DevicesDirectory
            ? Files.ChangeOwner(directory.Fd, user.Uid, user.Gid)
            : DirectoryOwner.HandOver(directory, user);
    }
}
