namespace Pangea.DataPlane.Cli;

/// <summary>
/// The verb that makes this executable the appliance. The host supplies it, since the command line
/// does not know the supervisor. Jail and worker are no commands for people: the host starts them
/// itself.
/// </summary>
public sealed record RoleVerbs
{
    /// <summary>
    /// Runs <c>pangea supervise</c> with the arguments after the verb; returns the exit code.
    /// </summary>
    public required Func<string[], int> Supervise { get; init; }

    /// <summary>Options of <c>supervise</c> for its help: what to type, and what it does.</summary>
    public IReadOnlyList<(string Option, string Doc)> SuperviseOptions { get; init; } = [];
}
