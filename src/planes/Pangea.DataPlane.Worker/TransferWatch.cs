using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// One call that moves an object's bytes: who can end it (the caller withdrew it, or its other end moves
/// nothing for too long), and how far it is. Loop thread only.
/// </summary>
internal sealed class TransferWatch : IDisposable
{
    private static readonly TimeSpan s_progressEvery = TimeSpan.FromMilliseconds(100);

    private readonly CancellationTokenSource _source = new();
    private readonly Action<long, long?>? _report;
    private long _movedAt = Environment.TickCount64;
    private long _reportedAt;
    private bool _stalled;

    /// <param name="report">Takes bytes done and bytes in all; null where the caller wants no progress.</param>
    public TransferWatch(Action<long, long?>? report) => _report = report;

    public CancellationToken Token => _source.Token;

    /// <summary>Why the transfer ends early; only after its token was cancelled.</summary>
    public Fault Ending => _stalled
        ? new Fault(
            FaultCode.TimedOut,
            $"the caller's descriptor moved no byte for {Limits.TransferIdleSecondsMax} s",
            "call again when its other end is ready")
        : new Fault(FaultCode.Canceled, "the caller withdrew the call or went away");

    /// <summary>The caller withdrew the call.</summary>
    public void Cancel() => _source.Cancel();

    /// <summary>Bytes moved; reports progress, at most ten times a second.</summary>
    public void Moved(long bytes, long? bytesTotal)
    {
        _movedAt = Environment.TickCount64;
        if (_report is not null && _movedAt - _reportedAt >= s_progressEvery.TotalMilliseconds)
        {
            _reportedAt = _movedAt;
            _report(bytes, bytesTotal);
        }
    }

    /// <summary>Ends the transfer where it has moved nothing for too long. Called about once a second.</summary>
    public void CheckIdle()
    {
        if (Environment.TickCount64 - _movedAt >= Limits.TransferIdleSecondsMax * 1000L)
        {
            _stalled = true;
            _source.Cancel();
        }
    }

    public void Dispose() => _source.Dispose();
}
