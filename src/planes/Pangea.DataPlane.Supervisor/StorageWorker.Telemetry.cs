using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory.Statistics;
using Pangea.DataPlane.Supervisor.Processes;

namespace Pangea.DataPlane.Supervisor;

/// <content>
/// What the worker writes to memory of ours: read at any time, watched for its heartbeat, and kept
/// when it dies.
/// </content>
internal sealed partial class StorageWorker
{
    private static readonly TimeSpan s_beatLook = TimeSpan.FromSeconds(1);

    private StatisticsSegment? _segment;
    private EndedProcess? _ended;

    /// <summary>The statistics of the present worker; null where there are none.</summary>
    public ProcessStats? Statistics() =>
        _segment is { IsDeclared: true } ? SegmentReports.Stats(_segment, Role, Index) : null;

    /// <summary>Whether the worker says that it cannot use a device; true where it is silent.
    /// </summary>
    private bool LacksDevices() => _segment is not { IsDeclared: true }
        || _segment.Read()
            .FirstOrDefault(value => value.Metric.Name == StorageMetrics.DevicesAbsent)
            is not { Value: 0 };

    /// <summary>Of the process that died last; where none has, of the living one.</summary>
    public Result<PostmortemResult> Postmortem()
    {
        if (_ended is { } ended)
        {
            return SegmentReports.Postmortem(Index, ended.Segment, ended.Pid, ended);
        }

        return _segment is { IsDeclared: true }
            ? SegmentReports.Postmortem(Index, _segment, _segment.Pid, null)
            : new Fault(
                FaultCode.NotFound,
                $"worker {Index} has recorded nothing",
                "its log may say why it does not start");
    }

    /// <summary>New memory for a new process, so that counts begin at zero.</summary>
    private void RenewSegment()
    {
        _segment?.Dispose();
        Result<StatisticsSegment> made = StatisticsSegment.Create($"pangea-worker-{Index}");
        _segment = made.IsOk ? made.Value : null;
        if (!made.IsOk)
        {
            EventLog.Write("worker.noStatistics", made.Fault);
        }
    }

    private void KeepSegment(ExitStatus status)
    {
        if (_segment is not null && !_stopping.IsCancellationRequested && !_isRestarting)
        {
            _ended?.Segment.Dispose();
            _segment.CloseFile();
            _ended = new EndedProcess(_segment, _child!.Pid, status.ToString(), DateTime.UtcNow);
            _segment = null;
        }
    }

    /// <summary>Kills a worker whose loop stands still.</summary>
    private async void WatchHeartbeat(ChildProcess child)
    {
        var watch = new StallWatch(_configuration.StallSecondsMax);
        while (true)
        {
            await _reactor.DelayAsync(s_beatLook, _stopping.Token);
            if (!ReferenceEquals(child, _child) || _stopping.IsCancellationRequested
                || _segment is not { } segment)
            {
                return;
            }

            watch.LooksMax = _configuration.StallSecondsMax;
            (bool isRunnable, long ticks) = StallWatch.Read(child.Pid);
            if (watch.Look(segment.Heartbeat, isRunnable, ticks))
            {
                Kill($"its loop stood still for {watch.Still} s");
                return;
            }
        }
    }
}
