using System.Text;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Supervisor.Tests;

/// <summary>How calls get to a worker and back, with the worker played by the test.</summary>
public sealed class WorkerCallsTests
{
    [Fact]
    public void Clients_with_equal_ids_get_their_own_replies_as_they_wrote_them()
    {
        using CallBench bench = new();
        using RpcClient worker = bench.AttachWorker();
        string[] ids = ["1", "1", "1.0", "\"1\"", "1e0", "null", "-9223372036854775808"];
        RpcClient[] clients = [.. ids.Select(_ => bench.AttachClient())];
        for (int i = 0; i < ids.Length; i++)
        {
            Send(clients[i], ids[i], "object.stat", $"{{\"name\":\"{i}\"}}");
        }

        RpcMessage[] calls = [.. ids.Select(_ => worker.Receive().Value)];
        Assert.Equal(ids.Length, calls.Select(call => call.IdNumber).Distinct().Count());

        // Answered in the opposite order: replies find their way by id, not by turn.
        foreach (RpcMessage call in calls.Reverse())
        {
            worker.Send(RpcWriter.ResultRaw(call.Id.Span, call.Parameters.Span));
        }

        for (int i = 0; i < ids.Length; i++)
        {
            RpcMessage reply = clients[i].Receive().Value;
            Assert.Equal(ids[i], Text(reply.Id));
            Assert.Equal($"{{\"name\":\"{i}\"}}", Text(reply.Body));
            clients[i].Dispose();
        }
    }

    [Fact]
    public void Parameters_and_errors_pass_byte_for_byte()
    {
        using CallBench bench = new();
        using RpcClient worker = bench.AttachWorker();
        using RpcClient client = bench.AttachClient();
        const string parameters = "{ \"name\" : \"\\u00e4 \\/ \",\t\"x\":1.50E+2 }";
        Send(client, "7", "object.stat", parameters);
        RpcMessage call = worker.Receive().Value;
        Assert.Equal(parameters, Text(call.Parameters));
        const string error = "{\"code\":-32001,\"message\":\"m\",\"data\":{\"anything\":[1]}}";
        worker.Send(Encoding.UTF8.GetBytes(
            $"{{\"jsonrpc\":\"2.0\",\"id\":{Text(call.Id)},\"error\":{error}}}\n"));
        Assert.Equal(error, Text(client.Receive().Value.Body));
    }

    [Fact]
    public void Progress_comes_under_the_callers_id_and_only_to_the_caller()
    {
        using CallBench bench = new();
        using RpcClient worker = bench.AttachWorker();
        using RpcClient client = bench.AttachClient();
        using RpcClient other = bench.AttachClient();
        Send(other, "\"mine\"", "object.stat", "{}");
        RpcMessage others = worker.Receive().Value;
        Send(client, "\"mine\"", "object.put", "{}");
        RpcMessage call = worker.Receive().Value;
        SendProgress(worker, "999999");
        SendProgress(worker, Text(call.Id));
        worker.Send(RpcWriter.ResultRaw(call.Id.Span, "{}"u8));
        worker.Send(RpcWriter.ResultRaw(others.Id.Span, "{}"u8));

        RpcMessage progress = client.Receive().Value;
        Assert.Equal(WorkerMethods.Progress, progress.Method);
        Assert.Equal("{\"id\":\"mine\",\"bytes\":5}", Text(progress.Parameters));
        Assert.Equal(RpcKind.Result, client.Receive().Value.Kind);
        Assert.Equal(RpcKind.Result, other.Receive().Value.Kind);
    }

    [Fact]
    public void A_caller_that_leaves_withdraws_its_calls()
    {
        using CallBench bench = new();
        using RpcClient worker = bench.AttachWorker();
        using RpcClient staying = bench.AttachClient();
        Send(staying, "1", "object.stat", "{}");
        RpcMessage kept = worker.Receive().Value;
        RpcClient leaving = bench.AttachClient();
        Send(leaving, "1", "object.put", "{}");
        RpcMessage call = worker.Receive().Value;
        leaving.Dispose();
        RpcMessage cancel = worker.Receive().Value;
        Assert.Equal((RpcKind.Notification, "call.cancel"), (cancel.Kind, cancel.Method));
        Assert.Equal($"{{\"id\":{Text(call.Id)}}}", Text(cancel.Parameters));

        // The late answer hits nobody; the other client's call goes on.
        worker.Send(RpcWriter.Error(call.Id.Span, new Fault(FaultCode.Canceled, "left")));
        worker.Send(RpcWriter.ResultRaw(kept.Id.Span, "{}"u8));
        Assert.Equal(RpcKind.Result, staying.Receive().Value.Kind);
        bench.OnLoop(() => Assert.Equal(0, bench.Calls.Count));
    }

