using System.Runtime.InteropServices;
using System.Text;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux;

/// <summary>One descriptor for a child: which of ours, and the number it has there.</summary>
public readonly record struct DescriptorMapping(OwnedFd Source, int Target);

/// <summary>
/// A process that we started and have to reap. Its pidfd becomes readable when it ends. Started
/// with posix_spawn: a fork of a managed process would copy one thread and the locks of all the
/// others.
/// </summary>
/// <remarks>
/// A parent-death signal that the child asks for fires when the <em>thread</em> that started it
/// ends (prctl(2)), so start children from the thread that lives as long as the process.
/// </remarks>
public sealed class ChildProcess : IDisposable
{
    /// <summary>SIGKILL and SIGTERM of signal(7).</summary>
    public const int SigKill = 9;

    /// <inheritdoc cref="SigKill"/>
    public const int SigTerm = 15;

    private readonly Func<int, ExitStatus?>? _reap;
    private ExitStatus? _status;

    private ChildProcess(int pid, OwnedFd pidFd, Func<int, ExitStatus?>? reap = null)
    {
        Pid = pid;
        PidFd = pidFd;
        _reap = reap;
    }

    public int Pid { get; }

    /// <summary>Readable from the moment the process has ended; owned by this object.</summary>
    public OwnedFd PidFd { get; }

    /// <summary>
    /// Starts a program. It gets the mapped descriptors and no others of ours, since all are
    /// close-on-exec; 0, 1 and 2 are inherited unless mapped. All its signals are at their defaults
    /// and unblocked.
    /// </summary>
    /// <param name="path">The executable; PATH is not searched.</param>
    /// <param name="arguments">argv, the program's own name first.</param>
    /// <param name="environment">"NAME=value" each; nothing is inherited beside them.</param>
    /// <param name="descriptors">Stay the caller's.</param>
    public static Result<ChildProcess> Start(
        string path,
        IReadOnlyList<string> arguments,
        IReadOnlyList<string> environment,
        ReadOnlySpan<DescriptorMapping> descriptors)
    {
        Invariant.Check(arguments.Count > 0);
        int lowest = 0;
        foreach (DescriptorMapping mapping in descriptors)
        {
            lowest = Math.Max(lowest, mapping.Target + 1);
        }

        // dup2 actions run one after another, so a source that has the number of an earlier target
        // would be overwritten. Copies above all targets cannot be.
        List<OwnedFd> copies = [];
        try
        {
            foreach (DescriptorMapping mapping in descriptors)
            {
                int copy = LibC.fcntlDuplicate(
                    mapping.Source.Number, Process.F_DUPFD_CLOEXEC, lowest);
                if (copy < 0)
                {
                    return LastErrno().ToFault($"duplicate {mapping.Source} for {path}");
                }

                copies.Add(new OwnedFd(copy));
            }

            return Spawn(path, arguments, environment, descriptors, copies);
        }
        finally
        {
            copies.ForEach(copy => copy.Dispose());
        }
    }

    /// <summary>
    /// A process that somebody else started for us and has to reap: only its parent learns how it
    /// ended (waitid(2)).
    /// </summary>
    /// <param name="pid">Its id.</param>
    /// <param name="pidFd">Owned from now on.</param>
    /// <param name="reap">Asks the parent; null while it runs.</param>
    public static ChildProcess OfOther(int pid, OwnedFd pidFd, Func<int, ExitStatus?> reap) =>
        new(pid, pidFd, reap);

    /// <summary>
    /// A process that this one started before it executed its present program.
    /// </summary>
    public static Result<ChildProcess> OfEarlierProgram(int pid) => WithPidFd(pid, "of before");

