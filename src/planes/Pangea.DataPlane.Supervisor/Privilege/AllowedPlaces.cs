using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Supervisor.Privilege;

/// <summary>
/// Where devices may lie, as root's own configuration says it. Whoever has taken over the
/// supervisor could otherwise have any empty directory given to its user, and put into it what root
/// executes. Asked about what has been opened, not about its name: that may lead elsewhere by then.
/// </summary>
/// <param name="given">Places that were allowed at the start, full paths.</param>
/// <param name="reread">Those that the configuration file names now.</param>
internal sealed class AllowedPlaces(
    IReadOnlyList<string> given, Func<IReadOnlyList<string>> reread)
{
    private const string BlockDevices = "/dev";

    /// <summary>Where disks are mounted on purpose (hier(7)).</summary>
    private static readonly string[] s_usual = ["/srv", "/mnt", "/media"];

    /// <summary>Never, whatever the configuration allows around it.</summary>
    private static readonly string[] s_system =
    [
        "/bin", "/boot", BlockDevices, "/etc", "/lib", "/lib32", "/lib64", "/proc", "/root",
        "/sbin", "/sys", "/usr", "/var/cache", "/var/lib/dpkg", "/var/lib/systemd", "/var/spool",
    ];

    /// <summary>
    /// Of a configuration: its devices, what lies beside them, the places it names, and where disks
    /// are mounted usually.
    /// </summary>
    /// <param name="devices">Full paths.</param>
    /// <param name="places">Full paths.</param>
    public static IReadOnlyList<string> Of(
        IReadOnlyList<string> devices, IReadOnlyList<string> places) =>
    [
        .. s_usual,
        .. places,
        .. devices,

        // Not the root or a directory of the first level: too much else lies beside a device there.
        .. devices.Select(Path.GetDirectoryName)
            .OfType<string>()
            .Where(parent => parent.LastIndexOf('/') > 0 && !IsBelow(parent, BlockDevices)),
    ];

    /// <summary>Why what was opened by this name is no device; null where it may be.</summary>
    public Fault? Check(string path, OwnedFd opened)
    {
        string real = PathOf(opened);
        FileKind kind = Files.KindOf(opened);
        bool isBlock = kind == FileKind.BlockDevice;
        if (kind is not (FileKind.BlockDevice or FileKind.Directory or FileKind.Unknown))
        {
            return null; // No device at all, as whoever opens it says.
        }

        bool isSystem = real == "/" || !real.StartsWith('/')
            || (!isBlock && s_system.Any(place => IsBelow(real, place)));
        if (isSystem)
        {
            return Refuse(
                $"{path} ({real}) belongs to the system",
                "a device is a directory below /srv, /mnt or the like, or a disk");
        }

        return (isBlock && IsBelow(real, BlockDevices))
            || given.Any(place => IsAt(real, place)) || reread().Any(place => IsAt(real, place))
            ? null
            : Refuse(
                $"{path} ({real}) lies at no place for devices",
                "name the place in storage.devicePlaces of the configuration file");
    }

    /// <summary>The same for a name that nobody has opened yet.</summary>
    public Fault? Check(string path)
    {
        Result<OwnedFd> opened = PathFd.Open(path);
        if (!opened.IsOk)
        {
            return opened.Fault;
        }

        using OwnedFd place = opened.Value;
        return Check(path, place);
    }

    /// <summary>Whether a real path is a place, links followed, or lies below it.</summary>
    private static bool IsAt(string real, string place)
    {
        Result<OwnedFd> opened = PathFd.Open(place);
        if (!opened.IsOk)
        {
            return false;
        }

        using OwnedFd fd = opened.Value;
        string target = PathOf(fd);
        return target != "/" && IsBelow(real, target);
    }

    private static bool IsBelow(string path, string place) =>
        path == place || path.StartsWith(place + "/", StringComparison.Ordinal);

    private static string PathOf(OwnedFd fd) =>
        new FileInfo($"/proc/self/fd/{fd.Number}").LinkTarget ?? "";

    private static Fault Refuse(string what, string hint)
    {
        EventLog.Write("warden.refused", ("what", what));
        return new Fault(FaultCode.Denied, what, hint);
    }
}
