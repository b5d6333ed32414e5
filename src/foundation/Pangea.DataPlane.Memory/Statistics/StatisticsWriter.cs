// HOT PATH
// A count is one load and one store in memory that nobody else writes: about a nanosecond. No
// system call, no lock, no allocation.
using System.Text;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Memory.Statistics;

/// <summary>
/// The one writer of a <see cref="StatisticsSegment"/>; lives on one thread. Values are named by
/// their index in the declared list.
/// </summary>
public sealed class StatisticsWriter
{
    private readonly StatisticsSegment _segment;
    private readonly int[] _at;
    private readonly long[][] _borders;

    /// <summary>Declares the values; the segment has no other writer.</summary>
    public StatisticsWriter(StatisticsSegment segment, IReadOnlyList<Metric> metrics)
    {
        Invariant.Check(metrics.Count <= SegmentLayout.EntriesMax);
        _segment = segment;
        _at = new int[metrics.Count];
        _borders = [.. metrics.Select(metric => metric.Borders.ToArray())];
        int next = SegmentLayout.HeaderBytes + (metrics.Count * SegmentLayout.EntryBytes);
        for (int i = 0; i < metrics.Count; i++)
        {
            _at[i] = next;
            next = Declare(i, metrics[i], next);
        }

        segment.At(SegmentLayout.TableEntriesAt) = metrics.Count;
        segment.At(SegmentLayout.ValuesEndAt) = next;
        segment.At(SegmentLayout.PidAt) = Environment.ProcessId;

        // Last, so that a reader who sees it sees a whole table.
        Volatile.Write(ref segment.At(SegmentLayout.MagicAt), (long)SegmentLayout.Magic);
    }

    public void Add(int metric, long count)
    {
        ref long value = ref _segment.At(_at[metric]);
        Volatile.Write(ref value, value + count);
    }

    public void Set(int metric, long value) =>
        Volatile.Write(ref _segment.At(_at[metric]), value);

    /// <summary>Counts a value of a histogram.</summary>
    public void Observe(int metric, long value)
    {
        long[] borders = _borders[metric];
        int bucket = 0;
        while (bucket < borders.Length && value > borders[bucket])
        {
            bucket++;
        }

        int at = _at[metric];
        ref long count = ref _segment.At(at + ((1 + borders.Length + bucket) * sizeof(long)));
        Volatile.Write(ref count, count + 1);
        ref long sum = ref _segment.At(at);
        Volatile.Write(ref sum, sum + value);
    }

    /// <summary>The loop turns.</summary>
    public void Beat()
    {
        ref long beats = ref _segment.At(SegmentLayout.HeartbeatAt);
        Volatile.Write(ref beats, beats + 1);
    }

    private int Declare(int index, Metric metric, int next)
    {
        int at = SegmentLayout.HeaderBytes + (index * SegmentLayout.EntryBytes);
        Put(at, SegmentLayout.NameBytes, metric.Name);
        Put(at + SegmentLayout.UnitAt, SegmentLayout.UnitBytes, metric.Unit);
        Put(at + SegmentLayout.HelpAt, SegmentLayout.HelpBytes, metric.Help);
        BitConverter.TryWriteBytes(_segment.Bytes(at + SegmentLayout.KindAt, 4), (int)metric.Kind);
        BitConverter.TryWriteBytes(
            _segment.Bytes(at + SegmentLayout.BordersAt, 4), metric.Borders.Count);
        _segment.At(at + SegmentLayout.ValueAt) = next;
        bool isHistogram = metric.Kind == MetricKind.Histogram;
        Invariant.Check(isHistogram || metric.Borders.Count == 0);
        Invariant.Check(metric.Borders.Count <= SegmentLayout.BordersMax);
        for (int i = 0; i < metric.Borders.Count; i++)
        {
            _segment.At(next + ((i + 1) * sizeof(long))) = metric.Borders[i];
        }

        int longs = isHistogram ? (2 * metric.Borders.Count) + 2 : 1;
        int end = next + (longs * sizeof(long));
        Invariant.Check(end <= SegmentLayout.FlightAt, "too many statistics for a segment");
        return end;
    }

    private void Put(int at, int room, string text)
    {
        Span<byte> bytes = _segment.Bytes(at, room);
        bytes.Clear();
        bool fits = Encoding.UTF8.TryGetBytes(text, bytes[..^1], out _);
        Invariant.Check(fits, text);
    }
}
