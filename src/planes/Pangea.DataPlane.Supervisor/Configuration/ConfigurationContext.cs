using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Supervisor.Configuration;

/// <summary>
/// Where a configuration is read: a supervisor that has dropped its privilege reads it again as it
/// was read at the start.
/// </summary>
/// <param name="WorkingDirectory">What relative paths of flags and variables mean.</param>
/// <param name="StartedByRoot">Whether workers can run as somebody else.</param>
/// <param name="ReadFile">The text of the configuration file.</param>
public sealed record ConfigurationContext(
    string WorkingDirectory, bool StartedByRoot, Func<string, Result<string>> ReadFile)
{
    /// <summary>That of the running process.</summary>
    public static ConfigurationContext Own { get; } = new(
        Environment.CurrentDirectory, UserAccount.IsRoot, ConfigurationFile.ReadText);

    /// <summary>The full path of one that was given relative to that directory.</summary>
    public string FullPath(string path) => Path.GetFullPath(path, WorkingDirectory);
}
