namespace Pangea.DataPlane.Control.Schema;

/// <summary>Parameters of the methods about one worker.</summary>
public sealed record WorkerIndexParameters
{
    public required int Index { get; init; }
}

/// <summary>Result of <c>worker.restart</c>.</summary>
public sealed record WorkerRestartResult
{
    public required int Index { get; init; }

    /// <summary>False where calls were still under way after the bound; they have failed.</summary>
    public required bool Drained { get; init; }

    public required int Pid { get; init; }
}
