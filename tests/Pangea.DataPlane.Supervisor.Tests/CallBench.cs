using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Supervisor.Tests;

/// <summary>
/// The calls of one worker on a real loop, between clients and a worker that the test plays itself.
/// The test's own thread blocks on its ends of the sockets.
/// </summary>
internal sealed class CallBench : IRpcPeer, IDisposable
{
    private readonly IReactor _reactor;
    private readonly Thread _loop;
    private RpcConnection? _channel;

    internal CallBench(TimeSpan? waitTimeMax = null)
    {
        _reactor = Reactors.Create(null).Value;
        Calls = new WorkerCalls(_reactor, waitTimeMax ?? TimeSpan.FromSeconds(60));
        _loop = new Thread(_reactor.Run);
        _loop.Start();
    }

    internal WorkerCalls Calls { get; }

    internal IReactor Reactor => _reactor;

    /// <summary>Runs on the loop and waits for its end.</summary>
    internal void OnLoop(Action action)
    {
        using var done = new ManualResetEventSlim();
        _reactor.Post(() =>
        {
            action();
            done.Set();
        });
        Assert.True(done.Wait(TimeSpan.FromSeconds(30)), "the loop does not turn");
    }

    /// <summary>A new worker; the caller plays it on the returned end.</summary>
    internal RpcClient AttachWorker(bool open = true)
    {
        (UnixSocket ours, UnixSocket theirs) = UnixSocket.Pair().Value;
        OnLoop(() =>
        {
            _channel = new RpcConnection(_reactor, ours, this, callsMax: 0);
            _channel.Start();
            Calls.Attach(_channel);
            if (open)
            {
                Calls.Open();
            }
        });
        return RpcClient.Over(theirs);
    }

    /// <summary>The worker is lost, as its supervisor would find.</summary>
    internal void DetachWorker() => OnLoop(() =>
    {
        _channel!.Close(null);
        _channel = null;
        Calls.Detach(new Fault(FaultCode.WorkerLost, "lost"));
    });

    internal RpcClient AttachClient()
    {
        (UnixSocket ours, UnixSocket theirs) = UnixSocket.Pair().Value;
        OnLoop(() => new RpcConnection(_reactor, ours, this, Limits.CallsPerConnectionMax).Start());
        return RpcClient.Over(theirs);
    }

    public void OnMessage(RpcConnection connection, RpcMessage message, DescriptorSet descriptors)
    {
        if (ReferenceEquals(connection, _channel))
        {
            Calls.OnMessage(message);
        }
        else
        {
            Calls.Forward(connection, message, descriptors);
        }
    }

    public void OnRefused(RpcConnection connection, RpcRefusal refusal) =>
        Assert.Fail(refusal.Fault.Message);

    public void OnClosed(RpcConnection connection, Fault? fault) => Calls.CallerGone(connection);

    public void Dispose()
    {
        _reactor.Stop();
        _loop.Join();
        _reactor.Dispose();
    }
}
