using System.Runtime.InteropServices;
using System.Text;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux.Jailing;

/// <summary>
/// The mounts of a jailed program: a private table with its own files at a place that any user
/// reaches, and a view of processes that ends at its own.
/// </summary>
internal static class PrivateMounts
{
    private const nuint Inert = Process.MS_NOSUID | Process.MS_NODEV;

    /// <summary>
    /// Makes the mount namespace, and in it the private root with the options' bindings. Needs
    /// CAP_SYS_ADMIN.
    /// </summary>
    public static Fault? Make(JailOptions options)
    {
        if (LibC.unshare(Process.CLONE_NEWNS) < 0)
        {
            return LastErrno().ToFault(
                "make a mount namespace", "a container needs CAP_SYS_ADMIN for it");
        }

        // Changes must not travel back to the host's mount table.
        if (Mount("none", "/", null, Process.MS_REC | Process.MS_PRIVATE, null) is { } shared)
        {
            return shared;
        }

        // Opened inside the new namespace (a descriptor of the old one cannot be bound) and before
        // the private root covers them, because the real path may lie below it.
        List<(string Name, OwnedFd Place)> sources = [];
        try
        {
            foreach ((string name, string path) in options.Bindings)
            {
                Result<OwnedFd> opened = PathFd.Open(path);
                if (!opened.IsOk)
                {
                    return opened.Fault;
                }

                sources.Add((name, opened.Value));
            }

            string root = options.PrivateRoot;
            if (Mount("tmpfs", root, "tmpfs", Inert, "mode=0755,size=1m") is { } none)
            {
                return none;
            }

            foreach ((string name, OwnedFd place) in sources)
            {
                if (Bind(place, Path.Combine(root, name)) is { } failed)
                {
                    return failed;
                }
            }

            return Mount("none", root, null, Process.MS_REMOUNT | Process.MS_RDONLY | Inert, null)
                ?? ChangeDirectory("/");
        }
        finally
        {
            sources.ForEach(source => source.Place.Dispose());
        }
    }

    private static unsafe Fault? Bind(OwnedFd place, string target)
    {
        // SAFETY: zero-terminated and pinned.
        fixed (byte* name = Encoding.UTF8.GetBytes(target + '\0'))
        {
            if (LibC.makeDirectory(name, 0x1ED) < 0) // 0755
            {
                return LastErrno().ToFault($"create {target}");
            }
        }

        // Read-only takes a second call: the kernel ignores other flags while it binds (mount(2)).
        return Mount($"/proc/self/fd/{place.Number}", target, null, Process.MS_BIND, null)
            ?? Mount(
                "none",
                target,
                null,
                Process.MS_REMOUNT | Process.MS_BIND | Process.MS_RDONLY | Inert,
                null);
    }

    private static unsafe Fault? Mount(
        string source, string target, string? type, nuint flags, string? data)
    {
        // SAFETY: zero-terminated and pinned; a null array pins to a null pointer, which mount(2)
        // allows.
        fixed (byte* from = Encoding.UTF8.GetBytes(source + '\0'),
            to = Encoding.UTF8.GetBytes(target + '\0'),
            kind = type is null ? null : Encoding.UTF8.GetBytes(type + '\0'),
            options = data is null ? null : Encoding.UTF8.GetBytes(data + '\0'))
        {
            return LibC.mount(from, to, kind, flags, options) < 0
                ? LastErrno().ToFault($"mount {source} on {target}")
                : null;
        }
    }

    private static unsafe Fault? ChangeDirectory(string path)
    {
        // SAFETY: zero-terminated and pinned.
        fixed (byte* name = Encoding.UTF8.GetBytes(path + '\0'))
        {
            return LibC.chdir(name) < 0 ? LastErrno().ToFault($"change to {path}") : null;
        }
    }

    /// <summary>
    /// Covers /proc with one that shows only processes which the reader might trace: its own
    /// (hidepid in proc(5)). Only inside <see cref="Make"/>'s namespace.
    /// </summary>
    public static Fault? HideProcesses() =>
        Mount("proc", "/proc", "proc", Inert | Process.MS_NOEXEC, "hidepid=invisible");

    private static Errno LastErrno() => new(Marshal.GetLastPInvokeError());
}
