using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Control.Connection;

/// <summary>
/// One end of a JSON-RPC stream on a reactor: lines in with their descriptors, lines out with
/// theirs. The supervisor uses it towards clients and towards workers, a worker towards the
/// supervisor. Lives on the loop's thread.
/// </summary>
/// <remarks>
/// Nothing waits for a peer: what the socket does not take at once is queued, and a queue longer
/// than its bound closes the connection (<see cref="Send"/>) or refuses the line (<see
/// cref="TrySend"/>). Reading gives way to the loop after every few chunks, so one peer that never
/// stops talking cannot keep the others waiting.
/// </remarks>
public sealed class RpcConnection : IDisposable
{
    /// <summary>Queued bytes of one connection; four of the longest lines.</summary>
    public const int QueueBytesMax = 4 * Limits.RpcLineBytesMax;

    private const int ChunkBytes = 64 * 1024;
    private static readonly TimeSpan s_hangUpPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_lingerMax = TimeSpan.FromSeconds(5);

    // Received bytes are copied out before the next await, so all connections of a loop share one
    // buffer.
    [ThreadStatic]
    private static byte[]? t_chunk;

    private readonly IReactor _reactor;
    private readonly UnixSocket _socket;
    private readonly IRpcPeer _peer;
    private readonly int _callsMax;
    private readonly LineAssembler _lines = new();
    private readonly Queue<OutgoingLine> _queue = new();
    private readonly List<OwnedFd> _received = [];
    private readonly CancellationTokenSource _closing = new();
    private bool _sending;
    private bool _receiving;
    private bool _inputEnded;
    private bool _lingering;
    private bool _ended;
    private Fault? _fault;

    /// <param name="reactor">Its thread is the connection's.</param>
    /// <param name="socket">Owned from now on.</param>
    /// <param name="peer">Is told what comes.</param>
    /// <param name="callsMax">
    /// For a server: calls of the other end under way at once; more are answered with Busy, and
    /// lines that are no message with their error. 0 for a client, which must not answer answers.
    /// </param>
    public RpcConnection(IReactor reactor, UnixSocket socket, IRpcPeer peer, int callsMax)
    {
        _reactor = reactor;
        _socket = socket;
        _peer = peer;
        _callsMax = callsMax;
        Credentials = socket.Peer;
    }

    /// <summary>Who is at the other end.</summary>
    public PeerCredentials Credentials { get; }

    public bool IsClosed { get; private set; }

    /// <summary>Requests delivered and not answered yet.</summary>
    public int CallsOpen { get; private set; }

    /// <summary>Bytes that wait for the peer to read.</summary>
    public long QueuedBytes { get; private set; }

    /// <summary>
    /// Chunks that are read before the loop's other work has its turn. A line with a descriptor is
    /// a chunk, however short.
    /// </summary>
    public int ChunksPerTurn { get; init; } = 4;

    /// <summary>
    /// Nothing is under way: no call, no answer on its way, no half line. What comes next stays in
    /// the socket while it is paused.
    /// </summary>
    public bool IsAtRest => CallsOpen == 0 && _queue.Count == 0 && _lines.IsAtLineStart
        && !IsClosed && !_lingering && !_inputEnded;

    /// <summary>The socket, for a program that is executed in this one's place.</summary>
    public OwnedFd Descriptor => _socket.Fd;

    /// <summary>
    /// Whether to leave what comes in the socket, after the line that is under way.
    /// </summary>
    public bool IsPaused { get; set; }

    private bool IsHeld => IsPaused && _lines.IsAtLineStart;

    /// <summary>Is told of calls and answers; null where nobody counts.</summary>
    public IRpcCallObserver? Observer { get; init; }

    /// <summary>Anything the owner wants to find again.</summary>
    public object? Tag { get; set; }

    /// <summary>Starts receiving.</summary>
    public void Start()
    {
        Invariant.Check(!_receiving);
        _receiving = true;
        ReceiveLoop();
    }

    /// <summary>
    /// Sends the line, or closes the connection when the peer has let too much pile up. Descriptors
    /// are owned from now on; those that stay the caller's are given as <see
    /// cref="OwnedFd.Borrow"/>.
    /// </summary>
    public void Send(byte[] line, DescriptorSet? descriptors = null)
    {
        if (!TrySend(line, descriptors) && !IsClosed && !_lingering)
        {
            Close(new Fault(
                FaultCode.Busy,
                $"the peer (pid {Credentials.Pid}) does not read: {QueuedBytes} bytes wait",
                "read replies while sending calls"));
        }
    }

