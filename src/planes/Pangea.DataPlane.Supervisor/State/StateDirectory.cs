using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Supervisor.Configuration;
using Pangea.DataPlane.Supervisor.Devices;

namespace Pangea.DataPlane.Supervisor.State;

/// <summary>
/// The directory that makes an appliance this appliance: its identity, its master key and, in the
/// embedded default, its devices. Held by one supervisor at a time.
/// </summary>
public sealed partial class StateDirectory : IDisposable
{
    private const int PrivateDirectory = 0x1C0; // 0700
    private const int PrivateFile = 0x180; // 0600
    private const string DevicesFile = "devices-in-use";
    private const string CatalogDirectory = "catalog";
    private const string ChangesFile = "device-changes";
    private const string GeometriesFile = "geometries";
    private const string KeyLinePrefix = "pangea-key-v1";
    private const int KeyBytes = 32;
    private const int KeyIdBytes = 8;

    private readonly OwnedFd _lock;

    private readonly HashSet<string> _devicesInUse;
    private readonly HashSet<string> _geometries;

    /// <summary>
    /// How this process reaches it: by its path, or through a descriptor where the way there may be
    /// closed to the user that it has become.
    /// </summary>
    private readonly string _root;

    private readonly OwnedFd? _directory;

    private StateDirectory(
        string path, string id, OwnedFd guard, OwnedFd? directory = null)
    {
        Path = path;
        Id = id;
        _lock = guard;
        _directory = directory;
        _root = RootOf(path, directory);
        _devicesInUse = ReadLines(
            System.IO.Path.Combine(_root, DevicesFile), line => line.Length > 0);
        _geometries = ReadLines(System.IO.Path.Combine(_root, GeometriesFile), IsGeometry);
    }

    /// <summary>Full path.</summary>
    public string Path { get; }

    /// <summary>32 hexadecimal digits, made once; devices remember whose they are by it.</summary>
    public string Id { get; }

    public string KeyPath => KeyPathOf(_root);

    /// <summary>The lock, for a program that is executed in this one's place.</summary>
    internal OwnedFd Lock => _lock;

    /// <summary>Opens the directory, and makes what is missing on the first start.</summary>
    /// <returns><see cref="FaultCode.Busy"/> while another supervisor holds it.</returns>
    public static Result<StateDirectory> Open(string path)
    {
        Fault? made = MakeDirectory(path) ?? MakeDirectory(System.IO.Path.Combine(path, "keys"));
        if (made is not null)
        {
            return made;
        }

        // The lock comes before anything is read or made, so that two first starts cannot both make
        // a key. The kernel drops it with the process, however that ends.
        Result<OwnedFd> guard = Files.Open(
            System.IO.Path.Combine(path, "lock"),
            OpenFlags.Read | OpenFlags.Write | OpenFlags.Create,
            PrivateFile);
        if (!guard.IsOk)
        {
            return guard.Fault;
        }

        if (!Files.TryLock(guard.Value, exclusive: true).IsOk)
        {
            guard.Value.Dispose();
            return new Fault(
                FaultCode.Busy,
                $"another supervisor uses the state directory {path}",
                "stop it, or give this one a directory of its own with --state");
        }

        // The key comes first: a state without one is a state whose key was lost.
        Fault? fault = CheckKey(path) ?? MakeKey(path);
        Result<string> id = fault is null ? ReadOrMakeId(path) : fault;
        fault = id.Fault;
        if (fault is not null)
        {
            guard.Value.Dispose();
            return fault;
        }

        return new StateDirectory(path, id.Value, guard.Value);
    }

    /// <summary>
    /// Paths at which devices were in use before, from the file <c>devices-in-use</c>, one a line.
    /// A directory at one of them that is empty now is a disk that is not mounted, not a new
    /// device.
    /// </summary>
    public IReadOnlySet<string> DevicesInUse => _devicesInUse;