    [Fact]
    public void A_lost_worker_fails_what_it_had_and_the_next_one_gets_what_waited()
    {
        using CallBench bench = new();
        RpcClient first = bench.AttachWorker();
        using RpcClient client = bench.AttachClient();
        Send(client, "1", "object.stat", "{}");
        Assert.Equal("object.stat", first.Receive().Value.Method);
        bench.DetachWorker();
        first.Dispose();
        Fault? lost = RpcErrors.Read(client.Receive().Value);
        Assert.Equal((FaultCode.WorkerLost, true), (lost?.Code, lost?.IsRetryable));

        // In the order they came, and not before the worker says that it is ready.
        (UnixSocket kept, UnixSocket passed) = UnixSocket.Pair().Value;
        Send(client, "2", "object.put", "{}", passed.Fd);
        Send(client, "3", "object.stat", "{}");
        passed.Dispose();
        using RpcClient second = bench.AttachWorker(open: false);
        bench.OnLoop(() => Assert.Equal(2, bench.Calls.Count));
        bench.OnLoop(bench.Calls.Open);
        Assert.Equal("object.put", second.Receive().Value.Method);
        Assert.Equal("object.stat", second.Receive().Value.Method);

        // The descriptor came along: the worker's copy was the last one, so its end is noticed.
        byte[] end = new byte[1];
        Assert.Equal(0, kept.Receive(end, [], wait: true).Value);
        kept.Dispose();
    }

    [Fact]
    public void Waiting_is_bounded_and_tells_why_there_was_no_worker()
    {
        using CallBench bench = new(TimeSpan.FromMilliseconds(200));
        using RpcClient client = bench.AttachClient();
        bench.OnLoop(() =>
            bench.Calls.LastFailure = new Fault(FaultCode.Corrupt, "the key is bad", "restore it"));
        Send(client, "1", "object.stat", "{}");
        Fault? fault = RpcErrors.Read(client.Receive().Value);
        Assert.Equal((FaultCode.WorkerLost, "restore it"), (fault?.Code, fault?.Hint));
        Assert.Contains("the key is bad", fault?.Message);
    }

    [Fact]
    public void A_waiting_call_of_a_caller_that_left_never_runs()
    {
        using CallBench bench = new();
        RpcClient leaving = bench.AttachClient();
        Send(leaving, "1", "object.remove", "{}");
        WaitForCount(bench, 1);
        leaving.Dispose();
        WaitForCount(bench, 0);
        using RpcClient worker = bench.AttachWorker();
        using RpcClient client = bench.AttachClient();
        Send(client, "1", "object.stat", "{}");
        Assert.Equal("object.stat", worker.Receive().Value.Method);
    }

    [Fact]
    public void Refused_means_now_and_from_now_on()
    {
        using CallBench bench = new();
        using RpcClient client = bench.AttachClient();
        Send(client, "1", "object.stat", "{}");
        WaitForCount(bench, 1);
        bench.OnLoop(() => bench.Calls.Refuse(new Fault(FaultCode.BadState, "stopping")));
        Assert.Equal(FaultCode.BadState, RpcErrors.Read(client.Receive().Value)?.Code);
        Send(client, "2", "object.stat", "{}");
        Assert.Equal(FaultCode.BadState, RpcErrors.Read(client.Receive().Value)?.Code);
    }