    /// <summary>
    /// Sends the one reply to a delivered request (see <see cref="Send"/>) and counts it as
    /// answered.
    /// </summary>
    public void Answer(byte[] line) => Answer(line.AsSpan(), line);

    /// <summary>
    /// As <see cref="Answer(byte[])"/>, from memory that stays the caller's: it is copied only
    /// where the socket does not take it at once.
    /// </summary>
    public void Answer(ReadOnlySpan<byte> line) => Answer(line, null);

    private void Answer(ReadOnlySpan<byte> line, byte[]? own)
    {
        if (IsClosed)
        {
            return;
        }

        Invariant.Check(CallsOpen > 0);
        CallsOpen--;
        Observer?.OnAnswer(line);
        int sent = own is null && !_sending && !_lingering ? SendNow(line) : 0;
        if (sent < line.Length)
        {
            Send(own ?? line[sent..].ToArray());
        }

        if (_inputEnded && CallsOpen == 0)
        {
            CloseAfterSending();
        }
    }

    /// <summary>
    /// Bytes that the socket takes at once, with nothing queued before them. An error is met again
    /// by whoever sends the rest.
    /// </summary>
    private int SendNow(ReadOnlySpan<byte> line)
    {
        SysResult sent = _socket.Send(line, [], wait: false);
        return sent.IsOk ? (int)sent.Value : 0;
    }

    /// <summary>Answers a delivered request with an error.</summary>
    public void Answer(RpcMessage request, Fault fault) =>
        Answer(RpcWriter.Error(request.Id.Span, fault));

    /// <summary>
    /// Sends the line, or returns false where the queue is full or the connection closed.
    /// </summary>
    public bool TrySend(byte[] line, DescriptorSet? descriptors = null)
    {
        bool fits = _queue.Count == 0 || QueuedBytes + line.Length <= QueueBytesMax;
        if (IsClosed || _lingering || !fits)
        {
            descriptors?.Dispose();
            return false;
        }

        _queue.Enqueue(new OutgoingLine(line, descriptors));
        QueuedBytes += line.Length;
        if (!_sending)
        {
            _sending = true;
            SendLoop();
        }

        return true;
    }

    /// <summary>
    /// Closes once the queue has been sent, or after five seconds; nothing more is read or
    /// accepted.
    /// </summary>
    public void CloseAfterSending()
    {
        if (_lingering || IsClosed)
        {
            return;
        }

        _lingering = true;
        if (_sending)
        {
            CloseAfterLinger();
        }
        else
        {
            Close(null);
        }
    }

    /// <summary>
    /// Closes at once; what is queued is dropped. The owner hears of it from the loop, once every
    /// operation has ended.
    /// </summary>
    public void Close(Fault? fault)
    {
        if (IsClosed)
        {
            return;
        }

        IsClosed = true;
        _fault = fault;
        _closing.Cancel();
        _lines.Dispose();
        while (_queue.TryDequeue(out OutgoingLine? outgoing))
        {
            outgoing.Dispose();
        }

        QueuedBytes = 0;
        EndIfIdle();
    }

    public void Dispose() => Close(null);

    // The three loops are async void on purpose: a defect in a handler ends the process at its edge
    // instead of vanishing in a task that nobody awaits.
    private async void ReceiveLoop()
    {
        while (!IsClosed && !_lingering)
        {
            // After the end of input only a hang-up is of interest, which poll(2) reports unasked.
            PollEvents events = _inputEnded ? PollEvents.None : PollEvents.Readable;
            SysResult ready = await _reactor.PollAsync(_socket.Fd, events, _closing.Token);
            if (IsClosed)
            {
                break;
            }

            if (!ready.IsOk)
            {
                Close(ready.Errno.ToFault("wait for a line"));
            }
            else if (_inputEnded)
            {
                await AfterInputEnded((PollEvents)ready.Value);
            }
            else if (IsHeld)
            {
                await _reactor.DelayAsync(s_hangUpPause, _closing.Token);
            }
            else
            {
                int chunks = 0;
                while (chunks < ChunksPerTurn && !IsHeld && ReceiveChunk())
                {
                    chunks++;
                }
            }
        }

        _receiving = false;
        EndIfIdle();
    }

    /// <summary>
    /// Closes when the peer is gone altogether. io_uring reports a half-closed peer again and again
    /// though nobody asked (IO_POLL_UNMASK in io_uring/poll.c has EPOLLRDHUP), hence the pause.
    /// </summary>
    private async ValueTask AfterInputEnded(PollEvents seen)
    {
        if ((seen & (PollEvents.HungUp | PollEvents.Error)) != 0)
        {
            Close(null);
        }
        else
        {
            await _reactor.DelayAsync(s_hangUpPause, _closing.Token);
        }
    }

