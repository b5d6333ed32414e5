using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;
using Pangea.DataPlane.Worker.Isolation;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// The life of a worker process: the first line on its channel hands it everything it may touch; it
/// builds its loop from that, brings its state up, answers that it is ready, and serves until the
/// channel closes.
/// </summary>
public static class WorkerProcess
{
    /// <summary>Runs a worker on the calling thread, which becomes its loop's.</summary>
    /// <param name="channelFd">The worker's end of the socket pair to the supervisor;
    /// owned.</param>
    /// <param name="args">None are taken: what a worker needs comes over the channel.</param>
    /// <returns>The process's exit code: 0 after an orderly end.</returns>
    public static int Run(int channelFd, string[] args)
    {
        if (args.Length > 0)
        {
            Console.Error.WriteLine(
                $"worker.refused argument={args[0]} hint=\"workers take none\"");
            return 2;
        }

        UnixSocket channel = UnixSocket.Adopt(new OwnedFd(channelFd));
        Result<ReceivedLine> first = ReceiveFirstLine(channel);
        if (!first.IsOk)
        {
            Console.Error.WriteLine($"worker.refused reason=\"{first.Fault.Message}\"");
            return 1;
        }

        if (!RpcParser.TryParse(first.Value.Bytes, out RpcMessage? call, out RpcRefusal? refusal))
        {
            Refuse(channel, refusal.Id, refusal.Fault);
            return 1;
        }

        using DescriptorSet descriptors = first.Value.Descriptors;
        Result<WorkerStart> start = WorkerStart.Prepare(call, descriptors);
        if (!start.IsOk)
        {
            Refuse(channel, call.Id, start.Fault);
            return 1;
        }

        using WorkerStart parts = start.Value;
        Serve(parts, call, channel);
        parts.Reactor.Run();
        parts.Telemetry?.Stopping();
        return 0;
    }

    /// <summary>Brings the state up on the loop, then answers the start and takes calls.</summary>
    private static async void Serve(WorkerStart parts, RpcMessage call, UnixSocket channel)
    {
        await parts.Reactor.DelayAsync(TimeSpan.Zero); // From here on, the loop's thread.
        parts.Telemetry?.Run(parts.Reactor, parts.Service);
        Result<RecoveryReport> recovered = await ObjectRecovery.RunAsync(parts.Service);
        if (!recovered.IsOk)
        {
            Refuse(channel, call.Id, recovered.Fault);
            parts.Reactor.Stop();
            return;
        }

        parts.Service.StartBackground();
        parts.Healing.Start();
        IReadOnlyList<string> remarks =
            [.. recovered.Value.Remarks, .. WorkerIsolation.Enter()];
        var calls = new WorkerCalls(
            parts.Service, new HealingCalls(parts.Healing, parts.Changes));
        var connection = new RpcConnection(
            parts.Reactor, channel, calls, callsMax: Limits.CallsPerWorkerMax)
        {
            Observer = parts.Telemetry,

            // One peer, whose every put is a chunk: as many as may be under way share a turn.
            ChunksPerTurn = Limits.SmallTransfersMax,
        };
        parts.Telemetry?.Ready();
        connection.Send(
            RpcWriter.Result(call.Id.Span, WorkerMethods.Start, parts.Describe(remarks)));
        connection.Start();
    }

    private static Result<ReceivedLine> ReceiveFirstLine(UnixSocket channel)
    {
        var lines = new LineAssembler();
        var chunk = new byte[64 * 1024];
        var received = new List<OwnedFd>();
        ReceivedLine line;
        while (!lines.TryTake(out line))
        {
            received.Clear();
            SysResult result = channel.Receive(chunk, received, wait: true);
            if (!result.IsOk || result.Value == 0)
            {
                return new Fault(
                    FaultCode.WorkerLost,
                    result.IsOk
                        ? "the supervisor left before it started the worker"
                        : $"cannot receive from the supervisor: {result.Errno}");
            }

            if (!lines.Append(chunk.AsSpan(0, (int)result.Value), received))
            {
                return new Fault(FaultCode.TooLarge, "the supervisor's first line is too long");
            }
        }

        return line;
    }

    private static void Refuse(UnixSocket channel, ReadOnlyMemory<byte> id, Fault fault)
    {
        channel.Send(RpcWriter.Error(id.Span, fault), [], wait: true);
        channel.Dispose();
    }
}
