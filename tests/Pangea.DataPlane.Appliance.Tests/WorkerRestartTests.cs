using System.Diagnostics;
using System.Security.Cryptography;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>Restarts that are asked for, and a worker that dies too often.</summary>
public sealed class WorkerRestartTests
{
    private static readonly string[] s_small = ["--redundancy", "2+1"];

    [Fact]
    public async Task A_restart_lets_a_put_end_and_calls_wait_for_the_new_worker()
    {
        using Appliance appliance = Appliance.Start(s_small);
        int before = appliance.WorkerPid();
        byte[] block = RandomNumberGenerator.GetBytes(1024 * 1024);
        using Process put = appliance.StartCommand("put", "-", "--name", "a");
        put.StandardInput.BaseStream.Write(block);
        put.StandardInput.BaseStream.Flush();
        Task<CommandResult> restart = Task.Run(() => appliance.Run("worker", "restart", "0"));
        appliance.WaitFor("restart", () => appliance.Log.Contains("worker.restart "));
        Task<CommandResult> list = Task.Run(() => appliance.Run("ls"));
        put.StandardInput.BaseStream.Write(block);
        put.StandardInput.Close();
        await put.WaitForExitAsync();
        Assert.True(put.ExitCode == 0, put.StandardError.ReadToEnd() + appliance.Log);
        CommandResult restarted = await restart;
        Assert.True(restarted.ExitCode == 0, restarted.Error + appliance.Log);
        Assert.DoesNotContain("failed", restarted.Output);
        CommandResult listed = await list;
        Assert.True(listed.ExitCode == 0, listed.Error);
        Assert.Contains("MiB", listed.Output);
        WorkerStatus after = Assert.Single(appliance.Workers());
        Assert.NotEqual(before, after.Pid);
        Assert.Equal((WorkerState.Ready, 1), (after.State, after.Restarts));
        Assert.DoesNotContain("worker.killed", appliance.Log);
    }

    [Fact]
    public void A_worker_that_dies_five_times_a_minute_is_given_up_until_somebody_asks()
    {
        using Appliance appliance = Appliance.Start([.. s_small, "--deaths-per-minute", "5"]);
        for (int i = 0; i < 5; i++)
        {
            appliance.WaitUntilReady();
            Appliance.Signal(appliance.WorkerPid(), "KILL");
            int deaths = i + 1;
            appliance.WaitFor("death", () => Count(appliance.Log, "worker.lost") >= deaths);
        }

        appliance.WaitFor(
            "end of patience", () => appliance.Workers() is [{ State: WorkerState.Failed }]);
        Assert.Contains("worker.failed", appliance.Log);

        // The rest goes on, and whoever needs the worker hears at once why there is none.
        using RpcClient client = appliance.Connect();
        Result<SystemStatusResult> status = client.Call(RpcMethods.SystemStatus, Nothing.Value);
        Assert.Equal(ApplianceState.Degraded, status.Value.State);
        Result<ObjectListResult> list = client.Call(
            RpcMethods.ObjectList, new ObjectListParameters());
        Assert.Equal(FaultCode.WorkerLost, list.Fault?.Code);
        Assert.Contains("pangea worker restart 0", list.Fault?.Hint);

        Assert.Equal(0, appliance.Run("worker", "restart", "0").ExitCode);
        Assert.Equal(0, appliance.Run("ls").ExitCode);
        Assert.Equal(0, appliance.Stop());
    }

    [Fact]
    public void A_worker_that_was_given_up_does_not_keep_the_appliance_from_stopping()
    {
        using Appliance appliance = Appliance.Start([.. s_small, "--deaths-per-minute", "1"]);
        Appliance.Signal(appliance.WorkerPid(), "KILL");
        appliance.WaitFor("failure", () => appliance.Log.Contains("worker.failed"));
        Assert.Equal(0, appliance.Stop());
    }

    [Fact]
    public void A_number_that_no_worker_has_is_refused()
    {
        using Appliance appliance = Appliance.Start(s_small);
        Assert.Equal(3, appliance.Run("worker", "restart", "7").ExitCode);
        Assert.Equal(2, appliance.Run("worker", "restart", "x").ExitCode);
    }

    private static int Count(string text, string part) => text.Split(part).Length - 1;
}
