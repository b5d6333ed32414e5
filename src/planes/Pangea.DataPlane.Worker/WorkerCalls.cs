using System.Diagnostics;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// The calls on a storage worker's channel: decodes each, runs it, answers it. Transfers run side
/// by side, each an async method on the loop; everything else is answered at once.
/// </summary>
internal sealed class WorkerCalls : IRpcPeer
{
    private static readonly TimeSpan s_idleCheckEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_endingMax = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_lastCheckpointMax = TimeSpan.FromSeconds(2);

    private readonly StorageService _service;
    private readonly HealingCalls _healing;
    private readonly Dictionary<long, TransferWatch> _transfers = [];
    private readonly TransferAnswer _answer = new();
    private readonly long _startedAt = Stopwatch.GetTimestamp();
    private bool _closed;
    private bool _rebuilding;

    public WorkerCalls(StorageService service, HealingCalls healing)
    {
        _service = service;
        _healing = healing;
        CheckIdleTransfers();
    }

    public void OnMessage(RpcConnection connection, RpcMessage message, DescriptorSet descriptors)
    {
        if (message.Kind == RpcKind.Notification)
        {
            OnNotification(message);
        }
        else if (message.Kind == RpcKind.Request)
        {
            OnRequest(connection, message, descriptors);
        }
    }

    public void OnRefused(RpcConnection connection, RpcRefusal refusal)
    {
        // Only the supervisor is at the other end; a line of its that is none means that one of us
        // is broken.
        Console.Error.WriteLine($"worker.refused reason=\"{refusal.Fault.Message}\"");
    }

    /// <summary>The supervisor is gone or wants this worker to end: so it ends.</summary>
    public void OnClosed(RpcConnection connection, Fault? fault)
    {
        _closed = true;
        foreach (TransferWatch transfer in _transfers.Values)
        {
            transfer.Cancel();
        }

        StopWhenIdle();
    }

    private void OnNotification(RpcMessage message)
    {
        if (message.Method != WorkerMethods.Cancel.Name)
        {
            return;
        }

        Result<CallCancelParameters> cancel = RpcParameters.Read(WorkerMethods.Cancel, message);
        if (cancel.IsOk && _transfers.TryGetValue(cancel.Value.Id, out TransferWatch? transfer))
        {
            transfer.Cancel();
        }
    }

    private void OnRequest(RpcConnection connection, RpcMessage call, DescriptorSet descriptors)
    {
        if (call.Method == RpcMethods.ObjectPut.Name)
        {
            Result<ObjectPutParameters> put = RpcParameters.Read(RpcMethods.ObjectPut, call);
            Transfer(connection, call, descriptors, put.Fault, put.IsOk ? put.Value : null, null);
        }
        else if (call.Method == RpcMethods.ObjectGet.Name)
        {
            Result<ObjectGetParameters> get = RpcParameters.Read(RpcMethods.ObjectGet, call);
            Transfer(connection, call, descriptors, get.Fault, null, get.IsOk ? get.Value : null);
        }
        else if (call.Method == RpcMethods.ObjectStat.Name)
        {
            Stat(connection, call);
        }
        else if (call.Method == RpcMethods.ObjectList.Name)
        {
            Reply(connection, call, RpcMethods.ObjectList, ObjectReports.List);
        }
        else if (call.Method == RpcMethods.ObjectRemove.Name)
        {
            Remove(connection, call);
        }
        else if (call.Method == StorageMethods.CatalogRebuild.Name)
        {
            Rebuild(connection, call);
        }
        else if (call.Method == WorkerMethods.StorageStatus.Name)
        {
            Reply(
                connection, call, WorkerMethods.StorageStatus,
                (service, _) => ObjectReports.Status(service));
        }
        else if (call.Method == WorkerMethods.Keys.Name)
        {
            Reply(
                connection, call, WorkerMethods.Keys,
                (service, parameters) => MergeKeys(service, parameters, descriptors));
        }
        else if (call.Method == WorkerMethods.Ping.Name)
        {
            Reply(connection, call, WorkerMethods.Ping, (_, _) => Ping(connection));
        }
        else if (!_healing.TryRun(connection, call, descriptors))
        {
            connection.Answer(call, WorkerMethods.Find(call.Method) is null
                ? RpcMethods.NotFound(call.Method)
                : new Fault(
                    FaultCode.Unsupported,
                    $"this worker does not know {call.Method} yet",
                    "use a later version"));
        }
    }

