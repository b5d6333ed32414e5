using System.Diagnostics;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory.Statistics;

namespace Pangea.DataPlane.Reactor.Tests;

/// <summary>The statistics segment and its flight recorder, writer and reader.</summary>
public sealed class StatisticsSegmentTests
{
    private const int EventsMax = 1024;

    private static readonly Metric[] s_metrics =
    [
        new("pangea_a_total", "things", MetricKind.Counter, "counts"),
        new("pangea_b", "things", MetricKind.Gauge, "moves"),
        new("pangea_c", "ns", MetricKind.Histogram, "spreads") { Borders = [10, 20, 30] },
    ];

    [Fact]
    public void A_reader_with_a_mapping_of_its_own_sees_what_is_written()
    {
        using StatisticsSegment written = StatisticsSegment.Create("t", writable: true).Value;
        using StatisticsSegment read = Reader(written);
        Assert.Empty(read.Read());
        var writer = new StatisticsWriter(written, s_metrics);
        writer.Add(0, 3);
        writer.Add(0, 4);
        writer.Set(1, -5);
        foreach (long value in (long[])[0, 10, 11, 30, 31, long.MaxValue / 4])
        {
            writer.Observe(2, value);
        }

        writer.Beat();
        writer.Beat();
        Assert.Equal((2L, Environment.ProcessId), (read.Heartbeat, read.Pid));
        IReadOnlyList<MetricValue> values = read.Read();
        Assert.Equal([7, -5, 82 + (long.MaxValue / 4)], values.Select(value => value.Value));
        Assert.Equal([2, 1, 1, 2], values[2].Buckets);
        Assert.Equal(s_metrics[2].Borders, values[2].Metric.Borders);
        Assert.Equal(s_metrics.Select(metric => (metric.Name, metric.Unit, metric.Help)),
            values.Select(value => (value.Metric.Name, value.Metric.Unit, value.Metric.Help)));
    }

    /// <summary>A worker that was taken over must not take its supervisor with it.</summary>
    [Fact]
    public void A_reader_survives_whatever_a_writer_leaves()
    {
        int seed = Environment.TickCount;
        var random = new Random(seed);
        using StatisticsSegment written = StatisticsSegment.Create("t", writable: true).Value;
        using StatisticsSegment read = Reader(written);
        byte[] noise = new byte[128 * 1024];
        for (int round = 0; round < 200; round++)
        {
            _ = new StatisticsWriter(written, s_metrics);
            random.NextBytes(noise);

            // Whole noise after the magic number, or a few bytes of it in the table.
            int from = round % 2 == 0 ? 8 : random.Next(256, 1024);
            int bytes = round % 2 == 0 ? noise.Length - 8 : random.Next(1, 16);
            Assert.True(Files.WriteAt(written.File, noise.AsSpan(0, bytes), from).IsOk);
            Exception? failure = Record.Exception(() => (read.Read(), FlightRecorder.Read(read)));
            Assert.True(failure is null, $"seed {seed}, round {round}: {failure}");
        }
    }

    [Fact]
    public void The_length_is_sealed_and_another_length_is_refused()
    {
        using StatisticsSegment segment = StatisticsSegment.Create("t").Value;
        Assert.False(Files.Truncate(segment.File, 4096).IsOk);
        OwnedFd small = MemoryFile.CreateSealed("t", 4096).Value;
        Assert.False(StatisticsSegment.Map(small, writable: false).IsOk);
    }

    [Fact]
    public void The_recorder_keeps_the_last_events_in_order()
    {
        using StatisticsSegment written = StatisticsSegment.Create("t", writable: true).Value;
        using StatisticsSegment read = Reader(written);
        var recorder = new FlightRecorder(written);
        Assert.Empty(FlightRecorder.Read(read));
        for (int i = 1; i <= (3 * EventsMax) + 7; i++)
        {
            recorder.Note(FlightEventKind.CallEnded, i, -i, "object.put"u8);
        }

        IReadOnlyList<FlightEvent> events = FlightRecorder.Read(read);
        Assert.Equal(
            Enumerable.Range((2 * EventsMax) + 8, EventsMax).Select(i => ((long)i, -i)),
            events.Select(each => (each.Number, each.Code)));
        Assert.All(events, each => Assert.Equal("object.put", each.Text));
        Assert.True(events[0].Ticks <= events[^1].Ticks);
    }

    [Fact]
    public void A_text_that_is_too_long_is_cut()
    {
        using StatisticsSegment segment = StatisticsSegment.Create("t", writable: true).Value;
        new FlightRecorder(segment).Note(FlightEventKind.Device, 1, 0, new byte[100].AsSpan());
        new FlightRecorder(segment).Note(
            FlightEventKind.Device, 2, 0, "0123456789012345678901234567890123456789"u8);
        FlightEvent last = FlightRecorder.Read(segment)[^1];
        Assert.Equal("0123456789012345678901234567890", last.Text);
        Assert.Equal(2, last.Sequence);
    }

    /// <summary>The time is printed for the record of it, never asserted.</summary>
    [Fact]
    public void Counting_and_noting_allocate_nothing()
    {
        const int rounds = 100_000;
        using StatisticsSegment segment = StatisticsSegment.Create("t", writable: true).Value;
        var writer = new StatisticsWriter(segment, s_metrics);
        var recorder = new FlightRecorder(segment);
        long before = 0;
        for (int i = -1000; i < rounds; i++)
        {
            before = i == 0 ? GC.GetAllocatedBytesForCurrentThread() : before;
            writer.Add(0, 1);
            writer.Observe(2, i);
            recorder.Note(FlightEventKind.CallBegan, i, 0, "object.put"u8);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        // The best of many short runs: what the code takes, not what the machine's other work does.
        double ns = double.MaxValue;
        for (int run = 0; run < 200; run++)
        {
            long started = Stopwatch.GetTimestamp();
            for (int i = 0; i < 500; i++)
            {
                recorder.Note(FlightEventKind.CallBegan, i, 0, "object.put"u8);
            }

            ns = Math.Min(ns, Stopwatch.GetElapsedTime(started).TotalNanoseconds / 500);
        }

        Console.WriteLine($"flight recorder: {ns:F1} ns an event");
    }

    private static StatisticsSegment Reader(StatisticsSegment written) =>
        StatisticsSegment.Map(
            Files.Open($"/proc/self/fd/{written.File.Number}", OpenFlags.Read).Value,
            writable: false).Value;
}
