using System.Runtime.InteropServices;
using System.Text;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Jailing;
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
        bool hasPrivateRoot = false;

        // 1. Limits first: raising a hard limit needs root.
        JailLimits.Set(options);
        if (UserAccount.IsRoot)
        {
            // 2. Namespaces need CAP_SYS_ADMIN, and mounts see the real paths, so they come before
            // the user changes.
            hasPrivateRoot = EnterNamespaces(options, waived);

            // 3. The bounding set, while CAP_SETPCAP is still ours: no later exec can regain
            // anything.
            DropBoundingSet();

            // 4. Groups, group, user: in this order, since each needs the privilege the next one
            // ends. The C library changes every thread of the process, as it must to stay
            // consistent.
            if (options.User is { } user && Privileges.ChangeUser(user) is { } fault)
            {
                return fault;
            }
        }
        else
        {
            waived.Add("not root: the worker runs as the caller");
        }

        // 5. Nothing stays permitted or inheritable, even when the user did not change. Then an
        // exec may never add privilege, not even of a set-user-id program.
        if ((ClearCapabilities() ?? Control(Process.PR_SET_NO_NEW_PRIVS, 1, "set no_new_privs"))
            is { } kept)
        {
            return kept;
        }

        // 6. Landlock after no_new_privs, which it asks for of those without privilege, and after
        // the mounts, which it forbids from here on. The exec keeps it, and so every thread of the
        // worker has it: taken on later, it would hold for one thread only.
        if (JailPlaces.Enforce(options, hasPrivateRoot) is { } open)
        {
            waived.Add($"no Landlock: {open.Message}");
        }

        // 7. Die with the supervisor. Only here: changing the user clears it (prctl(2)). If the
        // supervisor died before this line, the worker meets the end of its channel instead.
        if (Control(Process.PR_SET_PDEATHSIG, ChildProcess.SigKill, "set the parent-death signal")
            is { } deaf)
        {
            return deaf;
        }

        // 8. Affinity before the exec, so that every thread of the runtime inherits it.
        Result pinned = CoreAffinity.Set([.. options.Cores]);
        if (!pinned.IsOk)
        {
            waived.Add($"not pinned: {pinned.Fault.Message}");
        }

        // 9. Memory of its own node, likewise inherited: heap, ring and buffers alike.
        if (options.MemoryNode is { } node && MemoryPolicy.Prefer(node) is { IsOk: false } far)
        {
            waived.Add($"memory of any node: {far.Fault.Message}");
        }

        // 10. The exec closes all but the channel and the standard three. Not closed here and now:
        // the runtime is still using its own.
        return CloseOnExec(options.HighestKeptFd) is { } leaking ? leaking : waived;
    }

    /// <summary>
    /// Only the private root with its bindings, for a program that its user could not reach where
    /// it lies. Call on the thread that executes it.
    /// </summary>
    public static Fault? MakePrivateRoot(IReadOnlyDictionary<string, string> bindings) =>
        PrivateMounts.Make(
            new JailOptions { Cores = [], Bindings = bindings });

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

    /// <summary>
    /// Mounts and System V memory of its own. No process namespace: it would hold for children
    /// only, and a worker whose children would land in another one can start no thread (clone(2)).
    /// </summary>
    /// <returns>Whether the private root was made.</returns>
    private static bool EnterNamespaces(JailOptions options, List<string> waived)
    {
        if (LibC.unshare(Process.CLONE_NEWIPC) < 0)
        {
            waived.Add($"no private IPC: {LastErrno().Text}");
        }

        if (options.Bindings.Count == 0)
        {
            return false;
        }

        if (PrivateMounts.Make(options) is { } unbound)
        {
            waived.Add($"no private mounts: {unbound.Message}");
            return false;
        }

        if (PrivateMounts.HideProcesses() is { } visible)
        {
            waived.Add($"other processes stay visible: {visible.Message}");
        }

        return true;
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

    private static Fault? CloseOnExec(int highestKept) =>
        LibC.syscallCloseRange(
            Process.SYS_close_range,
            (uint)highestKept + 1,
            uint.MaxValue,
            Process.CLOSE_RANGE_CLOEXEC) < 0
            ? LastErrno().ToFault(
                "mark descriptors close-on-exec", "close_range needs Linux 5.11")
            : null;

    private static Fault? Control(int option, nuint value, string what) =>
        LibC.prctl(option, value, 0, 0, 0) < 0 ? LastErrno().ToFault(what) : null;

    private static Errno LastErrno() => new(Marshal.GetLastPInvokeError());
}
