using System.Diagnostics;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Xdp.Tests;

namespace Pangea.DataPlane.Benchmarks.Firewall;

/// <summary>
/// The namespaces of a benchmark, with what it does in them: interfaces, routes and rules of
/// nftables vanish with it.
/// </summary>
internal sealed class BenchNamespace : UnsharedThread
{
    private BenchNamespace()
    {
    }

    /// <summary>Makes one, or says why it cannot.</summary>
    internal static Result<BenchNamespace> Make()
    {
        BenchNamespace made = new();
        if (!made.IsMade)
        {
            made.Dispose();
            return new Fault(FaultCode.Denied, "needs root: namespaces cannot be made here");
        }

        made.Run(() =>
        {
            Command("mount", "--make-rprivate", "/");
            Command("mount", "-t", "sysfs", "sysfs", "/sys"); // Shows the network it is mounted in.
        });
        return made;
    }

    /// <summary>Runs a program where this thread is; it must succeed.</summary>
    internal static void Command(string program, params string[] arguments) =>
        Feed(program, null, arguments);

    /// <summary>The same with something to read.</summary>
    internal static void Feed(string program, string? input, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            RedirectStandardInput = input is not null,
        };
        using Process process = Process.Start(start)!;
        if (input is not null)
        {
            process.StandardInput.Write(input);
            process.StandardInput.Close();
        }

        _ = process.StandardOutput.ReadToEnd();
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Invariant.Check(
            process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {errors}");
    }
}