    private void Reply<TParameters, TResult>(
        RpcConnection connection,
        RpcMessage call,
        RpcMethod<TParameters, TResult> method,
        Func<StorageService, TParameters, Result<TResult>> run)
    {
        Result<TParameters> parameters = RpcParameters.Read(method, call);
        Result<TResult> result =
            parameters.IsOk ? run(_service, parameters.Value) : parameters.Fault;
        Answer(connection, call, method, result);
    }

    private async void Remove(RpcConnection connection, RpcMessage call)
    {
        Result<ObjectNameParameters> parameters = RpcParameters.Read(RpcMethods.ObjectRemove, call);
        Result<ObjectRemoveResult> result = parameters.IsOk
            ? await ObjectReports.RemoveAsync(_service, parameters.Value)
            : parameters.Fault;
        Answer(connection, call, RpcMethods.ObjectRemove, result);
    }

    private async void Rebuild(RpcConnection connection, RpcMessage call)
    {
        Result<CatalogRebuildParameters> parameters =
            RpcParameters.Read(StorageMethods.CatalogRebuild, call);
        Result<RebuildReport> report = parameters.IsOk ? default(RebuildReport) : parameters.Fault;
        if (parameters.IsOk && _rebuilding)
        {
            report = new Fault(FaultCode.Busy, "the catalog is being made anew already");
        }
        else if (parameters.IsOk)
        {
            _rebuilding = true;
            bool wanted = parameters.Value.Progress && call.IdNumber is not null;
            report = await ObjectRecovery.RebuildAsync(_service, bytes =>
            {
                if (wanted)
                {
                    ReportProgress(connection, call.IdNumber!.Value, bytes, null);
                }
            });
            _rebuilding = false;
        }

        Answer(
            connection, call, StorageMethods.CatalogRebuild,
            report.IsOk
                ? new CatalogRebuildResult
                {
                    Objects = report.Value.Objects,
                    BytesRead = report.Value.BytesRead,
                    Milliseconds = (long)report.Value.Time.TotalMilliseconds,
                }
                : report.Fault);
    }

    private async void Stat(RpcConnection connection, RpcMessage call)
    {
        Result<ObjectNameParameters> parameters = RpcParameters.Read(RpcMethods.ObjectStat, call);
        Result<ObjectStatResult> result = parameters.IsOk
            ? await ObjectReports.StatAsync(_service, parameters.Value)
            : parameters.Fault;
        Answer(connection, call, RpcMethods.ObjectStat, result);
    }

    private void Transfer(
        RpcConnection connection, RpcMessage call, DescriptorSet descriptors, Fault? fault,
        ObjectPutParameters? put, ObjectGetParameters? get)
    {
        Result<OwnedFd> file = fault is null ? descriptors.Take(0) : fault;
        if (!file.IsOk || call.IdNumber is not { } id)
        {
            if (file.IsOk)
            {
                file.Value.Dispose();
            }

            connection.Answer(call, file.Fault ?? new Fault(
                FaultCode.InvalidRequest, "calls on a worker's channel are numbered"));
            return;
        }

        TransferCall job = IdleTransfers.TryPop(out TransferCall? used)
            ? used
            : new TransferCall(this, _service);
        job.Prepare(connection, call, id, file.Value, put, get);
        if (_transfers.TryAdd(id, job.Watch))
        {
            job.StartAlone();
            return;
        }

        file.Value.Dispose();
        IdleTransfers.Push(job);
        connection.Answer(
            call, new Fault(FaultCode.InvalidRequest, $"call {id} is under way already"));
    }

