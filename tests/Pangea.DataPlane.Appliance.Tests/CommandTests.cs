using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>
/// Goal: the commands do what docs/cli.md says, from outside, with their exit codes, also when
/// something fails or is interrupted half way. One appliance serves all of them.
/// </summary>
public sealed class CommandTests(CommandTests.Shared shared) : IClassFixture<CommandTests.Shared>
{
    private static readonly TimeSpan s_timeMax = TimeSpan.FromSeconds(60);

    private readonly Appliance _appliance = shared.Appliance;

    /// <summary>The appliance of this class.</summary>
    public sealed class Shared : IDisposable
    {
        public Appliance Appliance { get; } = Appliance.Start();

        public void Dispose() => Appliance.Dispose();
    }

    [Fact]
    public void A_file_goes_in_and_comes_back()
    {
        string source = Random("source", 5_000_000);
        CommandResult put = _appliance.Run("put", source, "--name", "round/trip");
        Assert.Equal((0, ""), (put.ExitCode, put.Error));
        Assert.StartsWith("stored round/trip: 4.77 MiB in ", put.Output);
        Assert.EndsWith(" on 12 of 12 devices\n", put.Output);

        string target = PathOf("target");
        CommandResult get = _appliance.Run("get", "round/trip", "-o", target);
        Assert.Equal((0, ""), (get.ExitCode, get.Error));
        Assert.Equal(File.ReadAllBytes(source), File.ReadAllBytes(target));

        CommandResult stat = _appliance.Run("stat", "round/trip", "--json");
        using JsonDocument document = JsonDocument.Parse(stat.Output);
        Assert.Equal(5_000_000, document.RootElement.GetProperty("bytes").GetInt64());
        Assert.Contains("round/trip", _appliance.Run("ls", "round/").Output);
        Assert.Equal(0, _appliance.Run("rm", "round/trip").ExitCode);
        Assert.Equal("", _appliance.Run("ls", "round/").Output);
    }

    [Fact]
    public void An_empty_file_goes_in_and_comes_back()
    {
        string source = Random("empty", 0);
        Assert.Equal(0, _appliance.Run("put", source).ExitCode);
        Assert.Equal(0, _appliance.Run("get", "empty", "-o", PathOf("empty2")).ExitCode);
        Assert.Empty(File.ReadAllBytes(PathOf("empty2")));
    }

    [Fact]
    public void Standard_input_and_output_carry_objects()
    {
        byte[] bytes = File.ReadAllBytes(Random("piped", 3_000_000));
        using (Process put = Start("put", "-", "--name", "piped"))
        {
            put.StandardInput.BaseStream.Write(bytes);
            put.StandardInput.Close();
            Assert.True(put.WaitForExit(s_timeMax));
            Assert.Equal(0, put.ExitCode);
        }

        using Process get = Start("get", "piped", "-o", "-");
        using var received = new MemoryStream();
        get.StandardOutput.BaseStream.CopyTo(received);
        Assert.True(get.WaitForExit(s_timeMax));
        Assert.Equal(0, get.ExitCode);
        Assert.Equal(bytes, received.ToArray());
    }

    [Fact]
    public void Exit_codes_tell_what_went_wrong()
    {
        string source = Random("codes", 1000);
        Assert.Equal(0, _appliance.Run("put", source).ExitCode);
        Assert.Equal(4, _appliance.Run("put", source, "--no-clobber").ExitCode);
        Assert.Equal(3, _appliance.Run("get", "no such object", "-o", PathOf("none")).ExitCode);
        Assert.Equal(3, _appliance.Run("rm", "no such object").ExitCode);
        Assert.Equal(3, _appliance.Run("stat", "no such object").ExitCode);
        Assert.Equal(2, _appliance.Run("put", source, "--name", "a\tb").ExitCode);
        Assert.Equal(2, _appliance.Run("put", source, "--name", new string('n', 1025)).ExitCode);
        Assert.Equal(2, _appliance.Run("frobnicate").ExitCode);
        Assert.Equal(10, _appliance.Run("put", PathOf("missing")).ExitCode);
        Assert.Equal(10, _appliance.Run("put", _appliance.Directory).ExitCode);
        Assert.Equal(7, _appliance.Run("get", "codes", "-o", "/dev/full").ExitCode);
        Assert.Equal(6, _appliance.Run("ls", "--socket", PathOf("nobody")).ExitCode);
        Assert.False(File.Exists(PathOf("none")));
    }

