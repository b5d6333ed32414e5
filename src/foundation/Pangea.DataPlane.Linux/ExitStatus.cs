namespace Pangea.DataPlane.Linux;

/// <summary>How a process ended: with an exit code, or by a signal. The other one is -1.</summary>
public readonly record struct ExitStatus(int Code, int Signal)
{
    /// <summary>Someone else reaped it, so nobody can say.</summary>
    public static readonly ExitStatus Unknown = new(-1, -1);

    public override string ToString() =>
        Signal > 0 ? $"signal {Signal}" : Code >= 0 ? $"exit {Code}" : "unknown";
}
