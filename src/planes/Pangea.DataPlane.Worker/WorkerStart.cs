using System.Security.Cryptography;
using System.Text;
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Erasure;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;
using Pangea.DataPlane.Storage;
using Pangea.DataPlane.Worker.Telemetry;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Turns the parameters and descriptors of <c>worker.start</c> into the parts of a storage worker.
/// Each descriptor is checked for what it is said to be before it is used.
/// </summary>
internal sealed class WorkerStart : IDisposable
{
    /// <summary>Devices that may be added while a worker runs.</summary>
    private const int DevicesAddedMax = 4;

    /// <summary>For measurements of what pinning brings.</summary>
    private const string PinningVariable = "PANGEA_PINNING";

    private static OwnedFd? s_catalogDirectory;

    private WorkerStart(
        BufferPool pool, IReactor reactor, StorageService service, WorkerStartParameters start)
    {
        StorageSettings settings = start.Storage ?? StorageSettings.Default;
        Pool = pool;
        Reactor = reactor;
        Service = service;
        Healing = new Healing(service, settings.Heal, settings.Scrub);
        Changes = new DeviceChanges(Healing, new DeviceTerms(start.StateId, LogOptions(start)));
        service.Heal = Healing;
    }

    public BufferPool Pool { get; }

    public IReactor Reactor { get; }

    public StorageService Service { get; }

    public Healing Healing { get; }

    public DeviceChanges Changes { get; }

    /// <summary>Null where the supervisor wants to know nothing.</summary>
    public WorkerTelemetry? Telemetry { get; private init; }

    public static Result<WorkerStart> Prepare(RpcMessage call, DescriptorSet descriptors)
    {
        Result<WorkerStartParameters> read = ReadCall(call);
        read = read.IsOk && DescriptorManifest.Check(read.Value.Manifest, descriptors) is { } unlike
            ? unlike
            : read;
        if (!read.IsOk)
        {
            return read.Fault;
        }

        WorkerStartParameters start = read.Value;
        Result<Dictionary<string, ObjectClass>> classes = ReadClasses(start);
        Result<SlabPlan> slabs = classes.IsOk ? PlanSlabs(start, classes.Value) : classes.Fault;
        Result<KeyRing> keys =
            slabs.IsOk ? ReadKeys(start.Keys, descriptors) : slabs.Fault;
        Result<ComputeThreads> threads =
            keys.IsOk ? ComputeThreads.Start(start.Threads ?? 0) : keys.Fault;
        if (!threads.IsOk)
        {
            return threads.Fault;
        }

        if (start.Core is { } core && !IsPinningOff)
        {
            _ = CoreAffinity.Set(core); // Where it is refused, the jail's mask still holds.
        }

        Result<BufferPool> pool = CreatePool(slabs.Value, start.Devices.Count);
        if (!pool.IsOk)
        {
            return pool.Fault;
        }

        Result<IReactor> reactor = Reactors.Create(
            pool.Value, new ReactorOptions { RegisterBytesMax = SlabPlan.RegisteredBytesMax });
        if (!reactor.IsOk)
        {
            return reactor.Fault;
        }

        Result<ObjectCatalog> catalog = OpenCatalog(start, descriptors);
        if (!catalog.IsOk)
        {
            return catalog.Fault;
        }

        StorageSettings settings = start.Storage ?? StorageSettings.Default;
        var service = new StorageService(new StorageParts
        {
            Reactor = reactor.Value,
            Pool = pool.Value,
            Devices = OpenDevices(start, descriptors, reactor.Value, pool.Value),
            Catalog = catalog.Value,
            Keys = keys.Value,
            Threads = threads.Value,
            Classes = classes.Value,
            Slabs = slabs.Value,
            Settings = new WorkerSettings
            {
                IsDurableOnAll = settings.Durability == "all",
                CheckpointEvery = TimeSpan.FromSeconds(settings.CheckpointSeconds),
                CompactionBytesPerSecond = settings.Compaction.BytesPerSecond,
            },
        });
        return new WorkerStart(pool.Value, reactor.Value, service, start)
        {
            Telemetry = WorkerTelemetry.Open(start.Stats, descriptors),
        };
    }

