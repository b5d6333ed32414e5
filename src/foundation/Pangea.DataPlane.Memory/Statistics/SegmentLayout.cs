namespace Pangea.DataPlane.Memory.Statistics;

/// <summary>
/// Where things are in a statistics segment (decision A5). All numbers are little-endian and
/// aligned to their length, so every value is read and written as one; there is no lock and no
/// sequence number around them. Readers check every offset: the writer is another process.
/// </summary>
internal static class SegmentLayout
{
    /// <summary>"PGSTAT01".</summary>
    public const ulong Magic = 0x3130544154534750;

    /// <summary>Length of every segment, sealed.</summary>
    public const int SegmentBytes = 128 * 1024;

    // Header. The heartbeat and the recorder's position have cache lines of their own.
    public const int MagicAt = 0;
    public const int TableEntriesAt = 8;
    public const int ValuesEndAt = 16;
    public const int PidAt = 24;
    public const int HeartbeatAt = 64;
    public const int FlightNextAt = 128;
    public const int HeaderBytes = 256;

    // One entry of the table.
    public const int NameBytes = 64;
    public const int UnitAt = 64;
    public const int UnitBytes = 16;
    public const int KindAt = 80;
    public const int BordersAt = 84;
    public const int ValueAt = 88;
    public const int HelpAt = 96;
    public const int HelpBytes = 160;
    public const int EntryBytes = 256;
    public const int EntriesMax = 128;

    /// <summary>Borders of one histogram.</summary>
    public const int BordersMax = 64;

    // The flight recorder takes the second half.
    public const int FlightAt = 64 * 1024;
    public const int EventBytes = 64;
    public const int EventsMax = (SegmentBytes - FlightAt) / EventBytes;

    // One event.
    public const int SequenceAt = 0;
    public const int TicksAt = 8;
    public const int EventKindAt = 16;
    public const int CodeAt = 20;
    public const int NumberAt = 24;
    public const int TextAt = 32;
    public const int TextBytes = EventBytes - TextAt;
}
