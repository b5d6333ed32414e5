using System.Globalization;

namespace Pangea.DataPlane.Linux;

/// <summary>
/// RLIMIT_MEMLOCK, which bounds the buffers that a process without CAP_IPC_LOCK may register with a
/// ring.
/// </summary>
public static class MemoryLock
{
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
}