    /// <summary>Adds to <see cref="DevicesInUse"/>, durable; the fault where that fails.</summary>
    public Fault? NoteDevicesInUse(IReadOnlyList<string> paths)
    {
        if (_devicesInUse.IsSupersetOf(paths))
        {
            return null;
        }

        _devicesInUse.UnionWith(paths);
        return WriteLines(DevicesFile, _devicesInUse);
    }

    /// <summary>
    /// Takes a path out of <see cref="DevicesInUse"/>, durable: its device was taken out for good,
    /// and an empty directory there is a new one.
    /// </summary>
    public Fault? ForgetDeviceInUse(string path) =>
        _devicesInUse.Remove(path) ? WriteLines(DevicesFile, _devicesInUse) : null;

    /// <summary>
    /// Changes of devices at run time, one a line; see <see cref="DeviceTable"/>.
    /// </summary>
    internal IEnumerable<string> DeviceChanges =>
        ReadLines(System.IO.Path.Combine(_root, ChangesFile), DeviceTable.IsChange);

    /// <summary>Replaces <see cref="DeviceChanges"/>, durable.</summary>
    internal Fault? WriteDeviceChanges(IEnumerable<string> lines) =>
        WriteLines(ChangesFile, lines);

    /// <summary>
    /// How objects were cut under every configuration so far, from the file <c>geometries</c>, one
    /// a line: <c>8+4 1048576</c>.
    /// </summary>
    public IReadOnlyList<StartGeometry> Geometries =>
    [
        .. _geometries.Select(line => line.Split(' ')).Select(parts => new StartGeometry
        {
            Redundancy = RedundancyRecord.From(ConfigurationValues.ParseRedundancy(parts[0]).Value),
            StripeBytes = ConfigurationValues.ParseStripeBytes(parts[1], 1).Value,
        }),
    ];

    /// <summary>
    /// Adds what a configuration has to <see cref="Geometries"/>, durable before any object is cut
    /// so.
    /// </summary>
    public Fault? NoteGeometries(ApplianceConfiguration configuration)
    {
        var lines = new List<string> { $"{configuration.Redundancy} {configuration.StripeBytes}" };
        lines.AddRange(configuration.Classes.Select(kind =>
            $"{kind.Redundancy.DataShards}+{kind.Redundancy.ParityShards} {kind.StripeBytes}"));
        if (_geometries.IsSupersetOf(lines))
        {
            return null;
        }

        _geometries.UnionWith(lines);
        return WriteLines(GeometriesFile, _geometries);
    }

    /// <summary>
    /// Ids of the keys in the key file, oldest first; the last is the current one.
    /// </summary>
    public Result<IReadOnlyList<string>> KeyIds()
    {
        try
        {
            var ids = new List<string>();
            foreach (string line in File.ReadLines(KeyPath))
            {
                string[] fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                if (fields is [KeyLinePrefix, { } id, _])
                {
                    ids.Add(id);
                }
            }

            return ids.Count > 0
                ? ids
                : new Fault(FaultCode.Corrupt, $"{KeyPath} holds no key", "restore it from a copy");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new Fault(FaultCode.Io, $"cannot read {KeyPath}: {e.Message}");
        }
    }

    /// <summary>
    /// Appends a new key, which is the current one from then on. The file is replaced as a whole:
    /// after a crash it is the old one or the new one.
    /// </summary>
    public Result<string> AddKey()
    {
        byte[] known;
        try
        {
            known = File.ReadAllBytes(KeyPath);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new Fault(FaultCode.Io, $"cannot read {KeyPath}: {e.Message}");
        }

        (string id, byte[] line) = NewKeyLine();
        byte[] separator = known is [.., not (byte)'\n'] ? [(byte)'\n'] : [];
        byte[] all = [.. known, .. separator, .. line];
        Fault? fault = WriteNew(
            System.IO.Path.Combine(_root, "keys"), "master.key", all, replace: true);
        CryptographicOperations.ZeroMemory(known);
        CryptographicOperations.ZeroMemory(line);
        CryptographicOperations.ZeroMemory(all);
        return fault is null ? id : fault;
    }

