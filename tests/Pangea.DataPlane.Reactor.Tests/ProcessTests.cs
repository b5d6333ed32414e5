using System.Diagnostics;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Reactor.Tests;

/// <summary>
/// Scenarios that end their process or forbid it something, each in a child of its own.
/// </summary>
public sealed class ProcessTests
{
    [Theory]
    [InlineData(1, "seccomp filter forbids io_uring_setup (EPERM)")]
    [InlineData(38, "(ENOSYS)")]
    public void A_forbidden_ring_falls_back_and_says_why(int errno, string reason)
    {
        (int code, string output, string errors) = Run(
            ChildScenarios.WithoutRing, errno.ToString());
        Assert.True(code == 0, errors);
        Assert.StartsWith("plain: ", output, StringComparison.Ordinal);
        Assert.Contains(reason, output, StringComparison.Ordinal);
        Assert.Contains("forced: Unsupported", output, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void Little_lockable_memory_registers_the_short_buffers_first()
    {
        Skip.If(UringProbe.Try() is not null, "no io_uring");
        (int code, string output, string errors) = Run(ChildScenarios.LittleMemlock);
        Assert.True(code == 0, errors);
        string[] lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(6, lines.Length);
        Assert.Contains(
            "only buffers up to 4 KiB are registered: memlock is 1024 KiB, ",
            lines[3],
            StringComparison.Ordinal);
        Assert.Equal(["read 4096", "read 1048576"], lines[4..]);
    }

    [Theory]
    [InlineData(ChildScenarios.ReturnInFlight, "the kernel still owns the slab")]
    [InlineData(ChildScenarios.UseAfterReturn, "the lease was returned")]
    [InlineData(ChildScenarios.ReturnTwice, "the lease was returned")]
    [InlineData(ChildScenarios.PastTheEnd, "written past the end of a slab")]
    [InlineData(ChildScenarios.AwaitTwice, "value task was used twice")]
    public void A_broken_promise_ends_the_process_and_names_itself(string scenario, string detail)
    {
        (int code, _, string errors) = Run(scenario);
        const int aborted = 128 + 6; // SIGABRT
        Assert.Equal(aborted, code);
        Assert.Contains(detail, errors, StringComparison.Ordinal);
    }

    private static (int Code, string Output, string Errors) Run(params string[] arguments)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.ArgumentList.Add("exec");
        start.ArgumentList.Add(typeof(ChildScenarios).Assembly.Location);
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        // No crash dump of a process that crashes on purpose.
        start.Environment["DOTNET_DbgEnableMiniDump"] = "0";
        using Process child = Process.Start(start)!;
        Task<string> errors = child.StandardError.ReadToEndAsync();
        string output = child.StandardOutput.ReadToEnd();
        child.WaitForExit();
        return (child.ExitCode, output, errors.Result);
    }
}
