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
        using var lines = new LineAssembler();
        if (ReceiveCall(channel, lines) is not { } first)
        {
            return 1;
        }

        if (first.Call.Method == WorkerMethods.Prepare.Name)
        {
            using DescriptorSet rehearsal = first.Descriptors;
            Answer(channel, first.Call, rehearsal);
            if (ReceiveCall(channel, lines, mayEnd: true) is not { } next)
            {
                return 0;
            }

            first = next;
        }

        return RunWorker(channel, first.Call, first.Descriptors, WorkerIsolation.Enter) is null
            ? 0
            : 1;
    }

    /// <summary>A worker from its start to its end, on the calling thread.</summary>
    /// <param name="channel">Where the start came from; owned.</param>
    /// <param name="call">The start.</param>
    /// <param name="came">With the start; owned.</param>
    /// <param name="enterIsolation">The last step of the jail, which cannot be undone.</param>
    /// <returns>Why it did not start; null after an orderly end.</returns>
    internal static Fault? RunWorker(
        UnixSocket channel,
        RpcMessage call,
        DescriptorSet came,
        Func<IReadOnlyList<string>> enterIsolation)
    {
        using DescriptorSet descriptors = came;
        Result<WorkerStart> start = WorkerStart.Prepare(call, descriptors);
        if (!start.IsOk)
        {
            Refuse(channel, call.Id, start.Fault);
            return start.Fault;
        }

        using WorkerStart parts = start.Value;
        Serve(parts, call, channel, enterIsolation);
        parts.Reactor.Run();
        parts.Telemetry?.Stopping();
        return null;
    }

    /// <summary>Brings the state up on the loop, then answers the start and takes calls.</summary>
    private static async void Serve(
        WorkerStart parts,
        RpcMessage call,
        UnixSocket channel,
        Func<IReadOnlyList<string>> enterIsolation)
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
        IReadOnlyList<string> missing = enterIsolation();
        if (parts.Reactor.Shortage is { } shortage)
        {
            missing = [shortage, .. missing];
        }

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
            RpcWriter.Result(
            call.Id.Span,
            WorkerMethods.Start,
            parts.Describe(recovered.Value.Remarks, missing)));
        connection.Start();
    }

    /// <summary>
    /// For one that is to wait for its start: the code of a worker's first second has run before
    /// that comes, and comes as soon as the start does.
    /// </summary>
    private static void Answer(UnixSocket channel, RpcMessage call, DescriptorSet descriptors)
    {
        Result<WorkerPrepareParameters> read = RpcParameters.Read(WorkerMethods.Prepare, call);
        Fault? fault = read.IsOk
            ? DescriptorManifest.Check(read.Value.Manifest, descriptors)
            : read.Fault;
        if (fault is null && read.Value.Rehearsal is { } index)
        {
            Result<OwnedFd> directory = descriptors.Take(index);
            fault = directory.IsOk
                ? Rehearsal.Run(directory.Value, () => channel.HasInput)
                : directory.Fault;
        }

        channel.Send(
            RpcWriter.Result(call.Id.Span, WorkerMethods.Prepare, new WorkerPrepareResult
            {
                Rehearsed = fault is null && read.Value.Rehearsal is not null,
                Reason = fault?.Message,
                Landlock = WorkerIsolation.IsBehindLandlock(),
            }),
            [],
            wait: true);
    }

    /// <summary>
    /// The next call, or null where there is none.
    /// </summary>
    internal static (RpcMessage Call, DescriptorSet Descriptors)? ReceiveCall(
        UnixSocket channel, LineAssembler lines, bool mayEnd = false)
    {
        Result<ReceivedLine> line = ReceiveLine(channel, lines);
        if (!line.IsOk && mayEnd && line.Fault.Code == FaultCode.WorkerLost)
        {
            return null;
        }

        if (!line.IsOk)
        {
            Console.Error.WriteLine($"worker.refused reason=\"{line.Fault.Message}\"");
            return null;
        }

        if (RpcParser.TryParse(line.Value.Bytes, out RpcMessage? call, out RpcRefusal? refusal))
        {
            return (call, line.Value.Descriptors);
        }

        line.Value.Descriptors.Dispose();
        Refuse(channel, refusal.Id, refusal.Fault);
        return null;
    }

    private static Result<ReceivedLine> ReceiveLine(UnixSocket channel, LineAssembler lines)
    {
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
                return new Fault(FaultCode.TooLarge, "the supervisor's line is too long");
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