    /// <summary>The key file, open for reading, for a worker.</summary>
    public Result<OwnedFd> OpenKey() => Files.Open(KeyPath, OpenFlags.Read);

    /// <summary>
    /// The directory of the catalog, made where it is missing, for a worker that runs as that user
    /// (null: as ourselves). It holds nothing that the devices do not say as well, so its files
    /// are given to whoever the user is now.
    /// </summary>
    public Result<OwnedFd> OpenCatalog(UserAccount? user)
    {
        string path = System.IO.Path.Combine(_root, CatalogDirectory);
        if (MakeDirectory(path) is { } fault)
        {
            return fault;
        }

        Result<DirectoryFd> opened = DirectoryFd.Open(path);
        if (!opened.IsOk || user is not { } account)
        {
            return opened.IsOk ? opened.Value.Fd : opened.Fault;
        }

        SysResult owned = DirectoryOwner.HandOver(opened.Value, account);
        if (!owned.IsOk)
        {
            opened.Value.Dispose();
            return owned.Errno.ToFault($"give {path} to {account}");
        }

        return opened.Value.Fd;
    }

    public void Dispose()
    {
        _lock.Dispose();
        _directory?.Dispose();
    }

    private static string RootOf(string path, OwnedFd? directory) =>
        directory is null ? path : $"/proc/self/fd/{directory.Number}/.";

    private Fault? WriteLines(string file, IEnumerable<string> lines)
    {
        string text = string.Concat(
            lines.Order(StringComparer.Ordinal).Select(line => line + "\n"));
        return WriteNew(_root, file, Encoding.UTF8.GetBytes(text), replace: true);
    }

    private static HashSet<string> ReadLines(string path, Func<string, bool> isValid) =>
        File.Exists(path) ? [.. File.ReadLines(path).Where(isValid)] : [];

    private static bool IsGeometry(string line)
    {
        string[] parts = line.Split(' ');
        return parts.Length == 2
            && ConfigurationValues.ParseRedundancy(parts[0]).IsOk
            && ConfigurationValues.ParseStripeBytes(parts[1], 1).IsOk;
    }

    private static string KeyPathOf(string path) =>
        System.IO.Path.Combine(path, "keys", "master.key");

    private static Fault? MakeDirectory(string path)
    {
        try
        {
            Directory.CreateDirectory(path, (UnixFileMode)PrivateDirectory);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new Fault(
                FaultCode.Denied,
                $"cannot make the state directory {path}: {e.Message}",
                "choose another one with --state");
        }
    }

    private static Result<string> ReadOrMakeId(string path)
    {
        string file = System.IO.Path.Combine(path, "state.json");
        if (!File.Exists(file))
        {
            string made = ObjectId.New().ToString();
            string text =
                $"{{\"version\":1,\"id\":\"{made}\",\"created\":\"{DateTime.UtcNow:O}\"}}\n";
            return WriteNew(path, "state.json", Encoding.UTF8.GetBytes(text)) is { } fault
                ? fault
                : made;
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(file));
            if (document.RootElement.ValueKind == JsonValueKind.Object
                && document.RootElement.TryGetProperty("version"u8, out JsonElement version)
                && version.ValueKind == JsonValueKind.Number
                    && version.TryGetInt32(out int number)
                    && number == 1
                && document.RootElement.TryGetProperty("id"u8, out JsonElement id)
                && id.ValueKind == JsonValueKind.String
                    && ObjectId.TryParse(id.GetString(), out ObjectId known))
            {
                return known.ToString();
            }
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            return Damaged(file, e.Message);
        }

