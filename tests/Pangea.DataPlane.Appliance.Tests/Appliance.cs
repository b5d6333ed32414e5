using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

// Each test starts processes of its own; a machine with two cores is fastest and steadiest one by
// one.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>What a client command printed and how it ended.</summary>
public sealed record CommandResult(int ExitCode, string Output, string Error);

/// <summary>
/// A whole appliance in a temporary directory, run by the real executable: state, devices and
/// socket of its own. Stopped and removed on dispose.
/// </summary>
public sealed class Appliance : IDisposable
{
    private static readonly TimeSpan s_readyTimeMax = TimeSpan.FromSeconds(60);

    private readonly DirectoryInfo _directory = System.IO.Directory.CreateTempSubdirectory(
        "pangea-appliance-");
    private readonly string[] _arguments;
    private readonly Dictionary<string, string> _environment;
    private readonly StringBuilder _log = new();
    private Process? _supervisor;

    private Appliance(string[] arguments, Dictionary<string, string> environment)
    {
        _arguments = arguments;
        _environment = environment;
    }

    /// <summary>The executable under test, the Release build.</summary>
    public static string Program { get; } = Path.Combine(
        RepositoryRoot(), "src", "app", "Pangea", "bin", "Release", "net10.0", "pangea");

    /// <summary>Room for a test's own files; removed with the appliance.</summary>
    public string Directory => _directory.FullName;

    public string StatePath => Path.Combine(Directory, "var");

    public string SocketPath => Path.Combine(Directory, "run", "control.sock");

    /// <summary>What the supervisor is started through, such as setpriv with its options.</summary>
    public IReadOnlyList<string> Wrapper { get; set; } = [];

    /// <summary>
    /// The executable the supervisor runs from; the build's own unless a test moved it.
    /// </summary>
    public string SupervisorProgram { get; set; } = Program;

    /// <summary>Standard error of the supervisor and its workers, all starts together.</summary>
    public string Log
    {
        get
        {
            lock (_log)
            {
                return _log.ToString();
            }
        }
    }

    public int SupervisorPid => Supervisor.Id;

    private Process Supervisor =>
        _supervisor ?? throw new InvalidOperationException("the appliance is not running");

    /// <summary>Starts an appliance and waits until its worker is ready.</summary>
    /// <param name="arguments">For <c>pangea supervise</c>, after state and socket.</param>
    /// <param name="environment">Added to the test's own, without any PANGEA_ variable of
    /// it.</param>
    public static Appliance Start(
        string[]? arguments = null, Dictionary<string, string>? environment = null)
    {
        Appliance appliance = Create(arguments, environment);
        appliance.StartSupervisor();
        appliance.WaitUntilReady();
        return appliance;
    }

    /// <summary>An appliance that is not started yet.</summary>
    public static Appliance Create(
        string[]? arguments = null, Dictionary<string, string>? environment = null) =>
        new(arguments ?? [], environment ?? []);

    /// <summary>The path of one device of the embedded default.</summary>
    public string DevicePath(int index) => Path.Combine(StatePath, "devices", $"{index:00}");

    /// <summary>Starts the supervisor and does not wait for anything.</summary>
    /// <param name="more">For this start only.</param>
    public void StartSupervisor(params string[] more)
    {
        string[] command =
        [
            .. Wrapper, SupervisorProgram,
            "supervise", "--state", StatePath, "--socket", SocketPath,
            "--device-places", Directory, "--deaths-per-minute", "10000", .. _arguments, .. more,
        ];
        Process process = NewProcess(command[0], command[1..]);
        process.ErrorDataReceived += (_, line) => Append(line.Data);
        process.OutputDataReceived += (_, line) => Append(line.Data);
        process.Start();
        process.StandardInput.Close();
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        _supervisor = process;
    }

    /// <summary>Waits until a worker serves; fails with the log when that takes too long.</summary>
    public void WaitUntilReady() => WaitFor(
        "a ready worker",
        () => Workers() is [{ State: WorkerState.Ready }]);

    /// <summary>Waits until a process waits to take the worker's place.</summary>
    public void WaitUntilStandby() => WaitFor(
        "a standby that waits",
        () => Workers() is [{ Standby.State: StandbyState.Ready }]);

    /// <summary>Waits for something to become true; fails with the log.</summary>
    public void WaitFor(string what, Func<bool> condition)
    {
        var watch = Stopwatch.StartNew();
        while (!condition())
        {
            if (watch.Elapsed > s_readyTimeMax || _supervisor is { HasExited: true })
            {
                throw new TimeoutException(
                    $"no {what} after {watch.Elapsed}; the log says:\n{Log}");
            }

            Thread.Sleep(20);
        }
    }

