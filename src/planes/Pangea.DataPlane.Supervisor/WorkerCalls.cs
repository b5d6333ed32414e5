using System.Text.Json.Serialization.Metadata;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Supervisor;

/// <summary>
/// The calls of one worker. Forwards clients' lines untranslated but for the id, which must be
/// unique on the worker's channel while clients choose theirs freely. Calls that come while the
/// worker restarts wait for it a bounded time. Lives on the loop's thread.
/// </summary>
internal sealed class WorkerCalls(IReactor reactor, TimeSpan waitTimeMax)
{
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(100);

    private readonly Dictionary<long, PendingCall> _underWay = [];
    private readonly List<PendingCall> _waiting = [];
    private RpcConnection? _channel;
    private bool _open;
    private bool _ticking;
    private long _lastId;
    private TimeSpan _heldLonger;
    private Fault? _refusal;

    /// <summary>Why the last worker did not start, for those who wait in vain.</summary>
    public Fault? LastFailure { get; set; }

    /// <summary>Calls under way or waiting.</summary>
    public int Count => _underWay.Count + _waiting.Count;

    /// <summary>
    /// A new worker's channel: our own calls may go, clients' wait for <see cref="Open"/>.
    /// </summary>
    public void Attach(RpcConnection channel)
    {
        Invariant.Check(_channel is null);
        _channel = channel;
        _open = false;
    }

    /// <summary>The worker is ready: what waited goes, in the order it came.</summary>
    public void Open()
    {
        _open = true;
        _heldLonger = TimeSpan.Zero;
        PendingCall[] waiting = [.. _waiting];
        _waiting.Clear();
        foreach (PendingCall call in waiting)
        {
            Send(call);
        }
    }

    /// <summary>The worker is gone: what it had fails, what waits goes on waiting.</summary>
    public void Detach(Fault fault)
    {
        _channel = null;
        _open = false;
        PendingCall[] lost = [.. _underWay.Values];
        _underWay.Clear();
        foreach (PendingCall call in lost)
        {
            call.Fail(fault);
        }
    }

    /// <summary>From now on every call is refused with this, and so is each that waits.</summary>
    public void Refuse(Fault fault)
    {
        _refusal = fault;
        PendingCall[] waiting = [.. _waiting];
        _waiting.Clear();
        foreach (PendingCall call in waiting)
        {
            call.Fail(fault);
        }
    }

    /// <summary>Calls are taken again after <see cref="Refuse"/>; they wait for a worker.</summary>
    public void Accept() => _refusal = null;

    /// <summary>
    /// The worker gets no more of clients' calls; they wait for the next one, so much longer.
    /// </summary>
    public void Hold(TimeSpan longer)
    {
        _open = false;
        _heldLonger = longer;
    }

    /// <summary>Clients' calls that the worker has.</summary>
    public int CallersUnderWay => _underWay.Values.Count(call => call.Caller is not null);

    /// <summary>Passes a client's call on; its descriptors too.</summary>
    public void Forward(RpcConnection caller, RpcMessage message, DescriptorSet descriptors)
    {
        var call = new PendingCall(caller, message);
        if (_refusal is not null)
        {
            call.Fail(_refusal);
            return;
        }

        if (Count >= Limits.CallsPerWorkerMax)
        {
            call.Fail(new Fault(
                FaultCode.Busy,
                $"{Count} calls are under way or waiting",
                "call again when some have ended"));
            return;
        }

        // Only as many as the method takes: what else came is closed, not kept for as long as calls
        // wait.
        int wanted = Math.Min(descriptors.Count, RpcMethods.Find(message.Method)?.Descriptors ?? 0);
        if (wanted > 0)
        {
            call.Descriptors = new DescriptorSet(
                Enumerable.Range(0, wanted).Select(i => descriptors.Take(i).Value).ToArray());
        }

        if (_open)
        {
            Send(call);
            return;
        }

        TimeSpan wait = waitTimeMax + _heldLonger;
        call.DeadlineMs = Environment.TickCount64 + (long)wait.TotalMilliseconds;
        _waiting.Add(call);
        KeepTime();
    }

    /// <summary>
    /// Makes a call of our own. The callback gets WorkerLost when the worker ends before it
    /// answers.
    /// </summary>
    public void Call<TParameters, TResult>(
        RpcMethod<TParameters, TResult> method,
        TParameters parameters,
        DescriptorSet? descriptors,
        TimeSpan timeMax,
        Action<Result<TResult>> onResult)
    {
        var call = new PendingCall(reply =>
            onResult(reply.IsOk ? RpcParameters.ReadResult(method, reply.Value) : reply.Fault))
        {
            DeadlineMs = timeMax == Timeout.InfiniteTimeSpan
                ? long.MaxValue
                : Environment.TickCount64 + (long)timeMax.TotalMilliseconds,
        };
        long id = ++_lastId;
        byte[] line = RpcWriter.Request(RpcIds.Write(id), method, parameters);

        // Not counted against the clients' bound: a full house must not keep a worker from
        // starting.
        if (_channel is null || !_channel.TrySend(line, descriptors))
        {
            descriptors?.Dispose();
            call.Fail(
                new Fault(FaultCode.Busy, $"{method.Name}: the worker does not take calls now"));
            return;
        }

        _underWay.Add(id, call);
        KeepTime();
    }

