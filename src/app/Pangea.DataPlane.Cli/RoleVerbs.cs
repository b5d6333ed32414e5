namespace Pangea.DataPlane.Cli;

/// <summary>
/// The verbs that make this executable one of the appliance's processes. The host supplies them,
/// since the command line knows neither supervisor nor worker.
/// </summary>
public sealed record RoleVerbs
{
    /// <summary>
    /// Runs <c>pangea supervise</c> with the arguments after the verb; returns the exit code.
    /// </summary>
    public required Func<string[], int> Supervise { get; init; }

    /// <inheritdoc cref="Supervise"/>
    public required Func<string[], int> Jail { get; init; }

    /// <inheritdoc cref="Supervise"/>
    public required Func<string[], int> Worker { get; init; }

    /// <summary>Options of <c>supervise</c> for its help: what to type, and what it does.</summary>
    public IReadOnlyList<(string Option, string Doc)> SuperviseOptions { get; init; } = [];
}
