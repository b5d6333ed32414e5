using System.Globalization;

namespace Pangea.DataPlane.Supervisor.Processes;

/// <summary>
/// Decides from looks at a worker's heartbeat whether its loop stands still. Counted in looks, not
/// in time: when the whole machine was suspended, that is one look. A worker that wants to run and
/// gets no processor is starved, not stuck; to kill it would only add to the load.
/// </summary>
/// <param name="looksMax">Looks in a row without a beat that are too many.</param>
internal sealed class StallWatch(int looksMax)
{
    /// <summary>
    /// Hundredths of a second of processor time in which any loop that is not stuck turns.
    /// </summary>
    private const long TicksToTurn = 20;

    private long _beats = -1;
    private long _ticks;

    /// <summary>Looks in a row without a beat that are too many.</summary>
    public int LooksMax { get; set; } = looksMax;

    /// <summary>Looks in a row without a beat.</summary>
    public int Still { get; private set; }

    /// <summary>True where the loop stood still for too long.</summary>
    /// <param name="beats">The heartbeat as it is now.</param>
    /// <param name="isRunnable">Whether its thread waits for a processor.</param>
    /// <param name="ticks">Processor time it has had, hundredths of a second.</param>
    public bool Look(long beats, bool isRunnable, long ticks)
    {
        bool hadTime = ticks - _ticks >= TicksToTurn;
        if (beats != _beats)
        {
            Still = 0;
        }
        else if (!isRunnable || hadTime)
        {
            Still++;
        }

        _beats = beats;
        _ticks = ticks;
        return Still >= LooksMax;
    }

    /// <summary>State and processor time of a process's first thread (proc(5)).</summary>
    public static (bool IsRunnable, long Ticks) Read(int pid)
    {
        try
        {
            string text = File.ReadAllText($"/proc/{pid}/task/{pid}/stat");

            // The name in parentheses may contain anything, so the fields are counted after it:
            // state is the third, user and system time are the fourteenth and fifteenth.
            string[] fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            return fields.Length > 12
                ? (fields[0] == "R", Number(fields[11]) + Number(fields[12]))
                : default;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return default; // It has just ended.
        }
    }

    private static long Number(string text) =>
        long.TryParse(text, CultureInfo.InvariantCulture, out long number) ? number : 0;
}
