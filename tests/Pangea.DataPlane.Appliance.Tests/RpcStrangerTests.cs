using System.Diagnostics;
using System.Runtime.CompilerServices;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Xunit.Abstractions;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>
/// Goal: a program that shares no code with ours gets on with a running appliance, and bad input
/// from it does no harm. Method: the scripts of tests/stranger, written from docs/RPC.md with
/// Python's standard library alone, on both executors of the worker's loop.
/// </summary>
public sealed class RpcStrangerTests(ITestOutputHelper output)
{
    private const long LeftBytesMax = 1024 * 1024;
    /// <summary>Where the scripts are beside.</summary>
    private static readonly string s_source = ThisFile();

    private static readonly TimeSpan s_timeMax = TimeSpan.FromMinutes(5);

    [SkippableTheory]
    [InlineData("")]
    [InlineData("plain")]
    public void A_stranger_gets_on_with_the_appliance(string ring)
    {
        using Appliance appliance = Start(ring);

        // It counts the supervisor's descriptors, and a standby that comes later has some.
        appliance.WaitUntilStandby();
        Run(appliance, "rpc_stranger.py", output);

        // The logs keep nothing of unfinished puts, only objects and notes of removals.
        using (RpcClient client = appliance.Connect())
        {
            SystemStatusResult status =
                client.Call(RpcMethods.SystemStatus, Nothing.Value).Value;
            Assert.InRange(
                appliance.LiveBytes(), status.StoredBytes!.Value,
                status.StoredBytes.Value + LeftBytesMax);
        }

        Assert.Equal(0, appliance.Stop());
    }

    [SkippableTheory]
    [InlineData("")]
    [InlineData("plain")]
    public void A_stranger_works_on_the_storage(string ring)
    {
        using Appliance appliance = Start(ring, "--redundancy", "2+1");
        Run(appliance, "storage_stranger.py", output);
        Assert.Equal(0, appliance.Stop());
    }

    private static string ThisFile([CallerFilePath] string file = "") => file;

    private static Appliance Start(string ring, params string[] arguments)
    {
        Skip.IfNot(File.Exists("/usr/bin/python3"), "python3 is not installed");
        Dictionary<string, string> environment = [];
        if (ring.Length > 0)
        {
            environment["PANGEA_RING"] = ring;
        }

        return Appliance.Start(arguments, environment);
    }

    /// <summary>Runs a script of tests/stranger; it must find nothing wrong.</summary>
    internal static void Run(
        Appliance appliance,
        string script,
        ITestOutputHelper output)
    {
        string path = Path.GetFullPath(
            Path.Combine(Path.GetDirectoryName(s_source)!, "..", "stranger", script));
        string directory = Path.Combine(appliance.Directory, "stranger");
        System.IO.Directory.CreateDirectory(directory);
        var start = new ProcessStartInfo(
            "/usr/bin/python3", [path, appliance.SocketPath, directory])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> printed = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(s_timeMax))
        {
            process.Kill();
        }

        output.WriteLine(printed.Result);
        Assert.True(process.ExitCode == 0, $"{printed.Result}{error.Result}\n{appliance.Log}");
    }
}
