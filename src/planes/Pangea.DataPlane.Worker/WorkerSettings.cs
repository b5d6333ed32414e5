namespace Pangea.DataPlane.Worker;

/// <summary>How the storage works, beside its geometry.</summary>
internal sealed record WorkerSettings
{
    /// <summary>
    /// True: a put is acknowledged when all k+m devices have it; false: when k+1 have.
    /// </summary>
    public bool IsDurableOnAll { get; init; }

    /// <summary>Between two checkpoints of the catalog, at most.</summary>
    public TimeSpan CheckpointEvery { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How often expired objects are looked for.</summary>
    public TimeSpan ExpiryEvery { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Bytes a second that compaction copies; 0 for no bound.</summary>
    public long CompactionBytesPerSecond { get; init; } = 64 * 1024 * 1024;
}