        return Damaged(file, "it has no id of version 1");
    }

    private static Fault Damaged(string file, string why) => new(
        FaultCode.Corrupt,
        $"cannot read {file}: {why}",
        "restore it from a copy; its id is also in every device's pangea-device.json");

    /// <summary>
    /// Devices that hold objects of a lost key must not silently get a new one: the old objects
    /// would be unusable, and restoring the old file later would make the new ones so.
    /// </summary>
    private static Fault? CheckKey(string path) =>
        File.Exists(System.IO.Path.Combine(path, "state.json")) && !File.Exists(KeyPathOf(path))
            ? new Fault(
                FaultCode.Corrupt,
                $"the state {path} has lost its key file {KeyPathOf(path)}",
                "restore the file from a copy; without it no object can be read. For a new, "
                    + "empty appliance choose another state directory")
            : null;

    private static Fault? MakeKey(string path)
    {
        if (File.Exists(KeyPathOf(path)))
        {
            return null;
        }

        (string id, byte[] line) = NewKeyLine();
        Fault? fault = WriteNew(System.IO.Path.Combine(path, "keys"), "master.key", line);
        CryptographicOperations.ZeroMemory(line);
        if (fault is null)
        {
            EventLog.Write("key.made", ("id", id), ("path", KeyPathOf(path)));
        }

        return fault;
    }

    /// <summary>
    /// One line <c>pangea-key-v1 ID SECRET</c>, the form of the storage engine's key ring. The id
    /// is what the secret implies (8 bytes of HKDF-SHA256) and so guards the line against damage.
    /// </summary>
    /// <remarks>
    /// The secret is never a string: strings cannot be wiped. The line is pinned, so that the
    /// collector leaves no copy behind; the caller wipes it.
    /// </remarks>
    private static (string Id, byte[] Line) NewKeyLine()
    {
        Span<byte> secret = stackalloc byte[KeyBytes];
        Span<byte> id = stackalloc byte[KeyIdBytes];
        RandomNumberGenerator.Fill(secret);
        HKDF.DeriveKey(HashAlgorithmName.SHA256, secret, id, default, "pangea key id v1"u8);
        string name = Convert.ToHexStringLower(id);
        byte[] head = Encoding.ASCII.GetBytes($"{KeyLinePrefix} {name} ");
        byte[] line = GC.AllocateUninitializedArray<byte>(
            head.Length + (2 * KeyBytes) + 1, pinned: true);
        head.CopyTo(line, 0);
        bool written = Convert.TryToHexStringLower(secret, line.AsSpan(head.Length), out _);
        Invariant.Check(written);
        line[^1] = (byte)'\n';
        CryptographicOperations.ZeroMemory(secret);
        return (name, line);
    }

    /// <summary>
    /// Writes a file that is either whole and durable or not there: a key that is lost in a power
    /// cut after objects were sealed with it would take them along.
    /// </summary>
    private static Fault? WriteNew(
        string directoryPath, string name, ReadOnlySpan<byte> content, bool replace = false)
    {
        Result<DirectoryFd> opened = DirectoryFd.Open(directoryPath);
        if (!opened.IsOk)
        {
            return opened.Fault;
        }

        using DirectoryFd directory = opened.Value;
        string temporary = name + ".new";
        Result<OwnedFd> file = directory.OpenFile(
            temporary, OpenFlags.Write | OpenFlags.Create | OpenFlags.Truncate, PrivateFile);
        if (!file.IsOk)
        {
            return file.Fault;
        }

        using OwnedFd fd = file.Value;
        SysResult result = Files.WriteAt(fd, content, 0);
        result = result.IsOk ? Files.Sync(fd, dataOnly: false) : result;
        result = result.IsOk
            ? directory.Rename(temporary, directory, name, replace)
            : result;
        result = result.IsOk ? directory.Sync() : result;
        return result.IsOk
            ? null
            : result.Errno.ToFault($"write {System.IO.Path.Combine(directoryPath, name)}");
    }
}
