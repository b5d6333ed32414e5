namespace Pangea.DataPlane.Catalog;

/// <summary>Up to where a device's log is contained in the catalog.</summary>
/// <param name="Ordinal">Of the device.</param>
/// <param name="Segment">Sequence number of the segment.</param>
/// <param name="Offset">In the segment, in bytes: the first byte that is not contained.</param>
public readonly record struct LogMark(byte Ordinal, uint Segment, uint Offset);

/// <summary>A removed name, remembered until every device knows of it.</summary>
/// <param name="Name">The object's name.</param>
/// <param name="RemovedMs">Versions created up to this time are gone.</param>
/// <param name="DeviceMask">Bit i: the device with ordinal i has it durably.</param>
public sealed record RemovedName(string Name, long RemovedMs, ulong DeviceMask);

/// <summary>One note: what the worker keeps in the catalog beside the objects.</summary>
/// <param name="Key">Within its table.</param>
/// <param name="Value">The worker's own encoding.</param>
public sealed record CatalogNote(byte[] Key, byte[] Value);

/// <summary>Bounds of a catalog. The defaults fit a worker of 150 MiB.</summary>
public sealed record CatalogOptions
{
    /// <summary>
    /// Address space for the file's map. It costs nothing until pages are read; a full map is
    /// doubled between transactions.
    /// </summary>
    public long MapBytes { get; init; } = 64L << 30;

    /// <summary>
    /// Changed keys that make a checkpoint due. Each may dirty a page of the names and one of the
    /// ids, which the library keeps in memory, for the next one too: 4096 are 32 MiB.
    /// </summary>
    public int CheckpointChanges { get; init; } = 4096;

    /// <summary>
    /// Changed keys at which writers must wait for a checkpoint (about 600 bytes each).
    /// </summary>
    public int ChangesMax { get; init; } = 65_536;

    /// <summary>Objects whose downloads are counted in memory between two writings.</summary>
    public int StatisticsMax { get; init; } = 32_768;

    /// <summary>
    /// How many of them one checkpoint takes along, each with a page of its own.
    /// </summary>
    public int StatisticsPerCheckpoint { get; init; } = 2048;

    /// <summary>
    /// Counts of downloads are written this seldom: a popular store would otherwise rewrite its
    /// catalog only because it is read.
    /// </summary>
    public long StatisticsIntervalMs { get; init; } = 30_000;

    /// <summary>File pages that may stay mapped after they were read.</summary>
    public long ResidentBytesMax { get; init; } = 16L << 20;
}
