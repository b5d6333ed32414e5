using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Supervisor;

/// <summary>
/// A call that a worker has or will get: a client's, or one of the supervisor's own.
/// </summary>
internal sealed class PendingCall
{
    private readonly Action<Result<RpcMessage>>? _onReply;

    /// <summary>
    /// A client's call. Without an id it is a notification, whose reply nobody gets.
    /// </summary>
    public PendingCall(RpcConnection caller, RpcMessage call)
    {
        Caller = caller;
        Call = call;
    }

    /// <summary>A call of the supervisor's own.</summary>
    public PendingCall(Action<Result<RpcMessage>> onReply) => _onReply = onReply;

    /// <summary>The client; null for our own calls and once the client has gone.</summary>
    public RpcConnection? Caller { get; private set; }

    /// <summary>The client's line.</summary>
    public RpcMessage? Call { get; }

    /// <summary>Descriptors that wait with the call for a worker.</summary>
    public DescriptorSet? Descriptors { get; set; }

    /// <summary>Environment.TickCount64 after which the call is given up; 0 for never.</summary>
    public long DeadlineMs { get; set; }

    /// <summary>The client has gone: whatever comes is dropped.</summary>
    public void Abandon() => Caller = null;

    /// <summary>Passes the worker's reply on under the caller's id.</summary>
    public void Complete(RpcMessage reply)
    {
        _onReply?.Invoke(reply);
        if (Caller is not null && Call is { Kind: RpcKind.Request })
        {
            Caller.Answer(RpcWriter.WithId(reply, Call.Id.Span));
        }
    }

    public void Fail(Fault fault)
    {
        Descriptors?.Dispose();
        Descriptors = null;
        _onReply?.Invoke(fault);
        if (Caller is not null && Call is { Kind: RpcKind.Request })
        {
            Caller.Answer(Call, fault);
        }
    }
}
