using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Pangea.DataPlane.Benchmarks.Workers;

/// <summary>
/// An appliance whose log is read as it comes, so that the moment of an event is known without a
/// client that asks all the time. Disposing ends it in order; the state stays.
/// </summary>
internal sealed partial class StartedAppliance : IDisposable
{
    private static readonly TimeSpan s_eventTimeMax = TimeSpan.FromSeconds(30);

    private readonly Process _supervisor;
    private readonly object _gate = new();
    private readonly List<(string Line, long Ticks)> _log = [];

    private StartedAppliance(
        string state, string[] arguments, (string Name, string Value)[] environment)
    {
        SocketPath = Path.Combine(state, "control.sock");
        string executable = Environment.GetEnvironmentVariable("PANGEA_EXECUTABLE") ?? "pangea";
        var start = new ProcessStartInfo(
            executable,
            ["supervise", "--state", state, "--socket", SocketPath, .. arguments])
        {
            RedirectStandardError = true,
        };
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        long started = Stopwatch.GetTimestamp();
        _supervisor = Process.Start(start)!;
        _supervisor.ErrorDataReceived += (_, line) => Note(line.Data);
        _supervisor.BeginErrorReadLine();
        (string line, long ticks) = WaitFor("worker.started", 1);
        ReadyTime = Stopwatch.GetElapsedTime(started, ticks);
        WorkerPid = PidOf(line);
    }

    /// <summary>From the start of the supervisor's process to its worker's readiness.</summary>
    internal TimeSpan ReadyTime { get; }

    internal int SupervisorPid => _supervisor.Id;

    /// <summary>Of the first worker.</summary>
    internal int WorkerPid { get; }

    internal string SocketPath { get; }

    internal static StartedAppliance Start(string state, params string[] arguments) =>
        new(state, arguments, []);

    /// <summary>With variables that force a choice.</summary>
    internal static StartedAppliance Start(
        string state, string[] arguments, (string Name, string Value)[] environment) =>
        new(state, arguments, environment);

    /// <summary>Waits until an event was logged so often; that line and when it came.</summary>
    internal (string Line, long Ticks) WaitFor(string name, int count)
    {
        long deadline = Environment.TickCount64 + (long)s_eventTimeMax.TotalMilliseconds;
        lock (_gate)
        {
            while (true)
            {
                (string Line, long Ticks)[] found =
                    [.. _log.Where(each => each.Line.Contains(name, StringComparison.Ordinal))];
                if (found.Length >= count)
                {
                    return found[count - 1];
                }

                if (Environment.TickCount64 > deadline)
                {
                    throw new InvalidOperationException(
                        $"no {name}; the log says: "
                        + string.Join('\n', _log.Select(each => each.Line)));
                }

                Monitor.Wait(_gate, 100);
            }
        }
    }

    /// <summary>The process that an event's line is about.</summary>
    internal static int PidOf(string line) =>
        int.Parse(PidPattern().Match(line).Groups[1].Value, CultureInfo.InvariantCulture);

    public void Dispose()
    {
        Signals.Send(_supervisor.Id, Signals.Term);
        if (!_supervisor.WaitForExit(15_000))
        {
            _supervisor.Kill(entireProcessTree: true);
        }

        _supervisor.Dispose();
    }

    private void Note(string? line)
    {
        lock (_gate)
        {
            _log.Add((line ?? "", Stopwatch.GetTimestamp()));
            Monitor.PulseAll(_gate);
        }
    }

    [GeneratedRegex(@"\bpid=(\d+)")]
    private static partial Regex PidPattern();
}