    /// <summary>Transfers that are not under way, to be used again.</summary>
    public Stack<TransferCall> IdleTransfers { get; } = new();

    /// <summary>The transfer needs its caller no more: it cannot be withdrawn.</summary>
    public void Ended(long id) => _transfers.Remove(id);

    public void Answer(RpcConnection connection, RpcMessage call, in Result<PutOutcome> outcome)
    {
        if (outcome.IsOk)
        {
            connection.Answer(_answer.Of(call.Id.Span, outcome.Value));
        }
        else
        {
            connection.Answer(call, outcome.Fault);
        }
    }

    public void Answer(RpcConnection connection, RpcMessage call, in Result<GetOutcome> outcome)
    {
        if (outcome.IsOk)
        {
            connection.Answer(_answer.Of(call.Id.Span, outcome.Value));
        }
        else
        {
            connection.Answer(call, outcome.Fault);
        }
    }

    public static void ReportProgress(
        RpcConnection connection, long id, long bytes, long? total) =>
        connection.TrySend(RpcWriter.Notification(
            WorkerMethods.Progress,
            new ObjectProgress { Id = id, Bytes = bytes, BytesTotal = total },
            ControlJson.Default.ObjectProgress));

    private static void Answer<TParameters, TResult>(
        RpcConnection connection,
        RpcMessage call,
        RpcMethod<TParameters, TResult> method,
        Result<TResult> result)
    {
        if (result.IsOk)
        {
            connection.Answer(RpcWriter.Result(call.Id.Span, method, result.Value));
        }
        else
        {
            connection.Answer(call, result.Fault);
        }
    }

    private Result<WorkerPingResult> Ping(RpcConnection connection) => new WorkerPingResult
    {
        UptimeSeconds = (long)Stopwatch.GetElapsedTime(_startedAt).TotalSeconds,
        RssBytes = Environment.WorkingSet,
        Calls = connection.CallsOpen,
    };

    private static Result<WorkerKeysResult> MergeKeys(
        StorageService service, WorkerKeysParameters parameters, DescriptorSet descriptors)
    {
        Result<KeyRing> newer = WorkerStart.ReadKeys(parameters.Keys, descriptors);
        Result merged = newer.IsOk ? service.Keys.Merge(newer.Value) : newer.Fault;
        return merged.IsOk
            ? new WorkerKeysResult { Current = service.Keys.Current.Id.ToString() }
            : merged.Fault;
    }

    private async void CheckIdleTransfers()
    {
        while (!_closed)
        {
            await _service.Reactor.DelayAsync(s_idleCheckEvery);
            TransferWatch[] transfers = _transfers.Count == 0 ? [] : [.. _transfers.Values];
            foreach (TransferWatch transfer in transfers)
            {
                transfer.CheckIdle(TimeSpan.FromSeconds(Limits.TransferIdleSecondsMax));
                if (transfer.EndingMs > s_endingMax.TotalMilliseconds)
                {
                    // No call reaches an operation that the kernel does not give back. A fresh
                    // worker serves the others, and shows the device as it finds it.
                    Environment.FailFast(
                        $"a transfer that was told to end {transfer.EndingMs} ms ago "
                            + "still waits for a device");
                }
            }
        }
    }

    /// <summary>Gives cancelled transfers a moment to clean up after themselves.</summary>
    private async void StopWhenIdle()
    {
        for (int i = 0; i < 100 && _transfers.Count > 0; i++)
        {
            await _service.Reactor.DelayAsync(TimeSpan.FromMilliseconds(20));
        }

        // A checkpoint makes the next start quick; it need not succeed.
        _service.StopBackground();
        await _healing.StopAsync();
        await Task.WhenAny(
            _service.Checkpoints.RunOnceAsync(),
            _service.Reactor.DelayAsync(s_lastCheckpointMax).AsTask());
        _service.Reactor.Stop();
    }
}
