using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Control.Tests.Connection;

/// <summary>
/// One server connection on a real reactor in its own thread, at the other end of a socket pair.
/// </summary>
internal sealed class TestServer : IRpcPeer, IDisposable
{
    private readonly IReactor _reactor;
    private readonly Thread _thread;
    private readonly ManualResetEventSlim _closed = new();

    /// <param name="choice">The executor; the test is skipped where the kernel forbids it.</param>
    /// <param name="handler">
    /// Gets every message on the loop's thread; null answers with true.
    /// </param>
    /// <param name="callsMax">Calls under way at once.</param>
    public TestServer(
        ReactorChoice choice,
        Action<RpcConnection, RpcMessage, DescriptorSet>? handler = null,
        int callsMax = 4)
    {
        Result<IReactor> made = Reactors.Create(null, new ReactorOptions { Choice = choice });
        Skip.If(
            made.Fault is { Code: FaultCode.Unsupported or FaultCode.Denied },
            made.Fault?.ToString());
        _reactor = made.Value;
        Handler = handler ?? ((c, m, _) => c.Answer(RpcWriter.ResultRaw(m.Id.Span, "true"u8)));
        (UnixSocket near, UnixSocket far) = UnixSocket.Pair().Value;
        Client = far;
        _reactor.Post(() =>
        {
            Connection = new RpcConnection(_reactor, near, this, callsMax);
            Connection.Start();
        });
        _thread = new Thread(_reactor.Run) { IsBackground = true };
        _thread.Start();
        OnLoop(() => { });
    }

    /// <summary>The client's end.</summary>
    public UnixSocket Client { get; }

    public RpcConnection Connection { get; private set; } = null!;

    public Action<RpcConnection, RpcMessage, DescriptorSet> Handler { get; set; }

    public List<RpcRefusal> Refusals { get; } = [];

    public int ClosedCount { get; private set; }

    public Fault? ClosedFault { get; private set; }

    public void OnMessage(
        RpcConnection connection, RpcMessage message, DescriptorSet descriptors) =>
        Handler(connection, message, descriptors);

    public void OnRefused(RpcConnection connection, RpcRefusal refusal) => Refusals.Add(refusal);

    public void OnClosed(RpcConnection connection, Fault? fault)
    {
        ClosedCount++;
        ClosedFault = fault;
        _closed.Set();
    }

    /// <summary>Runs the action on the loop's thread and waits for it.</summary>
    public void OnLoop(Action action)
    {
        using var done = new ManualResetEventSlim();
        Exception? failure = null;
        _reactor.Post(() =>
        {
            failure = Record.Exception(action);
            done.Set();
        });
        done.Wait();
        Assert.Null(failure);
    }

    /// <summary>
    /// Waits until the owner was told of the end; a bound so that a defect fails instead of
    /// hanging.
    /// </summary>
    public void WaitClosed() => Assert.True(_closed.Wait(TimeSpan.FromSeconds(30)), "not closed");

    public void Dispose()
    {
        OnLoop(() => Connection.Dispose());
        WaitClosed();
        Assert.Equal(1, ClosedCount);
        _reactor.Stop();
        _thread.Join();
        _reactor.Dispose();
        Client.Dispose();
    }
}
