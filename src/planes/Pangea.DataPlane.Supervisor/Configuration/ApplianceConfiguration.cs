using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Supervisor.Configuration;

/// <summary>Everything the supervisor was told, complete and checked.</summary>
public sealed record ApplianceConfiguration
{
    /// <summary>Where state lies when nothing else is said: below the current directory.</summary>
    public const string StateDirectoryDefault = "var";

    /// <summary>The workers' account where it exists and nobody named another one.</summary>
    public const string UserDefault = "pangea";

    /// <summary>
    /// Uid and gid of the workers where there is no such account: numbers that systemd and Debian
    /// leave to nobody (systemd.io/UIDS-GIDS), so no other process can touch a worker or its files.
    /// </summary>
    public const string UserWithoutAccount = "61183:61183";

    private const int ThreadsDefaultMin = 2;
    private const int ThreadsDefaultMax = 8;
    private const int DeathsPerMinuteDefault = 5;
    private const int StallSecondsDefault = 10;

    /// <summary>The configuration file, full path; null where there is none.</summary>
    public string? FilePath { get; init; }

    /// <summary>The flags it was read from.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>What relative paths in flags and variables meant.</summary>
    public string WorkingDirectory { get; init; } = "/";

    /// <summary>Full path.</summary>
    public required string StateDirectory { get; init; }

    /// <summary>Full path.</summary>
    public required string SocketPath { get; init; }

    /// <summary>
    /// Whom workers run as; null: as the caller, who is not root and cannot choose.
    /// </summary>
    public UserAccount? User { get; init; }

    /// <summary>Full paths, in the order of their indices.</summary>
    public required IReadOnlyList<string> Devices { get; init; }

    /// <summary>
    /// Full paths below which devices may be added at run time, beside the usual ones.
    /// </summary>
    public IReadOnlyList<string> DevicePlaces { get; init; } = [];

    /// <summary>
    /// True for the embedded default below the state directory, whose directories are made where
    /// they are missing. Configured ones never are: a disk that is not mounted must not become a
    /// directory.
    /// </summary>
    public required bool CreatesDevices { get; init; }

    public required Redundancy Redundancy { get; init; }

    public required int StripeBytes { get; init; }

    public required string Compression { get; init; }

    /// <summary>Object classes beside the default one, complete.</summary>
    public required IReadOnlyList<StartClass> Classes { get; init; }

    /// <summary>How the storage works, complete.</summary>
    public required StorageSettings Settings { get; init; }

    /// <summary>The firewall; null where it is none of ours.</summary>
    public FirewallSettings? Firewall { get; init; }

    /// <summary>Which cores each role has.</summary>
    public required CorePlan Cores { get; init; }

    /// <summary>
    /// Threads that compute stripes beside the storage worker's loop. By default one for each other
    /// core it may use, two to eight; none where it has one core only: there they would take turns.
    /// </summary>
    public required int StorageThreads { get; init; }

    /// <summary>
    /// Deaths within a minute after which a worker is given up until somebody asks for it.
    /// </summary>
    public required int DeathsPerMinuteMax { get; init; }

    /// <summary>Seconds without a turn of its loop after which a worker is killed.</summary>
    public required int StallSecondsMax { get; init; }

    /// <summary>Whether a process waits to take the storage worker's place.</summary>
    public required bool StorageStandby { get; init; }

    /// <summary>Fills what no source said, and checks what only the whole can tell.</summary>
    public static Result<ApplianceConfiguration> Complete(
        ConfigurationValues values, ConfigurationContext? context = null)
    {
        Result<IReadOnlyList<int>> allowed = CoreAffinity.Get();
        return allowed.IsOk
            ? Complete(
                values,
                CpuTopology.Read(CpuTopology.SystemRoot, allowed.Value),
                allowed.Value,
                context)
            : allowed.Fault;
    }