    private static bool IsPinningOff =>
        Environment.GetEnvironmentVariable(PinningVariable) == "off";

    private static Result<WorkerStartParameters> ReadCall(RpcMessage call)
    {
        if (call.Method != WorkerMethods.Start.Name)
        {
            return new Fault(
                FaultCode.BadState,
                $"a new worker knows {WorkerMethods.Start.Name} only, not {call.Method}",
                "start it first");
        }

        // Asked for here, where a name that this CPU cannot serve is a fault and not a crash.
        string? forced = Environment.GetEnvironmentVariable(ErasureKernels.Variable);
        return ErasureKernels.TrySelect(forced, out _, out string? error)
            ? RpcParameters.Read(WorkerMethods.Start, call)
            : new Fault(
                FaultCode.Unsupported,
                error!, $"unset {ErasureKernels.Variable} or choose another");
    }

    private static Result<BufferPool> CreatePool(SlabPlan slabs, int devices) =>
        BufferPool.Create(
            slabs.Classes(
                [new SlabClass(DeviceLog.SlabBytes, LogSlabs(devices), TryHugePages: false)]),
            BufferPoolOptions.FromEnvironment());

    /// <summary>
    /// Slabs of the device logs: those configured, and some that are added while this runs.
    /// </summary>
    private static int LogSlabs(int devices) =>
        DeviceLog.SlabsPerDevice * Math.Min(devices + DevicesAddedMax, Limits.DevicesMax);

    private static Result<ObjectCatalog> OpenCatalog(
        WorkerStartParameters start, DescriptorSet descriptors)
    {
        if (start.Catalog is not { } given)
        {
            return Fault.InvalidParameter("catalog", "a storage worker needs its directory");
        }

        Result<OwnedFd> directory = descriptors.Take(given.Descriptor);
        if (!directory.IsOk)
        {
            return directory.Fault;
        }

        // The library opens files by path; this one leads to the descriptor and nowhere else. It is
        // opened again after some faults, so the descriptor stays for the life of the process.
        OwnedFd kept = s_catalogDirectory = directory.Value;
        return ObjectCatalog.Open($"/proc/self/fd/{kept.Number}");
    }

    public WorkerStartResult Describe(IReadOnlyList<string> remarks) => new()
    {
        Pid = Environment.ProcessId,
        Ring = Reactor.Kind,
        RingReason = Reactor.Reason,
        Buffers = Pool.Describe(),
        ErasureKernel = ErasureKernels.Name(ErasureKernels.Active),
        ErasureKernelReason = ErasureKernels.ActiveReason,
        DevicesInUse =
            [.. Service.Devices.All.Where(device => device.IsOpen).Select(device => device.Path)],
        Remarks = remarks,
        Landlock = Isolation.WorkerIsolation.IsBehindLandlock(),
    };

    public void Dispose()
    {
        Service.Dispose();
        Reactor.Dispose();
        Pool.Dispose();
    }

    private static Result<Dictionary<string, ObjectClass>> ReadClasses(WorkerStartParameters start)
    {
        var classes = new Dictionary<string, ObjectClass>(StringComparer.Ordinal);
        var defaults = new StartClass
        {
            Name = ObjectClass.DefaultName,
            Redundancy = start.Redundancy,
            StripeBytes = start.StripeBytes,
            Compression = start.Compression,
        };
        foreach (StartClass each in (start.Classes ?? []).Prepend(defaults))
        {
            Result<ObjectClass> kind = ReadClass(each, start.Devices.Count);
            if (!kind.IsOk)
            {
                return kind.Fault;
            }

            if (!classes.TryAdd(each.Name, kind.Value))
            {
                return Fault.InvalidParameter("classes", $"class \"{each.Name}\" is named twice");
            }
        }

        return classes;
    }

