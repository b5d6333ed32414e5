using System.Runtime.InteropServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux.Jailing;

/// <summary>What a process behind <see cref="LandlockRules"/> may do with a place.</summary>
public enum PlaceAccess
{
    /// <summary>Read files and directories.</summary>
    Read,

    /// <summary>The same, and execute what lies there.</summary>
    Execute,

    /// <summary>Read and write files that exist, and nothing about their names.</summary>
    Update,

    /// <summary>
    /// Everything with ordinary files and directories. Never executing, and never making devices,
    /// sockets, pipes or links: shards are none of these.
    /// </summary>
    Own,
}

/// <summary>
/// Rules of landlock(7): from <see cref="RestrictThread"/> on, the calling thread and what it
/// starts reaches only the places that were allowed. Rules hold for places by descriptor, not by
/// name, so what is mounted where does not matter. Needs no privilege.
/// </summary>
/// <remarks>
/// Open descriptors are not affected; opening something below an open directory is. All TCP is
/// forbidden besides, and so are signals and abstract sockets of processes outside, as far as the
/// kernel knows how.
/// </remarks>
public sealed class LandlockRules : IDisposable
{
    /// <summary>
    /// Version 1 forbids every rename from one directory to another, which storing needs.
    /// </summary>
    public const int VersionMin = 2;

    private const ulong FileRights = Landlock.LANDLOCK_ACCESS_FS_EXECUTE
        | Landlock.LANDLOCK_ACCESS_FS_WRITE_FILE
        | Landlock.LANDLOCK_ACCESS_FS_READ_FILE
        | Landlock.LANDLOCK_ACCESS_FS_TRUNCATE
        | Landlock.LANDLOCK_ACCESS_FS_IOCTL_DEV;

    private const ulong Making = Landlock.LANDLOCK_ACCESS_FS_MAKE_CHAR
        | Landlock.LANDLOCK_ACCESS_FS_MAKE_SOCK
        | Landlock.LANDLOCK_ACCESS_FS_MAKE_FIFO
        | Landlock.LANDLOCK_ACCESS_FS_MAKE_BLOCK
        | Landlock.LANDLOCK_ACCESS_FS_MAKE_SYM;

    private readonly OwnedFd _ruleset;
    private readonly ulong _handled;

    private LandlockRules(OwnedFd ruleset, ulong handled, int version)
    {
        _ruleset = ruleset;
        _handled = handled;
        Version = version;
    }

    /// <summary>Version of the kernel's interface, 1 or more.</summary>
    public int Version { get; }

    /// <summary>The kernel's version of the interface, or why there is none.</summary>
    public static unsafe Result<int> KernelVersion()
    {
        // SAFETY: with this flag the kernel reads no struct.
        nint version = LibC.landlock_create_ruleset(
            Landlock.SYS_landlock_create_ruleset,
            null,
            0,
            Landlock.LANDLOCK_CREATE_RULESET_VERSION);
        if (version < 0)
        {
            return LastErrno().ToFault(
                "use Landlock", "Linux 5.19 has it; it may be off in the lsm= boot parameter");
        }

        return version >= VersionMin
            ? (int)version
            : new Fault(
                FaultCode.Unsupported,
                $"Landlock version {version} forbids renames between directories",
                "Linux 5.19 has version 2");
    }

    /// <summary>Rules that allow nothing yet.</summary>
    public static unsafe Result<LandlockRules> Create()
    {
        Result<int> version = KernelVersion();
        if (!version.IsOk)
        {
            return version.Fault;
        }

        landlock_ruleset_attr attributes = new()
        {
            handled_access_fs = HandledBy(version.Value),
            handled_access_net = version.Value < 4
                ? 0
                : Landlock.LANDLOCK_ACCESS_NET_BIND_TCP | Landlock.LANDLOCK_ACCESS_NET_CONNECT_TCP,
            scoped = version.Value < 6
                ? 0
                : Landlock.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | Landlock.LANDLOCK_SCOPE_SIGNAL,
        };

        // SAFETY: the kernel reads as many bytes as we say, which is the size of the struct.
        nint fd = LibC.landlock_create_ruleset(
            Landlock.SYS_landlock_create_ruleset,
            &attributes,
            (nuint)sizeof(landlock_ruleset_attr),
            0);
        return fd < 0
            ? LastErrno().ToFault("make Landlock rules")
            : new LandlockRules(
                new OwnedFd((int)fd), attributes.handled_access_fs, version.Value);
    }

    /// <summary>
    /// Allows something with a file, or with a directory and everything beneath it.
    /// </summary>
    /// <param name="place">Any descriptor of it, one that only names it too; stays the
    /// caller's.</param>
    public unsafe Fault? Allow(OwnedFd place, PlaceAccess access)
    {
        ulong rights = access switch
        {
            PlaceAccess.Read => Landlock.LANDLOCK_ACCESS_FS_READ_FILE
                | Landlock.LANDLOCK_ACCESS_FS_READ_DIR,
            PlaceAccess.Execute => Landlock.LANDLOCK_ACCESS_FS_READ_FILE
                | Landlock.LANDLOCK_ACCESS_FS_READ_DIR
                | Landlock.LANDLOCK_ACCESS_FS_EXECUTE,
            PlaceAccess.Update => FileRights & ~Landlock.LANDLOCK_ACCESS_FS_EXECUTE,
            _ => _handled & ~Landlock.LANDLOCK_ACCESS_FS_EXECUTE & ~Making,
        };

        // The kernel refuses rights of directories for anything else.
        bool isDirectory = Files.KindOf(place) == FileKind.Directory;
        landlock_path_beneath_attr rule = new()
        {
            allowed_access = rights & _handled & (isDirectory ? ulong.MaxValue : FileRights),
            parent_fd = place.Number,
        };

        // SAFETY: the kernel reads one packed struct of this type.
        return LibC.landlock_add_rule(
            Landlock.SYS_landlock_add_rule,
            _ruleset.Number,
            Landlock.LANDLOCK_RULE_PATH_BENEATH,
            &rule,
            0) < 0
            ? LastErrno().ToFault($"allow {access} of {place}")
            : null;
    }

    /// <summary>Allows something with a path; one that does not exist needs no rule.</summary>
    public Fault? Allow(string path, PlaceAccess access)
    {
        Result<OwnedFd> opened = PathFd.Open(path);
        if (!opened.IsOk)
        {
            return opened.Fault.Code == FaultCode.NotFound ? null : opened.Fault;
        }

        using OwnedFd place = opened.Value;
        return Allow(place, access);
    }

    /// <summary>
    /// Puts the calling thread behind the rules, for ever. It must have no_new_privs (prctl(2)).
    /// </summary>
    public Fault? RestrictThread() =>
        LibC.landlock_restrict_self(
            Landlock.SYS_landlock_restrict_self, _ruleset.Number, 0) < 0
            ? LastErrno().ToFault("take on Landlock rules")
            : null;

    public void Dispose() => _ruleset.Dispose();

    private static ulong HandledBy(int version)
    {
        ulong all = (Landlock.LANDLOCK_ACCESS_FS_REFER << 1) - 1;
        all |= version >= 3 ? Landlock.LANDLOCK_ACCESS_FS_TRUNCATE : 0;
        all |= version >= 5 ? Landlock.LANDLOCK_ACCESS_FS_IOCTL_DEV : 0;
        return all;
    }

    private static Errno LastErrno() => new(Marshal.GetLastPInvokeError());
}