    /// <summary>The same on a given machine, of which this process may use some cores.</summary>
    public static Result<ApplianceConfiguration> Complete(
        ConfigurationValues values,
        CpuTopology topology,
        IReadOnlyList<int> allowed,
        ConfigurationContext? context = null)
    {
        context ??= ConfigurationContext.Own;
        string state = context.FullPath(values.StateDirectory ?? StateDirectoryDefault);
        Redundancy redundancy = values.Redundancy ?? Redundancy.Default;
        IReadOnlyList<string> devices = values.Devices
            ?? [.. Enumerable.Range(0, redundancy.TotalShards)
                .Select(i => Path.Combine(state, "devices", $"{i:00}"))];
        if (devices.Count < redundancy.TotalShards || devices.Count > Limits.DevicesMax)
        {
            return Fault.InvalidParameter(
                "devices",
                $"redundancy {redundancy} needs {redundancy.TotalShards} devices, "
                    + $"there are {devices.Count} (at most {Limits.DevicesMax})",
                "name more devices or choose a smaller redundancy");
        }

        Result<IReadOnlyList<StartClass>> classes = CompleteClasses(
            values, redundancy, devices.Count);
        if (!classes.IsOk)
        {
            return classes.Fault;
        }

        Result<CorePlan> cores = CorePlan.Make(topology, allowed, RequestsOf(values));
        if (!cores.IsOk)
        {
            return cores.Fault;
        }

        Result<UserAccount?> user = ChooseUser(values.User, context);
        if (!user.IsOk)
        {
            return user.Fault;
        }

        return new ApplianceConfiguration
        {
            StateDirectory = state,
            SocketPath = context.FullPath(values.SocketPath ?? ControlAddress.Default),
            User = user.Value,
            Devices = devices,
            DevicePlaces = [.. (values.DevicePlaces ?? []).Select(context.FullPath)],
            CreatesDevices = values.Devices is null,
            Redundancy = redundancy,
            StripeBytes = values.StripeBytes ?? Limits.StripeBytesDefault,
            Compression = values.Compression ?? "balanced",
            Classes = classes.Value,
            Settings = (values.Settings ?? new StorageSettingsValues()).Complete(),
            Firewall = values.Firewall,
            Cores = cores.Value,
            StorageThreads = values.StorageThreads
                ?? ThreadsFor(cores.Value.MaskOf(WorkerRole.Storage).Count),
            DeathsPerMinuteMax = values.DeathsPerMinuteMax ?? DeathsPerMinuteDefault,
            StallSecondsMax = values.StallSecondsMax ?? StallSecondsDefault,
            StorageStandby = values.StorageStandby ?? true,
        };
    }

    /// <summary>
    /// Storage has cores without being asked; the other roles have no workers yet.
    /// </summary>
    private static Dictionary<WorkerRole, CoreRequest> RequestsOf(ConfigurationValues values)
    {
        var requests = new Dictionary<WorkerRole, CoreRequest>
        {
            [WorkerRole.Storage] = values.StorageCores ?? new CoreRequest(null, "default"),
        };
        if (values.RelayCores is { } relay)
        {
            requests[WorkerRole.Relay] = relay;
        }

        if (values.GatewayCores is { } gateway)
        {
            requests[WorkerRole.Gateway] = gateway;
        }

        return requests;
    }

    private static int ThreadsFor(int cores) =>
        cores == 1 ? 0 : Math.Clamp(cores - 1, ThreadsDefaultMin, ThreadsDefaultMax);

    private static Result<IReadOnlyList<StartClass>> CompleteClasses(
        ConfigurationValues values, Redundancy defaultRedundancy, int devices)
    {
        var classes = new List<StartClass>();
        foreach (ObjectClassValues each in values.Classes ?? [])
        {
            Redundancy redundancy = each.Redundancy ?? defaultRedundancy;
            if (redundancy.TotalShards > devices)
            {
                return Fault.InvalidParameter(
                    "classes",
                    $"class {each.Name} with {redundancy} needs {redundancy.TotalShards} devices, "
                        + $"there are {devices}",
                    "name more devices or choose a smaller redundancy");
            }

            classes.Add(new StartClass
            {
                Name = each.Name,
                Redundancy = RedundancyRecord.From(redundancy),
                StripeBytes = each.StripeBytes
                    ?? values.StripeBytes ?? Limits.StripeBytesDefault,
                Compression = each.Compression ?? values.Compression ?? "balanced",
            });
        }

        return classes;
    }

    private static Result<UserAccount?> ChooseUser(
        string? name, ConfigurationContext context)
    {
        if (!context.StartedByRoot)
        {
            // Only root can become someone else; naming oneself is harmless.
            return name is null || (UserAccount.Find(name) is { IsOk: true } same
                && same.Value.Uid == UserAccount.Current.Uid)
                ? (UserAccount?)null
                : new Fault(
                    FaultCode.Denied,
                    $"only root can run workers as {name}",
                    "start as root, or leave the user out to run as yourself",
                    "user");
        }

        Result<UserAccount> found = UserAccount.Find(name ?? UserDefault);
        if (!found.IsOk && name is null)
        {
            found = UserAccount.Find(UserWithoutAccount);
        }

        return found.IsOk ? found.Value : found.Fault;
    }
}
