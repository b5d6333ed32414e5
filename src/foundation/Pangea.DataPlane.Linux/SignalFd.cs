using System.Runtime.InteropServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux;

/// <summary>
/// Signals as something to read. They are blocked and wait in the kernel until somebody reads them,
/// also while a process executes its next program: there is no instant at which one is lost or does
/// what it does by default (signal(7): mask and pending signals survive execve(2)).
/// </summary>
/// <remarks>
/// A signal of the process goes to any thread that does not block it, so each has to. Threads get
/// the mask of the one that makes them: block before the runtime starts, which is before the exec.
/// </remarks>
public sealed unsafe class SignalFd : IDisposable
{
    /// <summary>Numbers of signal(7).</summary>
    public const int HangUp = Signal.SIGHUP;

    /// <inheritdoc cref="HangUp"/>
    public const int Interrupt = Signal.SIGINT;

    /// <inheritdoc cref="HangUp"/>
    public const int User2 = Signal.SIGUSR2;

    /// <inheritdoc cref="HangUp"/>
    public const int Terminate = Signal.SIGTERM;

    private SignalFd(OwnedFd fd) => Fd = fd;

    /// <summary>Readable as long as a signal waits.</summary>
    public OwnedFd Fd { get; }

    /// <summary>
    /// Blocks the signals in the calling thread, in those it makes from now on, and in the program
    /// that it executes. Children that <see cref="ChildProcess"/> starts do not get the mask.
    /// </summary>
    public static void Block(params ReadOnlySpan<int> signals)
    {
        sigset set = SetOf(signals);

        // SAFETY: the set outlives the call; a null pointer asks for no answer.
        int failed = LibC.pthread_sigmask(Signal.SIG_BLOCK, &set, null);
        Invariant.Check(failed == 0, "sigprocmask(2) fails for bad arguments only");
    }

    /// <summary>The signals must be blocked in every thread, or the others take them.</summary>
    public static Result<SignalFd> Create(params ReadOnlySpan<int> signals)
    {
        sigset set = SetOf(signals);

        // SAFETY: the set outlives the call.
        SysResult result = Call.Of(
            LibC.signalfd(-1, &set, Signal.SFD_CLOEXEC | Signal.SFD_NONBLOCK));
        return result.IsOk
            ? new SignalFd(new OwnedFd((int)result.Value))
            : result.Errno.ToFault("make a signalfd");
    }

    /// <summary>Takes a signal that waits; null where none does.</summary>
    public int? Read()
    {
        signalfd_siginfo info;

        // SAFETY: the kernel writes at most one struct, whose whole length is there.
        nint bytes = LibC.read(Fd.Number, &info, (nuint)sizeof(signalfd_siginfo));
        return bytes == sizeof(signalfd_siginfo) ? (int)info.ssi_signo : null;
    }

    public void Dispose() => Fd.Dispose();

    private static sigset SetOf(ReadOnlySpan<int> signals)
    {
        sigset set = default;
        foreach (int signal in signals)
        {
            ((Span<ulong>)set)[(signal - 1) / 64] |= 1UL << ((signal - 1) % 64);
        }

        return set;
    }
}
