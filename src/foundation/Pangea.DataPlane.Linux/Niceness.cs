using System.Globalization;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux;

/// <summary>How threads of a process stand against those of others (setpriority(2)).</summary>
public static class Niceness
{
    private const int LooksMax = 3;

    /// <summary>
    /// Ends what <see cref="JailOptions.Niceness"/> began, for every thread: niceness is a
    /// thread's, and a new thread has its maker's. Looks again in case one was made meanwhile.
    /// </summary>
    /// <returns>How many threads it has now that stand like any other's.</returns>
    public static int Restore(int pid)
    {
        var done = new HashSet<uint>();
        for (int look = 0; look < LooksMax; look++)
        {
            int before = done.Count;
            foreach (string path in Threads(pid))
            {
                uint thread = uint.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture);
                if (!done.Contains(thread)
                    && LibC.setpriority(Process.PRIO_PROCESS, thread, 0) == 0)
                {
                    done.Add(thread);
                }
            }

            if (done.Count == before)
            {
                break;
            }
        }

        return done.Count;
    }

    private static string[] Threads(int pid)
    {
        try
        {
            return Directory.GetDirectories($"/proc/{pid}/task");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return []; // It has just ended.
        }
    }
}
