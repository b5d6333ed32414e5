using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// One call that moves an object's bytes: who can end it (the caller withdrew it, or its other end
/// moves nothing for too long), and how far it is. Loop thread only.
/// </summary>
internal sealed class TransferWatch : IDisposable
{
    private static readonly TimeSpan s_progressEvery = TimeSpan.FromMilliseconds(100);

    private readonly CancellationTokenSource _source = new();
    private Action<long, long?>? _report;
    private long? _movedAt;
    private long? _endedAt;
    private long _reportedAt;
    private bool _stalled;

    /// <param name="report">
    /// Takes bytes done and bytes in all; null where the caller wants no progress.
    /// </param>
    public TransferWatch(Action<long, long?>? report) => _report = report;

    /// <summary>
    /// Makes it fit for another transfer, without a new token and what hangs on it; false where it
    /// was cancelled and is used up.
    /// </summary>
    public bool TryReset(Action<long, long?>? report)
    {
        if (!_source.TryReset())
        {
            return false;
        }

        (_report, _movedAt, _endedAt, _reportedAt, _stalled) = (report, null, null, 0, false);
        return true;
    }

    public CancellationToken Token => _source.Token;

    /// <summary>Why the transfer ends early; only after its token was cancelled.</summary>
    public Fault Ending => _stalled
        ? new Fault(
            FaultCode.TimedOut,
            $"the caller's descriptor moved no byte for {Limits.TransferIdleSecondsMax} s",
            "call again when its other end is ready")
        : new Fault(FaultCode.Canceled, "the caller withdrew the call or went away");

    /// <summary>
    /// Milliseconds since the transfer was told to end; null while it may go on. One that does not
    /// end waits for a device that no longer answers.
    /// </summary>
    public long? EndingMs => Environment.TickCount64 - _endedAt;

    /// <summary>The transfer has its permit: from now on it must move.</summary>
    public void Start() => _movedAt = Environment.TickCount64;

    /// <summary>The caller withdrew the call.</summary>
    public void Cancel()
    {
        _endedAt ??= Environment.TickCount64;
        _source.Cancel();
    }

    /// <summary>Bytes moved; reports progress, at most ten times a second.</summary>
    public void Moved(long bytes, long? bytesTotal)
    {
        long now = Environment.TickCount64;
        _movedAt = now;
        if (_report is not null && now - _reportedAt >= s_progressEvery.TotalMilliseconds)
        {
            _reportedAt = now;
            _report(bytes, bytesTotal);
        }
    }

    /// <summary>
    /// Ends the transfer where it has moved nothing for too long. Called about once a second.
    /// </summary>
    public void CheckIdle(TimeSpan idleMax)
    {
        if (_endedAt is null && Environment.TickCount64 - _movedAt >= idleMax.TotalMilliseconds)
        {
            _stalled = true;
            Cancel();
        }
    }

    public void Dispose() => _source.Dispose();
}
