using System.Diagnostics;
using System.Security.Cryptography;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>
/// A worker killed with -9 in the middle of work: the call fails with an error that says "again",
/// nothing half-done stays, and what was stored before stays whole.
/// </summary>
public sealed class WorkerLossTests
{
    private const int TryAgainExit = 8;
    private const int BlockBytes = 1024 * 1024;
    private static readonly string[] s_small = ["--redundancy", "2+1"];

    [Fact]
    public void A_put_fails_with_try_again_and_leaves_nothing()
    {
        using Appliance appliance = Appliance.Start(s_small);
        string earlier = StoreRandom(appliance, "earlier", 5 * BlockBytes);
        using Process put = appliance.StartCommand("put", "-", "--name", "half");
        Feed(put, 8);
        WaitForStripes(appliance);
        Appliance.Signal(appliance.WorkerPid(), "KILL");
        Assert.Equal(TryAgainExit, ExitOf(put));
        Assert.Contains("worker", put.StandardError.ReadToEnd());

        appliance.WaitUntilReady();
        Assert.Equal(3, appliance.Run("stat", "half").ExitCode);
        AssertNothingHalfDone(appliance);
        AssertSame(appliance, "earlier", earlier);
    }

    [Fact]
    public void A_replacing_put_that_is_lost_keeps_the_old_version()
    {
        using Appliance appliance = Appliance.Start(s_small);
        string old = StoreRandom(appliance, "name", 3 * BlockBytes);
        using Process put = appliance.StartCommand("put", "-", "--name", "name");
        Feed(put, 8);
        WaitForStripes(appliance);
        Appliance.Signal(appliance.WorkerPid(), "KILL");
        Assert.Equal(TryAgainExit, ExitOf(put));
        appliance.WaitUntilReady();
        AssertSame(appliance, "name", old);
    }

    /// <summary>
    /// Nobody reads the output, so the get is in the middle for as long as the test wants.
    /// </summary>
    [Fact]
    public void A_get_fails_with_try_again()
    {
        using Appliance appliance = Appliance.Start(s_small);
        string source = StoreRandom(appliance, "name", 8 * BlockBytes);
        using Process get = appliance.StartCommand("get", "name", "--output", "-");
        byte[] first = new byte[1];
        Assert.Equal(1, get.StandardOutput.BaseStream.Read(first));
        Appliance.Signal(appliance.WorkerPid(), "KILL");
        get.StandardOutput.BaseStream.CopyTo(Stream.Null);
        Assert.Equal(TryAgainExit, ExitOf(get));
        appliance.WaitUntilReady();
        AssertSame(appliance, "name", source);
    }

    [Fact]
    public void A_killed_supervisor_ends_a_put_the_same_way()
    {
        using Appliance appliance = Appliance.Start(s_small);
        string earlier = StoreRandom(appliance, "earlier", BlockBytes);
        using Process put = appliance.StartCommand("put", "-", "--name", "half");
        Feed(put, 4);
        WaitForStripes(appliance);
        appliance.KillSupervisor();
        Assert.Equal(TryAgainExit, ExitOf(put));
        appliance.StartSupervisor();
        appliance.WaitUntilReady();
        Assert.Equal(3, appliance.Run("stat", "half").ExitCode);
        AssertNothingHalfDone(appliance);
        AssertSame(appliance, "earlier", earlier);
    }

    [Fact]
    public void A_stop_in_order_ends_a_put_the_same_way()
    {
        using Appliance appliance = Appliance.Start(s_small);
        using Process put = appliance.StartCommand("put", "-", "--name", "half");
        Feed(put, 4);
        WaitForStripes(appliance);
        Assert.Equal(0, appliance.Stop());
        Assert.Equal(TryAgainExit, ExitOf(put));
        appliance.StartSupervisor();
        appliance.WaitUntilReady();
        Assert.Equal(3, appliance.Run("stat", "half").ExitCode);
        AssertNothingHalfDone(appliance);
    }

