// HOT PATH
// An event is the clock and one cache line: below 50 ns. No system call, no lock, no allocation.
using System.Diagnostics;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Memory.Statistics;

/// <summary>What happened; numbers never change their meaning.</summary>
public enum FlightEventKind
{
    /// <summary>The process begins; the number is its process id.</summary>
    Start = 1,

    /// <summary>It takes calls.</summary>
    Ready = 2,

    /// <summary>A call came; the number is its id, the text its method.</summary>
    CallBegan = 3,

    /// <summary>A call was answered; the code is 0 or the fault's.</summary>
    CallEnded = 4,

    /// <summary>A device changed; the number is its index, the text its new state.</summary>
    Device = 5,

    /// <summary>The process ends by itself.</summary>
    Stop = 6,
}

/// <summary>An event as a reader found it.</summary>
/// <param name="Sequence">From 1, without gaps.</param>
/// <param name="Ticks">Of <see cref="Stopwatch"/>, the same clock in every process.</param>
/// <param name="Kind">What happened.</param>
/// <param name="Code">0, or the code of a fault.</param>
/// <param name="Number">What the kind says.</param>
/// <param name="Text">What the kind says, cut after 31 bytes.</param>
public readonly record struct FlightEvent(
    long Sequence, long Ticks, FlightEventKind Kind, int Code, long Number, string Text);

/// <summary>
/// The last 1,024 events of a process, in the segment that its supervisor owns: they can be read
/// after the process was killed in the middle of anything. One writer.
/// </summary>
public sealed class FlightRecorder(StatisticsSegment segment)
{
    private long _next = segment.At(SegmentLayout.FlightNextAt);

    /// <summary>Notes an event; the oldest one goes.</summary>
    /// <param name="text">UTF-8; cut where it is too long.</param>
    public void Note(FlightEventKind kind, long number, int code, ReadOnlySpan<byte> text)
    {
        long sequence = ++_next;
        int at = Place(sequence);

        // Zero while it is being written, so that a reader never takes half an event for one. The
        // stores of x86-64 stay in order; on ARM64 the two volatile ones make it so.
        Volatile.Write(ref segment.At(at + SegmentLayout.SequenceAt), 0);
        segment.At(at + SegmentLayout.TicksAt) = Stopwatch.GetTimestamp();
        segment.At(at + SegmentLayout.EventKindAt) = (uint)kind | ((long)code << 32);
        segment.At(at + SegmentLayout.NumberAt) = number;
        Span<byte> room = segment.Bytes(at + SegmentLayout.TextAt, SegmentLayout.TextBytes);
        room.Clear();
        text[..Math.Min(text.Length, room.Length - 1)].CopyTo(room);
        Volatile.Write(ref segment.At(at + SegmentLayout.SequenceAt), sequence);
        Volatile.Write(ref segment.At(SegmentLayout.FlightNextAt), sequence);
    }

    /// <summary>The events of a segment, oldest first, also while they are written.</summary>
    public static IReadOnlyList<FlightEvent> Read(StatisticsSegment segment)
    {
        long last = Volatile.Read(ref segment.At(SegmentLayout.FlightNextAt));
        var events = new List<FlightEvent>();
        for (long i = 0; i < SegmentLayout.EventsMax; i++)
        {
            int at = SegmentLayout.FlightAt + ((int)i * SegmentLayout.EventBytes);
            long sequence = Volatile.Read(ref segment.At(at + SegmentLayout.SequenceAt));
            long kindAndCode = segment.At(at + SegmentLayout.EventKindAt);
            var read = new FlightEvent(
                sequence,
                segment.At(at + SegmentLayout.TicksAt),
                (FlightEventKind)(int)kindAndCode,
                (int)(kindAndCode >> 32),
                segment.At(at + SegmentLayout.NumberAt),
                StatisticsSegment.Text(
                    segment.Bytes(at + SegmentLayout.TextAt, SegmentLayout.TextBytes)));
            bool whole = sequence > 0
                && sequence == Volatile.Read(ref segment.At(at + SegmentLayout.SequenceAt));
            if (whole && sequence > last - SegmentLayout.EventsMax && Place(sequence) == at)
            {
                events.Add(read);
            }
        }

        events.Sort((a, b) => a.Sequence.CompareTo(b.Sequence));
        return events;
    }

    private static int Place(long sequence) =>
        SegmentLayout.FlightAt
            + ((int)((ulong)(sequence - 1) % SegmentLayout.EventsMax) * SegmentLayout.EventBytes);
}