    /// <summary>
    /// Our id may be longer than the client's, so a line of just the allowed length would grow over
    /// the bound on the worker's side, which ends the worker.
    /// </summary>
    [Fact]
    public void A_line_that_grows_over_the_bound_is_refused_and_does_not_reach_the_worker()
    {
        using CallBench bench = new();
        using RpcClient worker = bench.AttachWorker();
        using RpcClient client = bench.AttachClient();
        for (int i = 0; i < 9; i++)
        {
            Send(client, "1", "object.stat", "{}");
            worker.Send(RpcWriter.ResultRaw(worker.Receive().Value.Id.Span, "{}"u8));
            _ = client.Receive();
        }

        int overhead = Line("1", "object.stat", "{\"name\":\"\"}").Length;
        string name = new('n', Limits.RpcLineBytesMax - overhead);
        byte[] line = Line("1", "object.stat", $"{{\"name\":\"{name}\"}}");
        Assert.Equal(Limits.RpcLineBytesMax, line.Length);
        client.Send(line);
        Assert.Equal(FaultCode.TooLarge, RpcErrors.Read(client.Receive().Value)?.Code);
        Send(client, "2", "object.list", "{}");
        Assert.Equal("object.list", worker.Receive().Value.Method);
    }

    [Fact]
    public void A_call_without_an_id_runs_and_its_reply_is_dropped()
    {
        using CallBench bench = new();
        using RpcClient worker = bench.AttachWorker();
        using RpcClient client = bench.AttachClient();
        client.Send(
            "{\"jsonrpc\":\"2.0\",\"method\":\"object.remove\",\"params\":{\"name\":\"a\"}}\n"u8);
        RpcMessage call = worker.Receive().Value;
        Assert.Equal((RpcKind.Request, "object.remove"), (call.Kind, call.Method));
        worker.Send(RpcWriter.ResultRaw(call.Id.Span, "{}"u8));
        Send(client, "5", "object.stat", "{}");
        worker.Send(RpcWriter.ResultRaw(worker.Receive().Value.Id.Span, "{}"u8));
        Assert.Equal("5", Text(client.Receive().Value.Id));
    }

    [Fact]
    public void More_calls_than_a_worker_may_have_are_told_to_come_back()
    {
        using CallBench bench = new();
        int perClient = Limits.CallsPerConnectionMax;
        int clients = Limits.CallsPerWorkerMax / perClient;
        List<RpcClient> all = [];
        for (int i = 0; i < clients; i++)
        {
            RpcClient client = bench.AttachClient();
            all.Add(client);
            for (int call = 0; call < perClient; call++)
            {
                Send(client, $"{call}", "object.stat", "{}");
            }
        }

        WaitForCount(bench, Limits.CallsPerWorkerMax);
        using RpcClient surplus = bench.AttachClient();
        Send(surplus, "1", "object.stat", "{}");
        Assert.Equal(FaultCode.Busy, RpcErrors.Read(surplus.Receive().Value)?.Code);
        all.ForEach(client => client.Dispose());
        WaitForCount(bench, 0);
    }

    [Fact]
    public void A_call_of_our_own_that_nobody_answers_times_out()
    {
        using CallBench bench = new();
        using RpcClient worker = bench.AttachWorker(open: false);
        using var done = new ManualResetEventSlim();
        Result<WorkerPingResult> result = default;
        bench.OnLoop(() => bench.Calls.Call(
            WorkerMethods.Ping,
            new Nothing(),
            null,
            TimeSpan.FromMilliseconds(150),
            answer =>
            {
                result = answer;
                done.Set();
            }));
        Assert.True(done.Wait(TimeSpan.FromSeconds(30)));
        Assert.Equal(FaultCode.TimedOut, result.Fault?.Code);
    }

    private static void WaitForCount(CallBench bench, int count)
    {
        int seen = -1;
        bool reached = SpinWait.SpinUntil(
            () =>
            {
                bench.OnLoop(() => seen = bench.Calls.Count);
                return seen == count;
            },
            TimeSpan.FromSeconds(30));
        Assert.True(reached, $"{seen} calls, expected {count}");
    }

    private static void SendProgress(RpcClient worker, string id) =>
        worker.Send(Encoding.UTF8.GetBytes(
        "{\"jsonrpc\":\"2.0\",\"method\":\"object.progress\","
        + $"\"params\":{{\"id\":{id},\"bytes\":5}}}}\n"));

    private static void Send(
        RpcClient client, string id, string method, string parameters, OwnedFd? descriptor =
            null) =>
        client.Send(Line(id, method, parameters), descriptor is null ? [] : [descriptor]);

    private static byte[] Line(string id, string method, string parameters) =>
        RpcWriter.RequestRaw(
            Encoding.UTF8.GetBytes(id), method, Encoding.UTF8.GetBytes(parameters));

    private static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);
}