    /// <summary>A connection of its own; the caller disposes it.</summary>
    public RpcClient Connect()
    {
        Result<RpcClient> client = RpcClient.Connect(SocketPath);
        Assert.True(client.IsOk, $"{client.Fault}\n{Log}");
        return client.Value;
    }

    /// <summary>Bytes of all devices' logs that are in use, as the worker says.</summary>
    public long LiveBytes()
    {
        using RpcClient client = Connect();
        Result<SystemStatusResult> status = client.Call(RpcMethods.SystemStatus, Nothing.Value);
        return status.IsOk
            ? status.Value.Devices.Sum(device => device.LiveBytes ?? 0)
            : throw new InvalidOperationException($"{status.Fault}\n{Log}");
    }

    /// <summary>The workers, or nothing while the supervisor does not answer.</summary>
    public IReadOnlyList<WorkerStatus> Workers()
    {
        Result<RpcClient> client = RpcClient.Connect(SocketPath);
        if (!client.IsOk)
        {
            return [];
        }

        using RpcClient connected = client.Value;
        Result<WorkerListResult> list = connected.Call(RpcMethods.WorkerList, new Nothing());
        return list.IsOk ? list.Value.Workers : [];
    }

    public int WorkerPid() =>
        Workers() is [{ Pid: { } pid }]
            ? pid
            : throw new InvalidOperationException($"no worker runs\n{Log}");

    /// <summary>Runs a client command to its end, with this appliance's socket.</summary>
    public CommandResult Run(params string[] arguments)
    {
        using Process process = StartCommand(arguments);
        process.StandardInput.Close();
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new CommandResult(process.ExitCode, output, error.Result);
    }

    /// <summary>
    /// Starts a client command that the test feeds, reads or disturbs; the caller disposes it.
    /// </summary>
    public Process StartCommand(params string[] arguments)
    {
        Process process = NewProcess(Program, arguments);
        process.StartInfo.Environment["PANGEA_SOCKET"] = SocketPath;
        process.Start();
        return process;
    }

    /// <summary>Ends the appliance with SIGTERM; returns the supervisor's exit code.</summary>
    public int Stop()
    {
        Process supervisor = Supervisor;
        Signal(supervisor.Id, "TERM");
        bool ended = supervisor.WaitForExit(s_readyTimeMax);
        Assert.True(ended, $"the supervisor does not stop; the log says:\n{Log}");
        supervisor.WaitForExit(); // Without a time: only so are the last lines of the log here too.
        int code = supervisor.ExitCode;
        supervisor.Dispose();
        _supervisor = null;
        return code;
    }

    /// <summary>Waits until the supervisor has ended by itself; its exit code.</summary>
    public int WaitForEnd()
    {
        bool ended = Supervisor.WaitForExit(s_readyTimeMax);
        Assert.True(ended, $"the supervisor does not end; the log says:\n{Log}");
        Supervisor.WaitForExit(); // Without a time: only so are the last lines of the log here too.
        int code = Supervisor.ExitCode;
        Supervisor.Dispose();
        _supervisor = null;
        return code;
    }

    /// <summary>Ends the supervisor with SIGKILL, as a crash would.</summary>
    public void KillSupervisor()
    {
        Supervisor.Kill();
        Supervisor.WaitForExit();
        Supervisor.Dispose();
        _supervisor = null;
    }

    /// <summary>Sends a signal by name ("KILL", "STOP").</summary>
    public static void Signal(int pid, string name)
    {
        using Process kill = Process.Start("/bin/kill", [$"-{name}", $"{pid}"]);
        kill.WaitForExit();
    }

    public void Dispose()
    {
        if (_supervisor is { HasExited: false })
        {
            KillSupervisor();
        }

        _supervisor?.Dispose();
        _directory.Delete(recursive: true);
    }

    private static string RepositoryRoot([CallerFilePath] string file = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file) ?? "/", "..", ".."));

    private Process NewProcess(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = Directory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        string[] names = [.. start.Environment.Keys.Where(name => name.StartsWith("PANGEA_"))];
        foreach (string name in names)
        {
            start.Environment.Remove(name);
        }

        foreach ((string name, string value) in _environment)
        {
            start.Environment[name] = value;
        }

        return new Process { StartInfo = start };
    }

    private void Append(string? line)
    {
        lock (_log)
        {
            _log.Append(line is null ? "" : line + "\n");
        }
    }
}