    /// <summary>Room for objects of whichever class or earlier geometry needs most.</summary>
    private static Result<SlabPlan> PlanSlabs(
        WorkerStartParameters start, Dictionary<string, ObjectClass> classes)
    {
        var geometries = classes.Values.Select(kind => kind.Geometry).ToList();
        foreach (StartGeometry earlier in start.EarlierGeometries ?? [])
        {
            Result<StripeGeometry> geometry = GeometryOf(earlier.Redundancy, earlier.StripeBytes);
            if (!geometry.IsOk)
            {
                return geometry.Fault;
            }

            geometries.Add(geometry.Value);
        }

        return SlabPlan.For(geometries);
    }

    private static Result<StripeGeometry> GeometryOf(RedundancyRecord record, int stripeBytes)
    {
        Result<Redundancy> redundancy = Redundancy.Create(record.DataShards, record.ParityShards);
        return redundancy.IsOk
            ? StripeGeometry.Create(redundancy.Value, stripeBytes, LogFormat.BlockBytes)
            : redundancy.Fault;
    }

    private static Result<ObjectClass> ReadClass(StartClass start, int devices)
    {
        Result<StripeGeometry> geometry = GeometryOf(start.Redundancy, start.StripeBytes);
        if (!geometry.IsOk)
        {
            return geometry.Fault;
        }

        Redundancy redundancy = geometry.Value.Redundancy;
        if (devices < redundancy.TotalShards || devices > Limits.DevicesMax)
        {
            return Fault.InvalidParameter(
                "devices",
                $"class \"{start.Name}\" with {redundancy} needs {redundancy.TotalShards} devices "
                    + $"at least, and {Limits.DevicesMax} are possible; {devices} are configured",
                "add devices or choose a smaller redundancy");
        }

        Result<CompressionMode> compression = CompressionPolicy.Parse(start.Compression);
        return compression.IsOk
            ? new ObjectClass(geometry.Value, compression.Value)
            : compression.Fault;
    }

    /// <summary>Reads the one key file that came with a call.</summary>
    public static Result<KeyRing> ReadKeys(
        IReadOnlyList<StartKey> files, DescriptorSet descriptors)
    {
        if (files.Count != 1)
        {
            return Fault.InvalidParameter("keys", $"one key file is needed, {files.Count} came");
        }

        Result<OwnedFd> descriptor = DescriptorManifest.Take(
            descriptors, files[0].Descriptor, "master key", DescriptorKind.File);
        if (!descriptor.IsOk)
        {
            return descriptor.Fault;
        }

        using OwnedFd file = descriptor.Value;
        var bytes = new byte[KeyRing.TextBytesMax];
        SysResult read = Files.ReadAt(file, bytes, 0);
        if (!read.IsOk)
        {
            return read.Errno.ToFault("read the key file");
        }

        char[] text = Encoding.UTF8.GetChars(bytes, 0, (int)read.Value);
        Result<KeyRing> keys = KeyRing.Parse(text);
        CryptographicOperations.ZeroMemory(bytes);
        Array.Clear(text);
        return keys;
    }

    private static DeviceLogOptions LogOptions(WorkerStartParameters start) =>
        new() { SegmentBytesMax = start.Storage?.SegmentBytes };

    private static DeviceSet OpenDevices(
        WorkerStartParameters start, DescriptorSet descriptors, IReactor reactor,
        BufferPool pool)
    {
        var devices = new List<StorageDevice>(start.Devices.Count);
        foreach (StartDevice device in start.Devices)
        {
            Fault? fault = null;
            OwnedFd? root = null;
            if (device.Descriptor is { } index)
            {
                Result<OwnedFd> taken = descriptors.Take(index);
                root = taken.IsOk ? taken.Value : null;
                fault = taken.Fault;
            }

            StorageDevice opened = StorageDevice.Open(
                device.Index, device.Path, root, start.StateId, reactor, pool,
                fault?.Message ?? device.Reason, device.MayFormat, LogOptions(start));
            opened.IsDraining = device.Draining;
            devices.Add(opened);
        }

        return new DeviceSet(devices);
    }
}
