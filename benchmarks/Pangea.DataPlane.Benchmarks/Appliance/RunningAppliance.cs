using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Pangea.DataPlane.Benchmarks.Appliance;

/// <summary>
/// A real appliance in processes of its own, on a fresh state directory, used through the command
/// line as anybody would. Disposing it ends the processes and removes the state.
/// </summary>
public sealed partial class RunningAppliance : IDisposable
{
    private const int SigTerm = 15;
    private static readonly TimeSpan s_startMax = TimeSpan.FromSeconds(30);

    private readonly Process _supervisor;
    private readonly Task _log;
    private readonly string _executable;
    private readonly string _socket;

    private RunningAppliance(string executable, string state, string socket)
    {
        _executable = executable;
        _socket = socket;
        StateDirectory = state;
        ProcessStartInfo start = new(
            executable,
            [
                "supervise", "--state", state, "--socket", socket,
                "--device-places", Path.GetDirectoryName(Path.GetFullPath(state))!,
            ])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        long started = Stopwatch.GetTimestamp();
        _supervisor = Process.Start(start)!;
        _log = DrainAsync(_supervisor.StandardError, Path.Combine(state, "..", "bench.log"));
        _ = _supervisor.StandardOutput.ReadToEndAsync();
        while (Run(["status", "--json"]).Code != 0)
        {
            if (_supervisor.HasExited || Stopwatch.GetElapsedTime(started) > s_startMax)
            {
                throw new InvalidOperationException(
                    $"the appliance did not start; see bench.log beside {state}");
            }

            Thread.Sleep(5);
        }

        StartTime = Stopwatch.GetElapsedTime(started);
    }

    public string StateDirectory { get; }

    /// <summary>From starting the supervisor until a client had its first answer.</summary>
    public TimeSpan StartTime { get; }

    public int SupervisorPid => _supervisor.Id;

    /// <summary>Starts on an empty state below the given directory.</summary>
    public static RunningAppliance Start(string executable, string directory)
    {
        string state = Path.Combine(directory, "state");
        if (Directory.Exists(state))
        {
            Directory.Delete(state, recursive: true);
        }

        Directory.CreateDirectory(state);
        return StartOn(executable, directory);
    }

    /// <summary>Starts on the state that is below the given directory.</summary>
    public static RunningAppliance StartOn(string executable, string directory) => new(
        executable, Path.Combine(directory, "state"), SocketIn(directory));

    /// <summary>Where an appliance that was started below a directory listens.</summary>
    public static string SocketIn(string directory) => Path.Combine(directory, "control.sock");

    /// <summary>Runs a client verb; its time is that of the whole process, start
    /// included.</summary>
    public (int Code, string Output, TimeSpan Time) Run(string[] arguments) =>
        Execute(_executable, [.. arguments, "--socket", _socket]);

    /// <summary>Runs a client verb that has to succeed.</summary>
    public TimeSpan MustRun(params string[] arguments)
    {
        (int code, string output, TimeSpan time) = Run(arguments);
        return code == 0
            ? time
            : throw new InvalidOperationException(
                $"pangea {string.Join(' ', arguments)} ended with {code}: {output}");
    }

    public int WorkerPid()
    {
        using JsonDocument answer = JsonDocument.Parse(Run(["worker", "list", "--json"]).Output);
        return answer.RootElement.GetProperty("workers")[0].GetProperty("pid").GetInt32();
    }

    /// <summary>
    /// Deletes the first devices' directories under the running appliance. A file stands in the
    /// place of each: the supervisor would make new directories, and what is measured would soon be
    /// neither without them nor undisturbed by refilling them.
    /// </summary>
    public void LoseDevices(int count)
    {
        for (int index = 0; index < count; index++)
        {
            string path = Path.Combine(StateDirectory, "devices", $"{index:D2}");
            Directory.Delete(path, recursive: true);
            File.WriteAllText(path, "");
        }
    }

    /// <summary>The most memory a process ever held, in MiB.</summary>
    public static double PeakMebibytes(int pid) => Mebibytes(pid, "VmHWM");

    /// <summary>A line of <c>/proc/PID/status</c> that counts memory (proc(5)), in MiB.</summary>
    public static double Mebibytes(int pid, string field)
    {
        string line = File.ReadLines($"/proc/{pid}/status")
            .First(line => line.StartsWith(field + ":", StringComparison.Ordinal));
        return double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]) / 1024;
    }

    /// <summary>Runs a program to its end; errors are part of the output.</summary>
    public static (int Code, string Output, TimeSpan Time) Execute(
        string program, string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        long started = Stopwatch.GetTimestamp();
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        TimeSpan time = Stopwatch.GetElapsedTime(started);
        return (process.ExitCode, process.ExitCode == 0 ? output : output + errors.Result, time);
    }

    public void Dispose()
    {
        if (!_supervisor.HasExited)
        {
            _ = Kill(_supervisor.Id, SigTerm);
            if (!_supervisor.WaitForExit(15_000))
            {
                _supervisor.Kill(entireProcessTree: true);
            }
        }

        _log.Wait(1000);
        _supervisor.Dispose();
        Directory.Delete(StateDirectory, recursive: true);
    }

    /// <summary>A pipe that nobody reads would stop the supervisor once it is full.</summary>
    private static async Task DrainAsync(StreamReader source, string path)
    {
        await using StreamWriter writer = new(path) { AutoFlush = true };
        while (await source.ReadLineAsync() is string line)
        {
            await writer.WriteLineAsync(line);
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    internal static partial int Kill(int pid, int signal);
}
