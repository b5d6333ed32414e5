using System.Reflection;

namespace Pangea.DataPlane.Control.Schema;

/// <summary>
/// Which build this is, as <c>system.version</c> and <c>pangea version</c> tell it.
/// </summary>
public static class BuildIdentity
{
    // "0.1.0+<revision>", written by the SDK from Version and the repository's head.
    private static readonly string s_text = typeof(BuildIdentity).Assembly
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion
        ?? "0.0.0";

    public static string Version => s_text.Split('+')[0];

    /// <summary>The source revision; "unknown" where it was not built from a repository.</summary>
    public static string Commit => s_text.Split('+', 2) is [_, var revision] ? revision : "unknown";

    public static string Runtime =>
        System.Runtime.InteropServices.RuntimeInformation.FrameworkDescription;

    /// <summary>The kernel's release, for example "6.1.0-18-amd64".</summary>
    public static string Kernel
    {
        get
        {
            try
            {
                return File.ReadAllText("/proc/sys/kernel/osrelease").Trim();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return Environment.OSVersion.VersionString;
            }
        }
    }

    public static SystemVersionResult Describe() => new()
    {
        Version = Version,
        Commit = Commit,
        Runtime = Runtime,
        Kernel = Kernel,
        Protocol = RpcMethods.Protocol,
    };
}
