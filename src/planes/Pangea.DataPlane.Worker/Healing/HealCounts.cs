namespace Pangea.DataPlane.Worker;

/// <summary>What healing has done since the worker started.</summary>
internal sealed class HealCounts
{
    public long ObjectsHealed { get; set; }

    /// <summary>Positions written anew.</summary>
    public long ShardsHealed { get; set; }

    /// <summary>Objects tried.</summary>
    public long Attempts { get; set; }

    public long Failures { get; set; }

    /// <summary>Of shards, by healing alone.</summary>
    public long BytesRead { get; set; }

    /// <inheritdoc cref="BytesRead"/>
    public long BytesWritten { get; set; }

    /// <summary>Stripes that an earlier try had written and that were not written again.</summary>
    public long StripesResumed { get; set; }

    /// <summary>When the queue was last empty, ms since 1970; 0: never.</summary>
    public long LastFinishedMs { get; set; }
}
