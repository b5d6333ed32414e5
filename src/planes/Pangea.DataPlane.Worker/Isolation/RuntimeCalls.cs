using Pangea.DataPlane.Linux.Jailing;
using static Pangea.DataPlane.Worker.Isolation.CallRules;

namespace Pangea.DataPlane.Worker.Isolation;

/// <summary>
/// System calls of the .NET runtime and the C library in any worker that has started, whatever its
/// role. Found by tracing, and kept honest by a test that traces again.
/// </summary>
internal static class RuntimeCalls
{
    private const ulong CLONE_THREAD = 0x10000;
    private const ulong PR_SET_NAME = 15;
    private const ulong PR_SET_VMA = 0x53564d41;
    private const ulong TCGETS = 0x5401;

    public static readonly SystemCallRule[] Rules =
    [
        // Memory: the collector's heap, thread stacks, and code that is compiled while it runs,
        // which the runtime writes through a second mapping and then makes executable.
        Allow("mmap", "heap, stacks, compiled code, libraries"),
        Allow("munmap", "the same, given back"),
        Allow("mprotect", "compiled code becomes executable"),
        Allow("madvise", "the collector gives pages back"),
        Rarely("mremap", "realloc of the C library for large blocks"),
        Rarely("brk", "malloc of the C library"),
        Rarely("mincore", "the runtime tests whether an address is mapped"),
        Rarely("memfd_create", "another piece of the double mapping of compiled code"),
        Rarely("mlock", "the runtime's write barrier, where membarrier is missing"),
        Rarely("get_mempolicy", "the collector asks for the memory nodes"),
        Rarely("mbind", "the collector on machines with several memory nodes"),
        Rarely("set_mempolicy", "the same"),

        // Threads: the pool, the compiler's in the background, the collector's.
        Allow("futex", "every lock and wait"),
        Allow("sched_yield", "spinning locks"),
        Rarely("futex_waitv", "newer C libraries"),
        Rarely("rseq", "the C library, once a thread"),
        Rarely("set_robust_list", "the C library, once a thread"),
        Rarely("set_tid_address", "the C library"),
        Rarely("clone", "a thread; a process needs another flag and is refused",
            new ArgumentCondition(0, CLONE_THREAD, CLONE_THREAD)),
        Missing("clone3", "its flags lie behind a pointer: the C library falls back to clone"),
        Rarely("prctl", "a thread's name", new ArgumentCondition(0, PR_SET_NAME)),
        Rarely("prctl", "the C library names mappings", new ArgumentCondition(0, PR_SET_VMA)),
        Allow("gettid", "locks remember their owner"),
        Rarely("getpid", "signals to its own threads"),
        Rarely("exit", "a thread of the pool that has nothing to do ends"),
        Rarely("exit_group", "the end"),
        Rarely("restart_syscall", "the kernel, after a stop"),
        Rarely("sched_getaffinity", "a new thread asks for its cores"),
        Rarely("sched_setaffinity", "a new thread takes its place"),
        Rarely("sched_getparam", "priority of a new thread"),
        Rarely("sched_getscheduler", "the same"),
        Rarely("sched_setscheduler", "the ordinary policy for a new thread, and no other",
            new ArgumentCondition(1, 0)),
        Rarely("sched_get_priority_max", "priority of a new thread"),
        Rarely("sched_get_priority_min", "the same"),
        Rarely("getpriority", "the same"),
        Rarely("setpriority", "the runtime lowers its tiering thread"),
        Rarely("getcpu", "the thread pool without vdso"),
        Rarely("membarrier", "the collector stops the others; a lock's slow path"),

        // Signals: the collector interrupts its own threads with one, faults become exceptions.
        Rarely("rt_sigprocmask", "a new thread begins with signals blocked"),
        Rarely("rt_sigaction", "handlers at the end"),
        Rarely("rt_sigreturn", "the end of a handler"),
        Rarely("sigaltstack", "the stack of a thread's handlers"),

        // Time.
        Rarely("clock_gettime", "where the vdso has no clock"),
        Rarely("clock_getres", "the same"),
        Rarely("gettimeofday", "the same"),
        Rarely("time", "the same"),
        Rarely("clock_nanosleep", "waits without a lock"),
        Rarely("nanosleep", "the same"),

        // What the machine has, and how much of it is used.
        Rarely("getrusage", "the thread pool measures the processor's load"),
        Rarely("sysinfo", "the collector asks for free memory"),
        Rarely("uname", "the C library"),
        Rarely("times", "the same as getrusage"),
        Rarely("getrandom", "seeds of hash tables, nonces"),
        Rarely("prlimit64", "limits, read: a new value is refused", new ArgumentCondition(2, 0)),
        Rarely("getrlimit", "the same"),
        Rarely("getuid", "the C library"),
        Rarely("geteuid", "the same"),
        Rarely("getgid", "the same"),
        Rarely("getegid", "the same"),

        // Files that the runtime reads: assemblies and libraries that are needed for the first
        // time, /proc/self, the control group. Which ones is Landlock's to decide.
        Allow("openat", "assemblies, devices' files"),
        Rarely("open", "the same, by libraries that still use it"),
        Allow("close", "whatever was opened"),
        Allow("read", "the same"),
        Rarely("fstat", "lengths"),
        Rarely("newfstatat", "the same"),
        Rarely("stat", "the same"),
        Rarely("lstat", "the same"),
        Rarely("access", "whether a file is there"),
        Rarely("faccessat", "the same"),
        Missing("faccessat2", "the C library falls back to faccessat"),
        Missing("openat2", "its flags lie behind a pointer; nobody needs it"),
        Rarely("readlink", "where a link leads"),
        Rarely("readlinkat", "the same"),
        Rarely("getcwd", "paths made whole"),
        Rarely("dup", "the runtime's copies of the standard three"),
        Rarely("dup2", "the same"),
        Rarely("dup3", "the same"),
        Rarely("fadvise64", "the runtime's hint for files it reads once"),
        Rarely("ioctl", "is it a terminal?", new ArgumentCondition(1, TCGETS)),
        Rarely("poll", "the console, the plain loop"),
        Rarely("ppoll", "the same"),
        Rarely("pipe2", "the runtime's own wake-ups"),
    ];

    /// <summary>Signals to threads of this very process and to no other.</summary>
    public static SystemCallRule OwnSignals(int pid) =>
        Rarely("tgkill", "the collector interrupts its threads; the end by a defect",
            new ArgumentCondition(0, (ulong)pid));
}