    /// <summary>
    /// Method: the worker is killed at moments of a seeded random source while a client stores one
    /// object after the other. What was acknowledged is there and whole; what was not is absent or
    /// whole.
    /// </summary>
    [Fact]
    public void Every_acknowledged_object_survives_a_series_of_kills()
    {
        int seed = Environment.TickCount;
        var random = new Random(seed);
        using Appliance appliance = Appliance.Start(s_small);
        string source = Path.Combine(appliance.Directory, "source");
        File.WriteAllBytes(source, RandomNumberGenerator.GetBytes((3 * BlockBytes) + 17));
        List<string> stored = [];
        for (int i = 0; i < 12; i++)
        {
            string name = $"object {i}";
            using Process put = appliance.StartCommand("put", source, "--name", name);
            if (i % 2 == 0)
            {
                Thread.Sleep(random.Next(50, 300));
                if (appliance.Workers() is [{ State: WorkerState.Ready, Pid: { } pid }])
                {
                    Appliance.Signal(pid, "KILL");
                }
            }

            int exit = ExitOf(put);
            Assert.True(
                exit is 0 or TryAgainExit, $"seed {seed}, put {i}: exit {exit}\n{appliance.Log}");
            if (exit == 0)
            {
                stored.Add(name);
            }
        }

        appliance.WaitUntilReady();
        foreach (string name in stored)
        {
            AssertSame(appliance, name, source);
        }

        string listed = appliance.Run("ls", "--json").Output;
        Assert.NotEmpty(stored);
        Assert.All(stored, name => Assert.Contains($"\"{name}\"", listed));
        AssertNothingHalfDone(appliance);
    }

    private static string StoreRandom(Appliance appliance, string name, int bytes)
    {
        string path = Path.Combine(appliance.Directory, $"{name}.source");
        File.WriteAllBytes(path, RandomNumberGenerator.GetBytes(bytes));
        CommandResult put = appliance.Run("put", path, "--name", name);
        Assert.True(put.ExitCode == 0, put.Error);
        return path;
    }

    private static void Feed(Process put, int blocks)
    {
        byte[] block = RandomNumberGenerator.GetBytes(BlockBytes);
        for (int i = 0; i < blocks; i++)
        {
            put.StandardInput.BaseStream.Write(block);
        }

        put.StandardInput.BaseStream.Flush();
    }

    private static int ExitOf(Process process)
    {
        Assert.True(process.WaitForExit(TimeSpan.FromSeconds(60)), "the client does not end");
        return process.ExitCode;
    }

    /// <summary>Waits until the put under way has written several stripes.</summary>
    private static void WaitForStripes(Appliance appliance)
    {
        appliance.WaitFor("stripes on the devices", () =>
        {
            using RpcClient client = appliance.Connect();
            SystemStatusResult status =
                client.Call(RpcMethods.SystemStatus, Nothing.Value).Value;
            return status.Devices.Sum(device => device.LiveBytes ?? 0)
                > status.StoredBytes + BlockBytes;
        });
    }

    /// <summary>
    /// The logs hold what the objects need and nothing else that anyone believes to be needed.
    /// </summary>
    private static void AssertNothingHalfDone(Appliance appliance)
    {
        using RpcClient client = appliance.Connect();
        SystemStatusResult status = client.Call(RpcMethods.SystemStatus, Nothing.Value).Value;
        Assert.InRange(
            appliance.LiveBytes(), status.StoredBytes!.Value,
            status.StoredBytes.Value + (BlockBytes / 2));
    }

    private static void AssertSame(Appliance appliance, string name, string source)
    {
        string target = Path.Combine(appliance.Directory, "restored");
        CommandResult get = appliance.Run("get", name, "--output", target);
        Assert.True(get.ExitCode == 0, $"{get.Error}\n{appliance.Log}");
        Assert.True(
            File.ReadAllBytes(source).AsSpan().SequenceEqual(File.ReadAllBytes(target)), name);
    }
}
