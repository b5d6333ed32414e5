using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux.Jailing;

/// <summary>The limits of a jailed program (getrlimit(2)).</summary>
/// <remarks>
/// RLIMIT_FSIZE stays: the bound holds for every file a process writes, and that of a caller who
/// gets a large object is one. RLIMIT_AS stays: the runtime reserves far more than it uses.
/// </remarks>
internal static class JailLimits
{
    // The kernel counts processes and threads by user, and all workers share theirs: 64 workers of
    // 64 threads. A worker that starts programs is stopped by other means.
    private const ulong ProcessesMax = 4096;

    /// <summary>Niceness 0 as getrlimit(2) counts it, from 20 down.</summary>
    private const ulong NicenessNone = 20;

    /// <summary>Sets them all; raising a hard limit needs root.</summary>
    public static void Set(JailOptions options)
    {
        Raise(Process.RLIMIT_NOFILE, options.OpenFilesMax);
        Raise(Process.RLIMIT_MEMLOCK, options.LockedBytesMax);

        // A core dump would write keys and plain text to disk.
        Set(Process.RLIMIT_CORE, 0, 0);

        // No worker uses message queues, and they would hold kernel memory.
        Set(Process.RLIMIT_MSGQUEUE, 0, 0);
        if (options.User is not null)
        {
            // Not for the caller's own user: their other processes count too.
            Set(Process.RLIMIT_NPROC, ProcessesMax, ProcessesMax);
        }

        // Behind others only where it can be brought back: to 0, never before others. The limit is
        // the same for those that are behind nobody.
        if (Set(Process.RLIMIT_NICE, NicenessNone, NicenessNone) && options.Niceness > 0)
        {
            _ = LibC.setpriority(Process.PRIO_PROCESS, 0, options.Niceness);
        }
    }

    /// <summary>
    /// Raises soft and hard limit to the wish, or the soft one as far as the hard one allows.
    /// </summary>
    private static unsafe void Raise(int resource, ulong wish)
    {
        rlimit limit;

        // SAFETY: the kernel writes one rlimit.
        if (LibC.getrlimit(resource, &limit) < 0)
        {
            return;
        }

        if (limit.rlim_max >= wish)
        {
            Set(resource, Math.Max(limit.rlim_cur, wish), limit.rlim_max);
        }
        else if (!Set(resource, wish, wish))
        {
            Set(resource, limit.rlim_max, limit.rlim_max);
        }
    }

    private static unsafe bool Set(int resource, ulong soft, ulong hard)
    {
        rlimit limit = new() { rlim_cur = soft, rlim_max = hard };

        // SAFETY: the kernel reads one rlimit.
        return LibC.setrlimit(resource, &limit) == 0;
    }
}