    [Fact]
    public void An_interrupted_put_leaves_nothing()
    {
        using Process put = Start("put", "-", "--name", "interrupted");
        put.StandardInput.BaseStream.Write(new byte[100_000]);
        put.StandardInput.BaseStream.Flush();
        Thread.Sleep(500);
        Assert.False(put.HasExited);
        Appliance.Signal(put.Id, InterruptSignal());
        Assert.True(put.WaitForExit(s_timeMax));
        Assert.Equal(130, put.ExitCode);
        Assert.Equal("\npangea: interrupted\n", put.StandardError.ReadToEnd());

        // The pipe breaks once the worker has let go of it. Closing it before would look like the
        // end of the input, which no reader can tell from an interrupted writer.
        _appliance.WaitFor("withdrawn put", () => Record.Exception(() =>
        {
            put.StandardInput.BaseStream.WriteByte(0);
            put.StandardInput.BaseStream.Flush();
        }) is IOException);
        Assert.Equal(3, _appliance.Run("stat", "interrupted").ExitCode);
    }

    [Fact]
    public void An_interrupted_get_leaves_nothing()
    {
        string source = Random("large", 30_000_000);
        Assert.Equal(0, _appliance.Run("put", source).ExitCode);
        string directory = PathOf("interrupted");
        System.IO.Directory.CreateDirectory(directory);
        string target = Path.Combine(directory, "target");
        File.WriteAllText(target, "old");

        // A stopped worker makes "in the middle" last as long as the test needs.
        int worker = _appliance.WorkerPid();
        Appliance.Signal(worker, "STOP");
        try
        {
            using Process get = Start("get", "large", "-o", target);
            _appliance.WaitFor(
                "temporary file", () => System.IO.Directory.GetFiles(directory).Length == 2);
            Appliance.Signal(get.Id, InterruptSignal());
            Assert.True(get.WaitForExit(s_timeMax));
            Assert.Equal(130, get.ExitCode);
        }
        finally
        {
            Appliance.Signal(worker, "CONT");
        }

        Assert.Equal([target], System.IO.Directory.GetFiles(directory));
        Assert.Equal("old", File.ReadAllText(target));
        Assert.Equal(0, _appliance.Run("get", "large", "-o", target).ExitCode);
        Assert.Equal(File.ReadAllBytes(source), File.ReadAllBytes(target));
    }

    [Fact]
    public void A_worker_that_dies_during_a_put_is_a_reason_to_try_again()
    {
        string source = Random("earlier", 2_000_000);
        Assert.Equal(0, _appliance.Run("put", source).ExitCode);
        int worker = _appliance.WorkerPid();
        using (Process put = Start("put", "-", "--name", "lost"))
        {
            put.StandardInput.BaseStream.Write(new byte[100_000]);
            put.StandardInput.BaseStream.Flush();
            Thread.Sleep(500);
            Appliance.Signal(worker, "KILL");
            Assert.True(put.WaitForExit(s_timeMax));
            Assert.Equal(8, put.ExitCode);
            Assert.Contains("hint: ", put.StandardError.ReadToEnd());
        }

        _appliance.WaitFor(
            "another worker", () => _appliance.Workers() is [{ Pid: { } pid }] && pid != worker);
        _appliance.WaitUntilReady();
        Assert.Equal(3, _appliance.Run("stat", "lost").ExitCode);
        string target = PathOf("earlier2");
        Assert.Equal(0, _appliance.Run("get", "earlier", "-o", target).ExitCode);
        Assert.Equal(File.ReadAllBytes(source), File.ReadAllBytes(target));
    }

