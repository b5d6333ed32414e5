using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Control.Connection;

/// <summary>
/// A client that makes one call at a time and waits for its reply: for the command line and for
/// tests. One thread at a time.
/// </summary>
public sealed class RpcClient : IDisposable
{
    private readonly UnixSocket _socket;
    private readonly LineAssembler _lines = new();
    private readonly byte[] _chunk = new byte[64 * 1024];
    private long _lastId;

    private RpcClient(UnixSocket socket) => _socket = socket;

    /// <summary>
    /// Connects to a control socket; the fault says what to start where nobody listens.
    /// </summary>
    public static Result<RpcClient> Connect(string path)
    {
        Result<UnixSocket> connected = UnixSocket.Connect(path);
        return connected.IsOk ? new RpcClient(connected.Value) : connected.Fault;
    }

    /// <summary>
    /// A client on a socket that is connected already, which it owns from now on.
    /// </summary>
    public static RpcClient Over(UnixSocket socket) => new(socket);

    /// <summary>Makes a call of the table.</summary>
    /// <param name="method">A row of the method table.</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="descriptors">Stay the caller's; at least until this returns.</param>
    /// <param name="onNotification">Gets what comes before the reply.</param>
    public Result<TResult> Call<TParameters, TResult>(
        RpcMethod<TParameters, TResult> method,
        TParameters parameters,
        ReadOnlySpan<OwnedFd> descriptors = default,
        Action<RpcMessage>? onNotification = null)
    {
        byte[] id = RpcIds.Write(++_lastId);
        byte[] line = RpcWriter.Request(id, method, parameters);
        Result<RpcMessage> reply = Exchange(line, descriptors, onNotification);
        return reply.IsOk ? RpcParameters.ReadResult(method, reply.Value) : reply.Fault;
    }

    /// <summary>
    /// Makes any call with raw JSON parameters; the reply may be an error reply (see
    /// <see cref="RpcErrors.Read"/>).
    /// </summary>
    public Result<RpcMessage> CallRaw(
        string method,
        ReadOnlySpan<byte> parameters,
        ReadOnlySpan<OwnedFd> descriptors = default,
        Action<RpcMessage>? onNotification = null) =>
        Exchange(
            RpcWriter.RequestRaw(RpcIds.Write(++_lastId), method, parameters),
            descriptors,
            onNotification);

    /// <summary>Sends a line as it is, newline included; for tests of bad input.</summary>
    public SysResult Send(ReadOnlySpan<byte> line, ReadOnlySpan<OwnedFd> descriptors = default)
    {
        int at = 0;
        while (at < line.Length)
        {
            SysResult sent = _socket.Send(line[at..], at == 0 ? descriptors : [], wait: true);
            if (!sent.IsOk)
            {
                return sent;
            }

            at += (int)sent.Value;
        }

        return new SysResult(at);
    }

    /// <summary>Waits for the next message of any kind.</summary>
    public Result<RpcMessage> Receive()
    {
        var received = new List<OwnedFd>();
        while (true)
        {
            if (_lines.TryTake(out ReceivedLine line))
            {
                line.Descriptors.Dispose();
                return RpcParser.TryParse(
                    line.Bytes, out RpcMessage? message, out RpcRefusal? refusal)
                    ? message
                    : refusal.Fault with { Code = FaultCode.Internal };
            }

            received.Clear();
            SysResult result = _socket.Receive(_chunk, received, wait: true);
            if (!result.IsOk || result.Value == 0)
            {
                return Lost();
            }

            if (!_lines.Append(_chunk.AsSpan(0, (int)result.Value), received))
            {
                return new Fault(
                    FaultCode.Internal, "the appliance sent a line longer than allowed");
            }
        }
    }

    public void Dispose()
    {
        _lines.Dispose();
        _socket.Dispose();
    }

    private Result<RpcMessage> Exchange(
        byte[] line, ReadOnlySpan<OwnedFd> descriptors, Action<RpcMessage>? onNotification)
    {
        SysResult sent = Send(line, descriptors);
        if (!sent.IsOk && sent.Errno != Errno.EPIPE && sent.Errno != Errno.ECONNRESET)
        {
            return sent.Errno.ToFault("send the call");
        }

        // Where the appliance closed while we were sending, its reason may be waiting to be read.
        while (true)
        {
            Result<RpcMessage> message = Receive();
            if (!message.IsOk)
            {
                return message;
            }

            RpcMessage received = message.Value;
            if (received.Kind == RpcKind.Notification)
            {
                onNotification?.Invoke(received);
            }
            else if (received.IdNumber == _lastId || received.Id.Span.SequenceEqual("null"u8))
            {
                return received;
            }
        }
    }

    private static Fault Lost() => new(
        FaultCode.WorkerLost,
        "the appliance closed the connection during the call",
        "it may be restarting: call again");
}
