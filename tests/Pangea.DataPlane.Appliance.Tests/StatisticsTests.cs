using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>
/// Statistics, heartbeat and last events of real processes: what is counted, and what is left when
/// a worker dies in the middle.
/// </summary>
public sealed class StatisticsTests
{
    private const int NotFoundExit = 3;
    private static readonly string[] s_small = ["--redundancy", "2+1"];

    [Fact]
    public void Puts_and_gets_are_counted_with_their_bytes_and_times()
    {
        using Appliance appliance = Appliance.Start(s_small);
        string source = Path.Combine(appliance.Directory, "source");
        File.WriteAllBytes(source, new byte[123_456]);
        Assert.Equal(0, appliance.Run("put", source, "--name", "a").ExitCode);
        Assert.Equal(0, appliance.Run("put", source, "--name", "b").ExitCode);
        Assert.Equal(0, appliance.Run("get", "a", "--output", source).ExitCode);
        Assert.Equal(NotFoundExit, appliance.Run("stat", "none").ExitCode);
        ProcessStats worker = Stats(appliance);
        Assert.Equal(appliance.WorkerPid(), worker.Pid);
        Assert.Equal(2 * 123_456, Value(worker, "pangea_object_put_bytes_total"));
        Assert.Equal(123_456, Value(worker, "pangea_object_get_bytes_total"));
        Assert.Equal(1, Value(worker, "pangea_worker_call_faults_total"));
        MetricRecord times = worker.Metrics.Single(
            metric => metric.Name == "pangea_object_put_nanoseconds");
        Assert.Equal(2, times.Buckets!.Sum(bucket => bucket.Count));
        Assert.Null(times.Buckets![^1].UpTo);
        Assert.True(times.Value > 0);
        appliance.WaitFor("heartbeat", () => Stats(appliance).Heartbeats > worker.Heartbeats);

        string text = appliance.Run("stats", "--prometheus").Output;
        Assert.Contains("# TYPE pangea_object_put_nanoseconds histogram", text);
        Assert.Contains(
            "pangea_object_put_nanoseconds_bucket{role=\"storage\",index=\"0\",le=\"+Inf\"} 2",
            text);
        Assert.Contains("pangea_object_put_bytes_total", appliance.Run("stats").Output);
    }

    /// <summary>
    /// A stopped process is the plainest loop that stands still: nothing turns any more.
    /// </summary>
    [Fact]
    public void A_worker_whose_loop_stands_still_is_killed_and_started_again()
    {
        using Appliance appliance = Appliance.Start([.. s_small, "--stall-seconds", "2"]);
        int stuck = appliance.WorkerPid();
        Appliance.Signal(stuck, "STOP");
        appliance.WaitFor("kill", () => appliance.Log.Contains("its loop stood still"));
        appliance.WaitFor(
            "another worker", () => appliance.Workers() is [{ State: WorkerState.Ready } worker]
                && worker.Pid != stuck);
        Assert.Equal(0, appliance.Run("ls").ExitCode);
    }

    [Fact]
    public void The_last_events_of_a_killed_worker_can_be_read()
    {
        using Appliance appliance = Appliance.Start(s_small);
        int killed = appliance.WorkerPid();
        Assert.Equal(NotFoundExit, appliance.Run("stat", "none").ExitCode);
        using (System.Diagnostics.Process put = appliance.StartCommand("put", "-", "--name", "a"))
        {
            appliance.WaitFor(
                "call", () => Value(Stats(appliance), "pangea_worker_calls_open") > 0);
            Appliance.Signal(killed, "KILL");
            put.StandardInput.Close();
            put.WaitForExit();
        }

        appliance.WaitUntilReady();
        using RpcClient client = appliance.Connect();
        PostmortemResult found = client.Call(
            StatsMethods.Postmortem, new WorkerIndexParameters { Index = 0 }).Value;
        Assert.Equal(killed, found.Pid);
        Assert.Contains("9", found.Status);
        Assert.Equal("start", found.Events[0].Kind);
        Assert.Equal(killed, found.Events[0].Number);
        Assert.Contains(found.Events, each => each is { Kind: "ready" });
        Assert.Contains(found.Events, each => each is { Kind: "device", Text: "Ok" });
        FlightRecord refused = found.Events.Single(
            each => each is { Kind: "callEnded", Text: "object.stat" });
        Assert.Equal((int)FaultCode.NotFound, refused.Code);

        // The put began and never ended.
        FlightRecord began = found.Events.Single(
            each => each is { Kind: "callBegan", Text: "object.put" });
        Assert.DoesNotContain(
            found.Events, each => each.Kind == "callEnded" && each.Number == began.Number);
        Assert.InRange(
            began.Time, DateTime.UtcNow - TimeSpan.FromMinutes(5), DateTime.UtcNow);
        Assert.Contains("object.put", appliance.Run("worker", "postmortem", "0").Output);
        Assert.Equal(NotFoundExit, appliance.Run("worker", "postmortem", "5").ExitCode);
    }

    private static ProcessStats Stats(Appliance appliance)
    {
        using RpcClient client = appliance.Connect();
        StatsReadResult stats = client.Call(StatsMethods.Read, Nothing.Value).Value;
        return stats.Processes.Single(process => process.Role == "storage");
    }

    private static long Value(ProcessStats process, string name) =>
        process.Metrics.Single(metric => metric.Name == name).Value;
}
