using System.Collections;
using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Supervisor;

/// <summary>
/// Where this program lies and how to execute it again: its directory, and the root of the runtime
/// it runs on, which is none when it was published with its own.
/// </summary>
/// <param name="ApplicationDirectory">Holds the program's files.</param>
/// <param name="RuntimeRoot">What DOTNET_ROOT names; null where the program brings its
/// runtime.</param>
public sealed record ApplicationFiles(string ApplicationDirectory, string? RuntimeRoot)
{
    private const string HostName = "pangea";

    /// <summary>Those of the running process.</summary>
    public static ApplicationFiles Current
    {
        get
        {
            string application = Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory);

            // The runtime lies in shared/NAME/VERSION below the root.
            var runtime = new DirectoryInfo(RuntimeEnvironment.GetRuntimeDirectory());
            string? root = runtime.Parent?.Parent is { Name: "shared", Parent: { } found }
                ? found.FullName
                : null;
            return new ApplicationFiles(application, root);
        }
    }

    /// <summary>The executable.</summary>
    public string Program => HasHost ? Host : Path.Combine(RuntimeRoot ?? "", "dotnet");

    /// <summary>argv before the verb.</summary>
    public IReadOnlyList<string> LeadingArguments =>
        HasHost ? [HostName] : ["dotnet", Path.Combine(ApplicationDirectory, HostName + ".dll")];

    private string Host => Path.Combine(ApplicationDirectory, HostName);

    private bool HasHost => File.Exists(Host);

    /// <summary>
    /// The environment of a worker: nothing of the caller's but what names a choice of ours or a
    /// language.
    /// </summary>
    public List<string> Environment()
    {
        List<string> environment = ["DOTNET_EnableDiagnostics=0", "DOTNET_NOLOGO=1"];
        if (RuntimeRoot is not null)
        {
            environment.Add($"DOTNET_ROOT={RuntimeRoot}");
        }

        IDictionary variables = System.Environment.GetEnvironmentVariables();
        foreach (DictionaryEntry entry in variables)
        {
            string name = (string)entry.Key;
            if (IsKept(name))
            {
                environment.Add($"{name}={entry.Value}");
            }
        }

        return environment;
    }

    // PANGEA_RING and PANGEA_ERASURE_KERNEL force a choice; the tuning variables of the runtime are
    // for measurements. Everything that could load code or open a door (DOTNET_STARTUP_HOOKS,
    // LD_PRELOAD) stays out.
    private static bool IsKept(string name) =>
        name.StartsWith("PANGEA_", StringComparison.Ordinal)
        || name is "LANG" or "LC_ALL" or "TZ" or "PATH"
        || name.StartsWith("DOTNET_GC", StringComparison.Ordinal)
        || name.StartsWith("DOTNET_Tiered", StringComparison.Ordinal)
        || name.StartsWith("DOTNET_TC_", StringComparison.Ordinal);
}
