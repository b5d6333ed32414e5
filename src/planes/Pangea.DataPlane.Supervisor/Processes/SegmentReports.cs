using System.Diagnostics;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Memory.Statistics;

namespace Pangea.DataPlane.Supervisor.Processes;

/// <summary>A process that has ended, and what it left in memory.</summary>
/// <param name="Segment">Ours; outlives the process.</param>
internal sealed record EndedProcess(
    StatisticsSegment Segment, int Pid, string Status, DateTime Ended);

/// <summary>Statistics segments as records of the protocol.</summary>
internal static class SegmentReports
{
    public static ProcessStats Stats(StatisticsSegment segment, string role, int index) => new()
    {
        Role = role,
        Index = index,
        Pid = segment.Pid,
        Heartbeats = segment.Heartbeat,
        Metrics = [.. segment.Read().Select(Record)],
    };

    /// <summary>
    /// The events of a process; <paramref name="ended"/> is null for a living one.
    /// </summary>
    public static PostmortemResult Postmortem(
        int index, StatisticsSegment segment, int pid, EndedProcess? ended)
    {
        long nowTicks = Stopwatch.GetTimestamp();
        DateTime now = DateTime.UtcNow;
        return new PostmortemResult
        {
            Index = index,
            Pid = pid,
            Ended = ended?.Ended,
            Status = ended?.Status,
            Heartbeats = segment.Heartbeat,
            Events =
            [
                .. FlightRecorder.Read(segment).Select(each => new FlightRecord
                {
                    Sequence = each.Sequence,

                    // The clock is the same in every process; only its beginning is unknown.
                    Time = each.Ticks > 0 && each.Ticks <= nowTicks
                        ? now - Stopwatch.GetElapsedTime(each.Ticks, nowTicks)
                        : now,
                    Kind = NameOf(each.Kind),
                    Number = each.Number,
                    Code = each.Code == 0 ? null : each.Code,
                    Text = each.Text.Length == 0 ? null : each.Text,
                }),
            ],
        };
    }

    private static MetricRecord Record(MetricValue value) => new()
    {
        Name = value.Metric.Name,
        Unit = value.Metric.Unit,
        Kind = value.Metric.Kind switch
        {
            MetricKind.Counter => "counter",
            MetricKind.Gauge => "gauge",
            _ => "histogram",
        },
        Help = value.Metric.Help,
        Value = value.Value,
        Buckets = value.Buckets.Count == 0
            ? null
            :
            [
                .. value.Buckets.Select((count, i) => new BucketRecord
                {
                    UpTo = i < value.Metric.Borders.Count ? value.Metric.Borders[i] : null,
                    Count = count,
                }),
            ],
    };

    private static string NameOf(FlightEventKind kind) => kind switch
    {
        FlightEventKind.Start => "start",
        FlightEventKind.Ready => "ready",
        FlightEventKind.CallBegan => "callBegan",
        FlightEventKind.CallEnded => "callEnded",
        FlightEventKind.Device => "device",
        FlightEventKind.Stop => "stop",
        _ => $"unknown {(int)kind}",
    };
}
