using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>
/// A machine that lacks something: objects are stored and restored all the same, and log, list of
/// workers, status and capabilities say what is missing and what would help.
/// </summary>
public sealed partial class MissingFeatureTests
{
    private const string Python = "/usr/bin/python3";
    private const string SetPriv = "/usr/bin/setpriv";
    private const string PrLimit = "/usr/bin/prlimit";
    private const string NoUtilLinux = "needs setpriv and prlimit (Debian package util-linux)";
    /// <summary>
    /// A user of its own where there is a choice: locked memory is counted by user, and other
    /// appliances of the machine may have taken all of theirs.
    /// </summary>
    private static readonly string[] s_small = UserAccount.IsRoot
        ? ["--redundancy", "2+1", "--user", "61190:61190"]
        : ["--redundancy", "2+1"];

    /// <summary>
    /// The kernel really answers as if it had no such thing: a filter in front of the whole
    /// appliance does (native/without.py).
    /// </summary>
    [SkippableTheory]
    [InlineData("io_uring", "no io_uring: the kernel has no io_uring")]
    [InlineData("landlock", "no Landlock: ")]
    [InlineData("seccomp", "no filter of system calls: the kernel has no seccomp(2)")]
    [InlineData("io_uring,landlock,seccomp", "no io_uring: ")]
    public void Objects_are_kept_without_a_feature_of_the_kernel(string features, string said)
    {
        Skip.IfNot(File.Exists(Python), "needs python3");
        using Appliance appliance = Appliance.Create(s_small);
        appliance.Wrapper = [Python, Program("without.py"), features];
        appliance.StartSupervisor();
        appliance.WaitUntilReady();
        StoreAndRestore(appliance);

        // A new worker, too, starts without.
        Appliance.Signal(appliance.WorkerPid(), "KILL");
        appliance.WaitFor("death", () => appliance.Log.Contains("worker.lost"));
        appliance.WaitUntilReady();
        Assert.Equal("the content", appliance.Run("get", "a", "--output", "-").Output);

        Assert.Contains(said, appliance.Log);
        WorkerStatus worker = Assert.Single(appliance.Workers());
        Assert.Contains(worker.Missing!, each => each.StartsWith(said));

        // The memory of the dead worker may still count against the limit of its user.
        Assert.Equal(
            features.Split(',').Length,
            worker.Missing!.Count(each => !each.Contains("LimitMEMLOCK")));
        Assert.Equal(features.Contains("io_uring") ? "plain" : "io_uring", worker.Ring);
        Assert.Equal(!features.Contains("landlock"), worker.Landlock);
        Assert.Equal(features.Contains("seccomp"), worker.Missing!.Any(IsAboutSeccomp));
        Assert.True(worker.NoNewPrivileges);
        Assert.Contains($"worker 0 lacks: {said}", appliance.Run("status").Output);
        AssertCapabilities(appliance, features);
        Assert.Equal(0, appliance.Stop());
    }

    /// <summary>The same by a variable, for whom a feature of the kernel is in the way.</summary>
    [SkippableTheory]
    [InlineData("PANGEA_RING", "plain", "no io_uring: PANGEA_RING=plain")]
    [InlineData("PANGEA_LANDLOCK", "off", "no Landlock: PANGEA_LANDLOCK=off")]
    [InlineData("PANGEA_SECCOMP", "off", "no filter of system calls: PANGEA_SECCOMP=off")]
    public void A_feature_is_switched_off_by_its_variable(string name, string value, string said)
    {
        using Appliance appliance = Appliance.Start(s_small, new() { [name] = value });
        StoreAndRestore(appliance);
        Assert.Contains(said, appliance.Log);
        WorkerStatus worker = Assert.Single(appliance.Workers());
        if (name == "PANGEA_LANDLOCK")
        {
            Assert.False(worker.Landlock);
        }

        Assert.NotEmpty(worker.Missing!);
    }