    /// <summary>A client has gone: what waits is dropped, what is under way is withdrawn.</summary>
    public void CallerGone(RpcConnection caller)
    {
        for (int i = _waiting.Count - 1; i >= 0; i--)
        {
            if (ReferenceEquals(_waiting[i].Caller, caller))
            {
                _waiting[i].Descriptors?.Dispose();
                _waiting.RemoveAt(i);
            }
        }

        foreach ((long id, PendingCall call) in _underWay)
        {
            if (ReferenceEquals(call.Caller, caller))
            {
                // It stays in the table until the worker's answer, so that its id is not unknown
                // then.
                call.Abandon();
                _channel?.TrySend(RpcWriter.Notification(
                    WorkerMethods.Cancel.Name,
                    new CallCancelParameters { Id = id },
                    WorkerMethods.Cancel.ParametersJson));
            }
        }
    }

    /// <summary>A line from the worker: a reply, or the progress of a call.</summary>
    public void OnMessage(RpcMessage message)
    {
        switch (message.Kind)
        {
            case RpcKind.Result or RpcKind.Error:
                if (message.IdNumber is { } id && _underWay.Remove(id, out PendingCall? done))
                {
                    done.Complete(message);
                }

                break;
            case RpcKind.Notification when message.Method == WorkerMethods.Progress:
                PassProgress(message);
                break;
            default:
                break; // A notification of a later version finds nobody.
        }
    }

    /// <summary>A worker's own words, for the log.</summary>
    internal static string Shorten(string text) => text.Length <= 64 ? text : text[..64] + "...";

    private void PassProgress(RpcMessage notification)
    {
        if (RpcIds.TryParse(RpcWriter.CallId(notification).Span, out long id)
            && _underWay.TryGetValue(id, out PendingCall? call)
            && call is { Caller: { } caller, Call.Kind: RpcKind.Request }
            && RpcWriter.WithCallId(notification, call.Call.Id.Span) is { } line)
        {
            // Progress that the client has no room for is worth nothing later.
            _ = caller.TrySend(line);
        }
    }

    private void Send(PendingCall call)
    {
        RpcMessage message = call.Call!;
        long id = ++_lastId;
        byte[] line = message.Kind == RpcKind.Request
            ? RpcWriter.WithId(message, RpcIds.Write(id))
            : RpcWriter.RequestRaw(RpcIds.Write(id), message.Method, message.Parameters.Span);
        if (line.Length > Limits.RpcLineBytesMax)
        {
            // Our id is longer than the client's was. The worker would take the line for an attack.
            call.Fail(new Fault(
                FaultCode.TooLarge,
                $"the call has {line.Length} bytes, allowed are {Limits.RpcLineBytesMax}",
                "shorten its parameters"));
            return;
        }

        DescriptorSet? descriptors = call.Descriptors;
        call.Descriptors = null;
        call.DeadlineMs = 0; // It waited for the worker; the work itself takes as long as it takes.
        if (!_channel!.TrySend(line, descriptors))
        {
            call.Fail(new Fault(
                FaultCode.Busy,
                "the storage worker has more calls than it can take",
                "call again later"));
            return;
        }

        _underWay.Add(id, call);
    }

    private Fault NoWorker()
    {
        string why = LastFailure is null ? "" : $": {LastFailure.Message}";
        return new Fault(
            FaultCode.WorkerLost,
            $"there was no storage worker for {waitTimeMax.TotalSeconds:0} s{why}",
            LastFailure?.Hint ?? "the supervisor's log says why it does not start");
    }

    private void KeepTime()
    {
        if (!_ticking)
        {
            _ticking = true;
            Tick();
        }
    }

    /// <summary>
    /// Gives up calls whose time is over, as long as any has a deadline. One timer for all: a timer
    /// for each would outlive most calls and let a busy client fill the reactor with them.
    /// </summary>
    private async void Tick()
    {
        while (_waiting.Count > 0 || _underWay.Values.Any(call => call.DeadlineMs > 0))
        {
            await reactor.DelayAsync(s_tick);
            long now = Environment.TickCount64;
            PendingCall[] late = [.. _waiting.Where(call => call.DeadlineMs <= now)];
            foreach (PendingCall call in late)
            {
                _waiting.Remove(call);
                call.Fail(NoWorker());
            }

            long[] unanswered =
            [
                .. _underWay
                    .Where(entry => entry.Value.DeadlineMs > 0 && entry.Value.DeadlineMs <= now)
                    .Select(entry => entry.Key),
            ];
            foreach (long id in unanswered)
            {
                _underWay.Remove(id, out PendingCall? call);
                call!.Fail(
                    new Fault(FaultCode.TimedOut, "the storage worker did not answer in time"));
            }
        }

        _ticking = false;
    }
}