    private async void SendLoop()
    {
        while (!IsClosed && _queue.TryPeek(out OutgoingLine? outgoing))
        {
            SysResult sent = outgoing.SendTo(_socket);
            if (sent.IsOk)
            {
                QueuedBytes -= sent.Value;
                if (outgoing.IsSent)
                {
                    _queue.Dequeue();
                }
            }
            else if (sent.Errno == Errno.EAGAIN)
            {
                SysResult ready = await _reactor.PollAsync(
                    _socket.Fd, PollEvents.Writable, _closing.Token);
                if (!ready.IsOk && !IsClosed)
                {
                    Close(ready.Errno.ToFault("wait for room to send"));
                }
            }
            else
            {
                // EPIPE, ECONNRESET: the peer left.
                bool left = sent.Errno == Errno.EPIPE || sent.Errno == Errno.ECONNRESET;
                Close(left ? null : sent.Errno.ToFault("send a line"));
            }
        }

        _sending = false;
        if (_lingering && !IsClosed)
        {
            Close(null);
        }

        EndIfIdle();
    }

    private async void CloseAfterLinger()
    {
        SysResult waited = await _reactor.DelayAsync(s_lingerMax, _closing.Token);
        if (waited.IsOk)
        {
            Close(null);
        }
    }

    /// <summary>
    /// Receives one chunk and delivers its lines; false where there is nothing more to read now.
    /// </summary>
    private bool ReceiveChunk()
    {
        byte[] chunk = t_chunk ??= new byte[ChunkBytes];
        _received.Clear();
        SysResult result = _socket.Receive(chunk, _received, wait: false);
        if (!result.IsOk)
        {
            if (result.Errno != Errno.EAGAIN)
            {
                // ECONNRESET: the peer left with our bytes unread, which is its right.
                bool left = result.Errno == Errno.ECONNRESET;
                Close(left ? null : result.Errno.ToFault("receive a line"));
            }

            return false;
        }

        if (result.Value == 0)
        {
            EndInput();
            return false;
        }

        bool fits = _lines.Append(chunk.AsSpan(0, (int)result.Value), _received);
        while (!IsClosed && !_lingering && _lines.TryTake(out ReceivedLine line))
        {
            Deliver(line);
        }

        if (!fits && !IsClosed && !_lingering)
        {
            Refuse(new RpcRefusal(
                new Fault(
                    FaultCode.InvalidRequest,
                    $"a line exceeds {Limits.RpcLineBytesMax} bytes",
                    "pass bulk bytes as a descriptor, not inside JSON"),
                RpcIds.Null));
            CloseAfterSending();
        }

        return !IsClosed && !_lingering;
    }

    /// <summary>
    /// The peer will send no more. One that shut down only its sending side (as socat and nc -N do)
    /// still gets the replies to its calls.
    /// </summary>
    private void EndInput()
    {
        _inputEnded = true;
        if (CallsOpen == 0)
        {
            CloseAfterSending();
        }
    }

    private void Deliver(ReceivedLine line)
    {
        using DescriptorSet descriptors = line.Descriptors;
        if (!RpcParser.TryParse(line.Bytes, out RpcMessage? message, out RpcRefusal? refusal))
        {
            Refuse(refusal);
            return;
        }

        if (message.Kind == RpcKind.Request)
        {
            CallsOpen++;
            Observer?.OnCall(message);
            if (_callsMax > 0 && CallsOpen > _callsMax)
            {
                Answer(message, new Fault(
                    FaultCode.Busy,
                    $"{_callsMax} calls of this connection are under way",
                    "wait for replies before calling again"));
                return;
            }
        }

        _peer.OnMessage(this, message, descriptors);
    }

    private void Refuse(RpcRefusal refusal)
    {
        if (_callsMax > 0)
        {
            Send(RpcWriter.Error(refusal.Id.Span, refusal.Fault));
        }

        _peer.OnRefused(this, refusal);
    }

    /// <summary>
    /// Once closed and with no operation under way, the descriptor is closed too and the owner
    /// told, from the loop: a caller of <see cref="Close"/> is not called back from inside.
    /// </summary>
    private void EndIfIdle()
    {
        if (!IsClosed || _sending || _receiving || _ended)
        {
            return;
        }

        _ended = true;
        _socket.Dispose();
        _closing.Dispose();
        _reactor.Post(() => _peer.OnClosed(this, _fault));
    }
}
