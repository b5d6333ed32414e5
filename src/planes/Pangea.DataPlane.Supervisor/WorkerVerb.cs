namespace Pangea.DataPlane.Supervisor;

/// <summary>How this program is told to be a worker: <c>pangea worker --channel</c>.</summary>
public static class WorkerVerb
{
    public const string Verb = "worker";

    private static readonly string[] s_command = [Verb, ChannelOption];

    /// <summary>Tells the process from the client's command <c>pangea worker list</c>.</summary>
    public const string ChannelOption = "--channel";

    /// <summary>What a jail executes.</summary>
    internal static ReadOnlySpan<string> Command => s_command;

    /// <summary>The number of the channel to the supervisor in a worker.</summary>
    public const int ChannelFd = 3;

    /// <summary>
    /// Where the descriptors of the places begin that a jail opens for its worker; the exec closes
    /// them.
    /// </summary>
    internal const int FirstPlaceFd = 4;

    /// <summary>How many there are, for the jail.</summary>
    internal const string PlacesOption = "--places";

    /// <summary>Cores that its threads may use, for the jail.</summary>
    internal const string CoresOption = "--cores";

    /// <summary>Node of its memory, for the jail.</summary>
    internal const string NodeOption = "--node";
}
