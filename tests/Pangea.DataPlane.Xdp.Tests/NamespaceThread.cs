using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Xdp.Tests;

/// <summary>The namespaces of a test, with what it does in them.</summary>
internal sealed partial class NamespaceThread : UnsharedThread
{
    internal NamespaceThread()
    {
        if (!IsMade)
        {
            Refusal = "namespaces cannot be made here";
            return;
        }

        Run(() =>
        {
            Command("mount", "--make-rprivate", "/");
            Command("ip", "link", "set", "lo", "up");
        });
    }

    internal string? Refusal { get; }

    /// <summary>
    /// Runs a program in these namespaces; it must succeed. Returns what it printed.
    /// </summary>
    internal static string Command(string program, params string[] arguments)
    {
        (int exitCode, string output) = Execute(program, arguments);
        Assert.True(exitCode == 0, $"{program} {string.Join(' ', arguments)}: {output}");
        return output;
    }

    /// <summary>Runs a program that must fail; returns what it said.</summary>
    internal static string Refused(string program, params string[] arguments)
    {
        (int exitCode, string output) = Execute(program, arguments);
        Assert.True(exitCode != 0, $"{program} {string.Join(' ', arguments)} succeeds: {output}");
        return output;
    }

    private static (int ExitCode, string Output) Execute(string program, string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output.Result + errors);
    }

    /// <summary>
    /// From now on the thread has these capabilities and no others; they are the thread's own.
    /// </summary>
    internal void KeepOnly(params int[] capabilities) => Run(() =>
    {
        const uint version3 = 0x20080522;
        ulong bits = capabilities.Aggregate(0UL, (all, one) => all | (1UL << one));
        uint[] header = [version3, 0];
        uint[] data = new uint[6];
        (data[0], data[3]) = ((uint)bits, (uint)(bits >> 32));
        (data[1], data[4]) = (data[0], data[3]);
        Assert.Equal(0, capset(header, data));
    });

    [LibraryImport("libc")]
    private static partial int capset(uint[] header, uint[] data);
}