    /// <summary>
    /// Goal: the line that the message gives is the right one. Method: an appliance with a real
    /// limit that is too small, and again with the limit that it asked for. Root's own limit does
    /// not count, so either there is no root or it may not raise limits.
    /// </summary>
    [SkippableTheory]
    [InlineData(0, false)]
    [InlineData(64 * 1024, false)]
    [InlineData(512 * 1024, false)]
    [InlineData(64 * 1024, true)]
    [InlineData(512 * 1024, true)]
    public void Too_little_lockable_memory_is_told_with_the_line_that_raises_it(
        int bytes, bool asOrdinaryUser)
    {
        Skip.IfNot(File.Exists(SetPriv) && File.Exists(PrLimit), NoUtilLinux);
        Skip.If(UringProbe.Try() is not null, "no io_uring");
        Skip.IfNot(UserAccount.IsRoot, "needs root to become users without other locked memory");
        string[] become = asOrdinaryUser
            ? [SetPriv, "--reuid=61190", "--regid=61190", "--clear-groups", "--"]
            : [SetPriv, "--bounding-set=-sys_resource", "--"];
        Skip.IfNot(CanStart(become), "the build lies where an ordinary user cannot reach it");
        using Appliance appliance = Appliance.Create(asOrdinaryUser ? s_small[..2] : s_small);
        if (asOrdinaryUser)
        {
            File.SetUnixFileMode(appliance.Directory, (UnixFileMode)0x1FF);
        }

        string said = Start(appliance, bytes, become);
        Assert.Contains($"memlock is {bytes / 1024} KiB, ", said);
        Assert.Matches(@" [1-9][0-9]* KiB are needed; set LimitMEMLOCK=\d+M in the \[Serv", said);
        Assert.Contains(" or ulimit -l ", said);
        Assert.Matches("no io_uring: .*ENOMEM|buffers .*registered", said);
        appliance.WaitFor(
            "remark", () => appliance.Log.Contains("worker.remark index=0 text="));
        if (bytes == 0 && said.Contains("ENOMEM"))
        {
            Assert.Matches("supervisor.remark text=\"no io_uring: .*LimitMEMLOCK=", appliance.Log);
        }

        StoreAndRestore(appliance);
        Assert.Equal(0, appliance.Stop());

        // The very line.
        long asked = long.Parse(Line().Match(said).Groups[1].Value) << 20;
        Assert.Equal("", Start(appliance, asked, become));
        Assert.Equal("io_uring", Assert.Single(appliance.Workers()).Ring);
        Assert.Equal("the content", appliance.Run("get", "a", "--output", "-").Output);
        Assert.Equal(0, appliance.Stop());

        // And the unit that is delivered has more than that.
        string unit = File.ReadAllText(Path.Combine(Repository(), "packaging", "pangea.service"));
        Assert.True(long.Parse(Line().Match(unit).Groups[1].Value) << 20 >= asked);
    }

    [GeneratedRegex(@"LimitMEMLOCK=(\d+)M")]
    private static partial Regex Line();

    /// <summary>What the worker says about memory after a start with that limit.</summary>
    private static string Start(Appliance appliance, long bytes, string[] become)
    {
        appliance.Wrapper = [PrLimit, $"--memlock={bytes}:{bytes}", "--", .. become];
        appliance.StartSupervisor();
        appliance.WaitUntilReady();
        WorkerStatus worker = Assert.Single(appliance.Workers());
        return string.Join("; ", worker.Missing!.Where(each => each.Contains("memlock")));
    }

    private static void AssertCapabilities(Appliance appliance, string features)
    {
        using Process command = Process.Start(new ProcessStartInfo(
            Python,
            [Program("without.py"), features, Appliance.Program, "capabilities", "--json"])
        {
            RedirectStandardOutput = true,
            Environment = { ["PANGEA_SOCKET"] = appliance.SocketPath },
        })!;
        using var rows = System.Text.Json.JsonDocument.Parse(
            command.StandardOutput.ReadToEnd());
        command.WaitForExit();
        (string Feature, string Row)[] known =
        [
            ("io_uring", "io_uring"), ("landlock", "Landlock"), ("seccomp", "system call filter"),
        ];
        foreach ((string _, string row) in known.Where(each => features.Contains(each.Feature)))
        {
            Assert.Contains(rows.RootElement.EnumerateArray(), each =>
                each.GetProperty("what").GetString() == row
                && each.GetProperty("value").GetString() == "no");
        }

        Assert.Contains(rows.RootElement.EnumerateArray(), each =>
            each.GetProperty("where").GetString() == "worker 0"
            && each.GetProperty("what").GetString() == "lacks");
    }

    private static bool IsAboutSeccomp(string text) => text.Contains("filter of system calls");

    private static void StoreAndRestore(Appliance appliance)
    {
        string source = Path.Combine(appliance.Directory, "source");
        File.WriteAllText(source, "the content");
        CommandResult put = appliance.Run("put", source, "--name", "a");
        Assert.True(put.ExitCode == 0, put.Error + appliance.Log);
        Assert.Equal("the content", appliance.Run("get", "a", "--output", "-").Output);
        byte[] large = new byte[3_000_000];
        new Random(1).NextBytes(large);
        File.WriteAllBytes(source, large);
        Assert.Equal(0, appliance.Run("put", source, "--name", "large").ExitCode);
        string target = Path.Combine(appliance.Directory, "target");
        Assert.Equal(0, appliance.Run("get", "large", "--output", target).ExitCode);
        Assert.True(large.AsSpan().SequenceEqual(File.ReadAllBytes(target)));
        File.Delete(target);
    }

    private static bool CanStart(string[] become)
    {
        using Process test = Process.Start(
            become[0], [.. become[1..], "/usr/bin/test", "-x", Appliance.Program]);
        test.WaitForExit();
        return test.ExitCode == 0;
    }

    private static string Program(string name, [CallerFilePath] string file = "") =>
        Path.Combine(Path.GetDirectoryName(file) ?? "/", "native", name);

    private static string Repository([CallerFilePath] string file = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file) ?? "/", "..", ".."));
}
