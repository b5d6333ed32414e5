using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Linux.Abi;

// Kernel names stay verbatim, and the kernel writes them in lower case.
#pragma warning disable CS8981

/// <summary>signal(7), sigprocmask(2) and signalfd(2).</summary>
internal static class Signal
{
    internal const int SIGHUP = 1;
    internal const int SIGINT = 2;
    internal const int SIGUSR2 = 12;
    internal const int SIGTERM = 15;

    internal const int SIG_BLOCK = 0;

    internal const int SFD_CLOEXEC = 0x80000;
    internal const int SFD_NONBLOCK = 0x800;
}

/// <summary>struct signalfd_siginfo of signalfd(2): 128 bytes, of which we use the first.</summary>
[StructLayout(LayoutKind.Explicit, Size = 128)]
internal struct signalfd_siginfo
{
    [FieldOffset(0)]
    internal uint ssi_signo;
}
