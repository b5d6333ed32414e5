using System.Text;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Memory.Statistics;

/// <summary>
/// Memory that one process writes its statistics to and others read, without either noticing: a
/// table of what there is, the values, a heartbeat, and the flight recorder. It belongs to whoever
/// has it open, so it outlives its writer. See <see cref="SegmentLayout"/>.
/// </summary>
public sealed unsafe class StatisticsSegment : IDisposable
{
    private readonly MappedRegion _region;

    private StatisticsSegment(OwnedFd file, MappedRegion region)
    {
        File = file;
        _region = region;
    }

    /// <summary>Owned by the segment; closed after <see cref="CloseFile"/>.</summary>
    public OwnedFd File { get; }

    /// <summary>Turns of the writer's loop that it reported.</summary>
    public long Heartbeat => Volatile.Read(ref At(SegmentLayout.HeartbeatAt));

    /// <summary>Whether a writer has declared its values.</summary>
    public bool IsDeclared => At(SegmentLayout.MagicAt) == (long)SegmentLayout.Magic;

    /// <summary>Process id of the writer; 0 while there is none.</summary>
    public int Pid => (int)At(SegmentLayout.PidAt);

    /// <summary>Makes an empty one and maps it.</summary>
    public static Result<StatisticsSegment> Create(string name, bool writable = false)
    {
        Result<OwnedFd> file = MemoryFile.CreateSealed(name, SegmentLayout.SegmentBytes);
        return file.IsOk ? Map(file.Value, writable) : file.Fault;
    }

    /// <summary>Maps the one that somebody else made; takes the descriptor.</summary>
    public static Result<StatisticsSegment> Map(OwnedFd file, bool writable)
    {
        Result<FileStatus> status = Files.Status(file);
        Fault? fault = status.IsOk && status.Value.Bytes != SegmentLayout.SegmentBytes
            ? new Fault(
                FaultCode.BadDescriptor,
                $"a statistics segment has {SegmentLayout.SegmentBytes} bytes, not "
                    + $"{status.Value.Bytes}")
            : status.Fault;
        Result<MappedRegion> region = fault is null
            ? MappedRegion.Shared(file, SegmentLayout.SegmentBytes, writable)
            : fault;
        if (region.IsOk)
        {
            return new StatisticsSegment(file, region.Value);
        }

        file.Dispose();
        return region.Fault;
    }

    /// <summary>Reads every value; what a hostile writer made senseless is left out.</summary>
    public IReadOnlyList<MetricValue> Read()
    {
        var values = new List<MetricValue>();
        if (!IsDeclared)
        {
            return values;
        }

        long entries = Math.Clamp(At(SegmentLayout.TableEntriesAt), 0, SegmentLayout.EntriesMax);
        for (int i = 0; i < entries; i++)
        {
            if (ReadEntry(SegmentLayout.HeaderBytes + (i * SegmentLayout.EntryBytes)) is { } value)
            {
                values.Add(value);
            }
        }

        return values;
    }

    /// <summary>
    /// The writer has ended and nobody else will be given it: what is mapped stays readable.
    /// </summary>
    public void CloseFile() => File.Dispose();

    public void Dispose()
    {
        _region.Dispose();
        File.Dispose();
    }

    /// <summary>
    /// The number at an offset; offsets are checked, for they may come from outside.
    /// </summary>
    internal ref long At(int offset)
    {
        Invariant.Check(offset >= 0 && offset <= SegmentLayout.SegmentBytes - sizeof(long));
        Invariant.Check(offset % sizeof(int) == 0);

        // SAFETY: inside the mapping, which lives until disposal and whose length is sealed.
        return ref *(long*)(_region.Address + offset);
    }

    /// <summary>The bytes at an offset.</summary>
    internal Span<byte> Bytes(int offset, int bytes)
    {
        Invariant.Check(offset >= 0 && bytes >= 0);
        Invariant.Check(offset <= SegmentLayout.SegmentBytes - bytes);

        // SAFETY: as above.
        return new Span<byte>(_region.Address + offset, bytes);
    }

    internal static string Text(ReadOnlySpan<byte> bytes)
    {
        int end = bytes.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? bytes : bytes[..end]);
    }

    private MetricValue? ReadEntry(int at)
    {
        var kind = (MetricKind)BitConverter.ToInt32(Bytes(at + SegmentLayout.KindAt, 4));
        int borders = BitConverter.ToInt32(Bytes(at + SegmentLayout.BordersAt, 4));
        long value = At(at + SegmentLayout.ValueAt);
        bool isHistogram = kind == MetricKind.Histogram;
        long longs = isHistogram ? (2L * borders) + 2 : 1;
        bool sane = kind is >= MetricKind.Counter and <= MetricKind.Histogram
            && borders is >= 0 and <= SegmentLayout.BordersMax
            && value is >= SegmentLayout.HeaderBytes and < SegmentLayout.FlightAt
            && value % sizeof(long) == 0
            && value + (longs * sizeof(long)) <= SegmentLayout.FlightAt;
        if (!sane)
        {
            return null;
        }

        long[] read = new long[longs];
        for (int i = 0; i < longs; i++)
        {
            read[i] = Volatile.Read(ref At((int)value + (i * sizeof(long))));
        }

        var metric = new Metric(
            Text(Bytes(at, SegmentLayout.NameBytes)),
            Text(Bytes(at + SegmentLayout.UnitAt, SegmentLayout.UnitBytes)),
            kind,
            Text(Bytes(at + SegmentLayout.HelpAt, SegmentLayout.HelpBytes)))
        {
            Borders = isHistogram ? read[1..(borders + 1)] : [],
        };
        return new MetricValue(metric, read[0], isHistogram ? read[(borders + 1)..] : []);
    }
}
