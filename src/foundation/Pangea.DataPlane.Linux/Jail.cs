using System.Runtime.InteropServices;
using System.Text;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux;

/// <summary>
/// Gives up everything a worker does not need, then executes it (decision A2). Capabilities, mount
/// namespace and no_new_privs belong to the calling thread only, and a managed process has others;
/// the exec ends them and leaves the one that was stripped. Must run on one thread from beginning
/// to end.
/// </summary>
public static class Jail
{
    private const nuint Inert = Process.MS_NOSUID | Process.MS_NODEV;

    /// <summary>
    /// The steps that need privilege and those that anyone can take, in the only order that works.
    /// </summary>
    /// <returns>
    /// What was given up only in part, one phrase each, empty if nothing; or the step that failed.
    /// After a failure the process is half stripped and must exit.
    /// </returns>
    public static Result<IReadOnlyList<string>> Enter(JailOptions options)
    {
        List<string> waived = [];

        // 1. Limits first: raising a hard limit needs root.
        RaiseLimit(Process.RLIMIT_NOFILE, options.OpenFilesMax);
        RaiseLimit(Process.RLIMIT_MEMLOCK, options.LockedBytesMax);

        // A core dump would write keys and plain text to disk.
        SetLimit(Process.RLIMIT_CORE, 0, 0);

        if (UserAccount.IsRoot)
        {
            // 2. Mounts need CAP_SYS_ADMIN and see the real paths, so they come before the user
            // changes.
            if (options.Bindings.Count > 0 && BindPrivately(options) is { } unbound)
            {
                waived.Add($"no private mounts: {unbound.Message}");
            }

            // 3. The bounding set, while CAP_SETPCAP is still ours: no later exec can regain
            // anything.
            DropBoundingSet();

            // 4. Groups, group, user: in this order, since each needs the privilege the next one
            // ends. The C library changes every thread of the process, as it must to stay
            // consistent.
            if (options.User is { } user && ChangeUser(user) is { } fault)
            {
                return fault;
            }
        }
        else
        {
            waived.Add("not root: the worker runs as the caller");
        }

        // 5. Nothing stays permitted or inheritable, even when the user did not change.
        if (ClearCapabilities() is { } kept)
        {
            return kept;
        }

        // 6. An exec may never add privilege, not even of a set-user-id program.
        if (Control(Process.PR_SET_NO_NEW_PRIVS, 1, "set no_new_privs") is { } refused)
        {
            return refused;
        }

        // 7. Die with the supervisor. Only here: changing the user clears it (prctl(2)). If the
        // supervisor died before this line, the worker meets the end of its channel instead.
        Fault? deaf = Control(
            Process.PR_SET_PDEATHSIG, ChildProcess.SigKill, "set the parent-death signal");
        if (deaf is not null)
        {
            return deaf;
        }

        // 8. Affinity before the exec, so that every thread of the runtime inherits it.
        Result pinned = CoreAffinity.Set(options.Core, options.HousekeepingCore);
        if (!pinned.IsOk)
        {
            waived.Add($"not pinned: {pinned.Fault.Message}");
        }

        // 9. The exec closes all but the channel and the standard three. Not closed here and now:
        // the runtime is still using its own.
        nint marked = LibC.syscallCloseRange(
            Process.SYS_close_range,
            (uint)options.HighestKeptFd + 1,
            uint.MaxValue,
            Process.CLOSE_RANGE_CLOEXEC);
        if (marked < 0)
        {
            return LastErrno().ToFault(
                "mark descriptors close-on-exec", "close_range needs Linux 5.11");
        }

        return waived;
    }

    /// <summary>Replaces this process; returns only with the reason why it could not.</summary>
    public static unsafe Fault Execute(
        string path, IReadOnlyList<string> arguments, IReadOnlyList<string> environment)
    {
        using NativeStrings argv = new(arguments);
        using NativeStrings envp = new(environment);

        // SAFETY: both tables end with a null pointer and live until the exec succeeds or returns.
        fixed (byte* name = Encoding.UTF8.GetBytes(path + '\0'))
        {
            _ = LibC.execve(name, argv.Pointers, envp.Pointers);
            return LastErrno().ToFault($"execute {path}");
        }
    }

    /// <summary>True when this process's present user may execute the file where it lies.</summary>
    public static unsafe bool CanExecute(string path)
    {
        // SAFETY: zero-terminated and pinned. access(2) asks for the real user, who is changed as
        // well.
        fixed (byte* name = Encoding.UTF8.GetBytes(path + '\0'))
        {
            return LibC.access(name, 1) == 0;
        }
    }

    private static Fault? BindPrivately(JailOptions options)
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

    private static void DropBoundingSet()
    {
        for (int capability = 0; capability <= Process.CapabilityMax; capability++)
        {
            // EINVAL: the kernel knows no such capability. EPERM (a container without CAP_SETPCAP)
            // leaves the set, which no_new_privs below makes useless.
            _ = LibC.prctl(Process.PR_CAPBSET_DROP, (nuint)capability, 0, 0, 0);
        }

        _ = LibC.prctl(Process.PR_CAP_AMBIENT, Process.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    }

    private static unsafe Fault? ChangeUser(UserAccount user)
    {
        // SAFETY: zero groups are read from a null pointer.
        if (LibC.setgroups(0, null) < 0)
        {
            return LastErrno().ToFault("give up supplementary groups");
        }

        if (LibC.setresgid(user.Gid, user.Gid, user.Gid) < 0)
        {
            return LastErrno().ToFault($"become group {user.Gid}");
        }

        return LibC.setresuid(user.Uid, user.Uid, user.Uid) < 0
            ? LastErrno().ToFault($"become user {user}")
            : null;
    }

    private static unsafe Fault? ClearCapabilities()
    {
        cap_user_header header = new() { version = Process._LINUX_CAPABILITY_VERSION_3 };
        cap_user_data none = default;

        // SAFETY: the kernel reads the header and two data structs, which are exactly what is
        // there.
        return LibC.capset(&header, &none) < 0
            ? LastErrno().ToFault("clear capabilities")
            : null;
    }

    private static Fault? Control(int option, nuint value, string what) =>
        LibC.prctl(option, value, 0, 0, 0) < 0 ? LastErrno().ToFault(what) : null;

    /// <summary>
    /// Raises soft and hard limit to the wish, or the soft one as far as the hard one allows.
    /// </summary>
    private static unsafe void RaiseLimit(int resource, ulong wish)
    {
        rlimit limit;

        // SAFETY: the kernel writes one rlimit.
        if (LibC.getrlimit(resource, &limit) < 0)
        {
            return;
        }

        if (limit.rlim_max >= wish)
        {
            SetLimit(resource, Math.Max(limit.rlim_cur, wish), limit.rlim_max);
        }
        else if (!SetLimit(resource, wish, wish))
        {
            SetLimit(resource, limit.rlim_max, limit.rlim_max);
        }
    }

    private static unsafe bool SetLimit(int resource, ulong soft, ulong hard)
    {
        rlimit limit = new() { rlim_cur = soft, rlim_max = hard };

        // SAFETY: the kernel reads one rlimit.
        return LibC.setrlimit(resource, &limit) == 0;
    }

    private static Errno LastErrno() => new(Marshal.GetLastPInvokeError());
}