    /// <summary>How it ended, or null while it runs. Never waits.</summary>
    public unsafe ExitStatus? TryReap()
    {
        if (_status is not null)
        {
            return _status;
        }

        if (_reap is not null)
        {
            return _status = _reap(Pid);
        }

        siginfo_child info = default;
        int result;
        do
        {
            // SAFETY: the kernel fills at most the 128 bytes of siginfo_t, which the struct has.
            result = LibC.waitid(
                Process.P_PIDFD, PidFd.Number, &info, Process.WEXITED | Process.WNOHANG);
        }
        while (result < 0 && LastErrno() == Errno.EINTR);

        if (result < 0)
        {
            // ECHILD: reaped already, as happens where SIGCHLD was ignored when this process
            // started.
            _status = ExitStatus.Unknown;
        }
        else if (info.si_pid != 0)
        {
            _status = info.si_code == Process.CLD_EXITED
                ? new ExitStatus(info.si_status, -1)
                : new ExitStatus(-1, info.si_status);
        }

        return _status;
    }

    /// <summary>Sends a signal to exactly this process; ESRCH when it has ended.</summary>
    public unsafe SysResult Kill(int signal)
    {
        // SAFETY: a null siginfo asks the kernel to fill in its own.
        nint result = LibC.syscallPidfdSendSignal(
            Process.SYS_pidfd_send_signal, PidFd.Number, signal, null, 0);
        return result == 0 ? new SysResult(0) : SysResult.Fail(LastErrno());
    }

    /// <summary>Forgets the process; one that was not reaped stays a zombie until we end.</summary>
    public void Dispose() => PidFd.Dispose();

    private static unsafe Result<ChildProcess> Spawn(
        string path,
        IReadOnlyList<string> arguments,
        IReadOnlyList<string> environment,
        ReadOnlySpan<DescriptorMapping> descriptors,
        List<OwnedFd> copies)
    {
        spawn_opaque actions = default;
        spawn_opaque attributes = default;
        sigset none = default;
        sigset all = default;
        ((Span<ulong>)all).Fill(ulong.MaxValue);

        // SAFETY: the two opaque objects are larger than the C library's, live on this stack frame
        // until destroyed below, and are initialised before use.
        Invariant.Check(LibC.posix_spawn_file_actions_init(&actions) == 0);
        Invariant.Check(LibC.posix_spawnattr_init(&attributes) == 0);
        try
        {
            for (int i = 0; i < copies.Count; i++)
            {
                int added = LibC.posix_spawn_file_actions_adddup2(
                    &actions, copies[i].Number, descriptors[i].Target);
                if (added != 0)
                {
                    return new Errno(added).ToFault(
                        $"pass descriptor {descriptors[i].Target} to {path}");
                }
            }

            // Ignored signals survive an exec, and the runtime ignores SIGPIPE: start from the
            // defaults.
            Invariant.Check(LibC.posix_spawnattr_setflags(
                &attributes, Process.POSIX_SPAWN_SETSIGDEF | Process.POSIX_SPAWN_SETSIGMASK) == 0);
            Invariant.Check(LibC.posix_spawnattr_setsigdefault(&attributes, &all) == 0);
            Invariant.Check(LibC.posix_spawnattr_setsigmask(&attributes, &none) == 0);

            using NativeStrings argv = new(arguments);
            using NativeStrings envp = new(environment);
            int pid;
            int result;
            fixed (byte* name = Encoding.UTF8.GetBytes(path + '\0'))
            {
                result = LibC.posix_spawn(
                    &pid, name, &actions, &attributes, argv.Pointers, envp.Pointers);
            }

            if (result != 0)
            {
                return new Errno(result).ToFault($"start {path}");
            }

            return WithPidFd(pid, path);
        }
        finally
        {
            _ = LibC.posix_spawn_file_actions_destroy(&actions);
            _ = LibC.posix_spawnattr_destroy(&attributes);
        }
    }

    private static Result<ChildProcess> WithPidFd(int pid, string path)
    {
        // The number cannot have been reused: an ended child stays a zombie until it is reaped.
        nint fd = LibC.syscallPidfdOpen(Process.SYS_pidfd_open, pid, 0);
        return fd >= 0
            ? new ChildProcess(pid, new OwnedFd((int)fd))
            : LastErrno().ToFault($"watch process {pid} ({path})", "pidfd_open needs Linux 5.3");
    }

    private static Errno LastErrno() => new(Marshal.GetLastPInvokeError());
}