    [Fact]
    public void With_five_devices_lost_a_get_says_what_is_missing_and_leaves_no_file()
    {
        using Appliance appliance = Appliance.Start();
        string source = Path.Combine(appliance.Directory, "source");
        byte[] bytes = new byte[3_000_000];
        System.Random.Shared.NextBytes(bytes);
        File.WriteAllBytes(source, bytes);
        Assert.Equal(0, appliance.Run("put", source, "--name", "x").ExitCode);
        string target = Path.Combine(appliance.Directory, "target");
        foreach (int device in new[] { 1, 3, 5, 7 })
        {
            Empty(appliance.DevicePath(device));
        }

        CommandResult mended = appliance.Run("get", "x", "-o", target);
        Assert.Equal(0, mended.ExitCode);
        Assert.Contains("stripes were restored from parity", mended.Error);
        Assert.Equal(bytes, File.ReadAllBytes(target));

        File.Delete(target);
        Empty(appliance.DevicePath(9));
        CommandResult lost = appliance.Run("get", "x", "-o", target);
        Assert.Equal(5, lost.ExitCode);
        Assert.Contains("needs 8 of 12 shards, has 7", lost.Error);
        Assert.False(File.Exists(target));
        Assert.Empty(System.IO.Directory.GetFiles(appliance.Directory, ".pangea-get-*"));
        Assert.Contains("NOT restorable", appliance.Run("stat", "x").Output);
    }

    [Fact]
    public void Tables_and_machine_facts_are_shown()
    {
        CommandResult status = _appliance.Run("status");
        Assert.Equal(0, status.ExitCode);
        Assert.Contains("state            ready\n", status.Output);
        Assert.Equal(12, status.Output.Split('\n').Count(l => l.Contains(" ok ")));
        CommandResult workers = _appliance.Run("worker", "list", "-o", "json");
        using JsonDocument document = JsonDocument.Parse(workers.Output);
        JsonElement worker = Assert.Single(
            document.RootElement.GetProperty("workers").EnumerateArray().ToArray());
        Assert.Equal("storage", worker.GetProperty("role").GetString());
        Assert.Contains("erasure kernel", _appliance.Run("capabilities").Output);
        Assert.Contains("\nappliance 0.", _appliance.Run("version").Output);
        Assert.Contains("--state", _appliance.Run("supervise", "--help").Output);
    }

    [SkippableFact]
    public void A_terminal_sees_a_bar_that_goes_away()
    {
        // script(1) gives the command a terminal.
        Skip.IfNot(File.Exists("/usr/bin/script"), "script (package bsdutils) is not installed");
        string source = Random("barred", 20_000_000);
        string command = $"{Appliance.Program} put {source} --socket {_appliance.SocketPath}";
        var start = new ProcessStartInfo("/usr/bin/script", ["-qec", command, "/dev/null"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        start.Environment["TERM"] = "xterm";
        using Process process = Process.Start(start)!;
        string seen = process.StandardOutput.ReadToEnd();
        Assert.True(process.WaitForExit(s_timeMax));
        Assert.Equal(0, process.ExitCode);
        Assert.Contains("%", seen);
        int hidden = seen.IndexOf("\u001b[?25l", StringComparison.Ordinal);
        int shown = seen.LastIndexOf("\u001b[?25h", StringComparison.Ordinal);
        Assert.InRange(hidden, 0, shown);
        Assert.StartsWith("stored barred: 19.1 MiB in ", seen[(shown + "\u001b[?25h".Length)..]);
    }

    private static void Empty(string device) =>
        System.IO.Directory.Delete(Path.Combine(device, "segments"), recursive: true);

    private Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo(Appliance.Program, arguments)
        {
            WorkingDirectory = _appliance.Directory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["PANGEA_SOCKET"] = _appliance.SocketPath;
        return Process.Start(start)!;
    }

    private string PathOf(string name) => Path.Combine(_appliance.Directory, name);

    private string Random(string name, int bytes)
    {
        byte[] content = new byte[bytes];
        System.Random.Shared.NextBytes(content);
        File.WriteAllBytes(PathOf(name), content);
        return PathOf(name);
    }

    /// <summary>
    /// What Ctrl-C sends; or SIGTERM, which means the same to the tool, where this process was
    /// started with SIGINT ignored (as a shell starts background jobs), since children inherit that
    /// and .NET respects it.
    /// </summary>
    private static string InterruptSignal()
    {
        const int sigIntBit = 1 << (2 - 1);
        string line = File.ReadLines("/proc/self/status")
            .First(line => line.StartsWith("SigIgn:", StringComparison.Ordinal));
        ulong ignored = ulong.Parse(
            line.AsSpan("SigIgn:".Length).Trim(),
            NumberStyles.AllowHexSpecifier,
            CultureInfo.InvariantCulture);
        return (ignored & sigIntBit) == 0 ? "INT" : "TERM";
    }
}
