using System.Runtime.InteropServices;
using Pangea.DataPlane.Linux.Abi;

namespace Pangea.DataPlane.Linux.Sys;

internal static unsafe partial class LibC
{
    // open(2), prctl(2), fcntl(2) and syscall(2) are variadic. With integer and pointer arguments
    // only, the calling conventions of x86-64 and arm64 Linux pass them as in an ordinary call.
    [LibraryImport("libc", EntryPoint = "open", SetLastError = true)]
    internal static partial int openPath(byte* path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int prctl(int option, nuint arg2, nuint arg3, nuint arg4, nuint arg5);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    internal static partial int fcntlDuplicate(int fd, int command, int lowest);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint syscallPidfdOpen(nint number, int pid, uint flags);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint syscallPidfdSendSignal(
        nint number, int pidfd, int signal, void* info, uint flags);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint syscallCloseRange(nint number, uint first, uint last, uint flags);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int capset(cap_user_header* header, cap_user_data* data);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int getrlimit(int resource, rlimit* limit);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int setrlimit(int resource, rlimit* limit);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int unshare(int flags);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int mount(
        byte* source, byte* target, byte* type, nuint flags, byte* data);

    [LibraryImport("libc", EntryPoint = "mkdir", SetLastError = true)]
    internal static partial int makeDirectory(byte* path, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int chdir(byte* path);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int access(byte* path, int mode);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int setgroups(nuint count, uint* groups);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int setresgid(uint real, uint effective, uint saved);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int setresuid(uint real, uint effective, uint saved);

    [LibraryImport("libc")]
    internal static partial uint geteuid();

    [LibraryImport("libc")]
    internal static partial uint getegid();

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int sched_setaffinity(int pid, nuint bytes, cpu_set* mask);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int sched_getaffinity(int pid, nuint bytes, cpu_set* mask);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int setpriority(int which, uint who, int priority);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int execve(byte* path, byte** argv, byte** envp);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int waitid(int type, int id, siginfo_child* info, int options);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int signalfd(int fd, sigset* signals, int flags);

    // Returns the errno instead of setting it, as does the posix_spawn family.
    [LibraryImport("libc")]
    internal static partial int pthread_sigmask(int how, sigset* signals, sigset* before);

    // The posix_spawn family returns the errno instead of setting it; so does getpwnam_r.
    [LibraryImport("libc")]
    internal static partial int posix_spawn(
        int* pid,
        byte* path,
        spawn_opaque* actions,
        spawn_opaque* attributes,
        byte** argv,
        byte** envp);

    [LibraryImport("libc")]
    internal static partial int posix_spawn_file_actions_init(spawn_opaque* actions);

    [LibraryImport("libc")]
    internal static partial int posix_spawn_file_actions_adddup2(
        spawn_opaque* actions, int fd, int target);

    [LibraryImport("libc")]
    internal static partial int posix_spawn_file_actions_destroy(spawn_opaque* actions);

    [LibraryImport("libc")]
    internal static partial int posix_spawnattr_init(spawn_opaque* attributes);

    [LibraryImport("libc")]
    internal static partial int posix_spawnattr_setflags(spawn_opaque* attributes, short flags);

    [LibraryImport("libc")]
    internal static partial int posix_spawnattr_setsigdefault(
        spawn_opaque* attributes, sigset* signals);

    [LibraryImport("libc")]
    internal static partial int posix_spawnattr_setsigmask(
        spawn_opaque* attributes, sigset* signals);

    [LibraryImport("libc")]
    internal static partial int posix_spawnattr_destroy(spawn_opaque* attributes);

    [LibraryImport("libc")]
    internal static partial int getpwnam_r(
        byte* name, passwd* entry, byte* buffer, nuint bufferBytes, passwd** found);
}
