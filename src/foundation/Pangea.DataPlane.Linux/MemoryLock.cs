using System.Globalization;

namespace Pangea.DataPlane.Linux;

/// <summary>
/// RLIMIT_MEMLOCK, which bounds the buffers that a process without CAP_IPC_LOCK may register with a
/// ring.
/// </summary>
public static class MemoryLock
{
    private const long MebiByte = 1024 * 1024;

    /// <summary>The soft limit in bytes; null for unlimited or unknown.</summary>
    public static long? Bytes
    {
        get
        {
            try
            {
                foreach (string line in File.ReadLines("/proc/self/limits"))
                {
                    const string name = "Max locked memory";
                    if (line.StartsWith(name, StringComparison.Ordinal))
                    {
                        string[] fields = line[name.Length..]
                            .Split(' ', StringSplitOptions.RemoveEmptyEntries);
                        return long.TryParse(
                            fields[0], CultureInfo.InvariantCulture, out long bytes) ? bytes : null;
                    }
                }
            }
            catch (IOException)
            {
                // No /proc: unknown.
            }

            return null;
        }
    }

    /// <summary>"8192 KiB" or "unlimited".</summary>
    public static string Describe() =>
        Bytes is long bytes ? $"{bytes / 1024} KiB" : "unlimited";

    /// <summary>What was found, what is needed, and the very lines that raise it.</summary>
    /// <param name="neededBytes">The limit counts all processes of a user together; this is
    /// ours.</param>
    public static string Shortage(long neededBytes) =>
        $"memlock is {Describe()}, {(neededBytes + 1023) / 1024} KiB are needed; "
            + HintFor(neededBytes);

    /// <summary>The lines alone.</summary>
    public static string HintFor(long neededBytes)
    {
        // Room for other processes of the user, the supervisor's ring among them.
        const long spareBytes = 2 * MebiByte;

        // Where ours alone would fit, others of the user hold the limit, for an instant at least: a
        // worker whose place was taken.
        long heldBytes = Bytes is long limit && limit >= neededBytes ? limit : 0;
        long mebibytes = (heldBytes + neededBytes + spareBytes + MebiByte - 1) / MebiByte;
        return $"set LimitMEMLOCK={mebibytes}M in the [Service] section of its unit, or "
            + $"ulimit -l {mebibytes * 1024} in the shell that starts it";
    }
}
