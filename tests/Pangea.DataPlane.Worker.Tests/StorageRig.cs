using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;
using Pangea.DataPlane.Storage;
using ObjectEntry = Pangea.DataPlane.Catalog.ObjectEntry;

namespace Pangea.DataPlane.Worker.Tests;

/// <summary>
/// A storage worker without its process: real device directories, a real loop on a thread of its
/// own, and everything between, so that a test can stop it at any operation and look at what is
/// left.
/// </summary>
internal sealed class StorageRig : IDisposable
{
    private readonly StorageRigOptions _options;
    private readonly BufferPool _pool;
    private readonly IReactor _reactor;
    private readonly Thread _loop;

    public StorageRig(StorageRigOptions options)
    {
        _options = options;
        Dictionary<string, ObjectClass> classes = new(options.Classes, StringComparer.Ordinal)
        {
            [ObjectClass.DefaultName] = ClassOf(options.Redundancy, options.StripeBytes),
        };
        SlabPlan slabs = SlabPlan.For(classes.Values.Select(kind => kind.Geometry));
        _pool = BufferPool.Create(slabs.Classes([new SlabClass(
            DeviceLog.SlabBytes,
            DeviceLog.SlabsPerDevice
                * (options.DevicePaths.Length + StorageRigOptions.DevicesAddedMax))])).Value;
        IReactor inner = Reactors.Create(
            _pool, new ReactorOptions { Choice = options.Reactor }).Value;
        _reactor = new FaultInjectingReactor(
            inner, call => options.Plan?.Invoke(call) ?? InjectedFault.None);
        _loop = new Thread(_reactor.Run) { IsBackground = true };
        var devices = options.DevicePaths.Select((path, index) => StorageDevice.Open(
            index,
            path,
            Directory.Exists(path) ? DirectoryFd.Open(path).Value.Fd : null,
            options.StateId,
            _reactor,
            _pool,
            mayFormat: options.MayFormat,
            options: options.Log));
        Service = new StorageService(new StorageParts
        {
            Reactor = _reactor,
            Pool = _pool,
            Devices = new DeviceSet(devices),
            Catalog = ObjectCatalog.Open(options.CatalogPath).Value,
            Keys = KeyRing.Parse(options.KeyText).Value,
            Threads = ComputeThreads.Start(options.ComputeThreads).Value,
            Classes = classes,
            Slabs = slabs,
            Settings = options.Settings,
        });
        _loop.Start();
        RecoveryReport report = OnLoop(async () => await ObjectRecovery.RunAsync(Service)).Value;
        Remarks = report.Remarks;
        EntriesReplayed = report.Entries;
    }

    public StorageService Service { get; }

    public static ObjectClass ClassOf(
        Redundancy redundancy, int stripeBytes, CompressionMode mode = CompressionMode.Balanced) =>
        new(StripeGeometry.Create(redundancy, stripeBytes, LogFormat.BlockBytes).Value, mode);

    /// <summary>What recovery said at the start.</summary>
    public IReadOnlyList<string> Remarks { get; }

    /// <summary>Log entries that it read.</summary>
    public long EntriesReplayed { get; }

    public Result<ObjectPutResult> Put(
        string name, byte[] content, bool noClobber = false, long? announced = null,
        string? kind = null, long? ttlSeconds = null)
    {
        string path = Path.Combine(_options.Scratch, Guid.NewGuid().ToString("n"));
        File.WriteAllBytes(path, content);
        using OwnedFd file = Files.Open(path, OpenFlags.Read).Value;
        Result<ObjectPutResult> result = PutDescriptor(
            name, file, noClobber, announced, kind: kind, ttlSeconds: ttlSeconds);
        File.Delete(path);
        return result;
    }

    public Result<ObjectPutResult> PutDescriptor(
        string name, OwnedFd file, bool noClobber = false, long? announced = null,
        TransferWatch? watch = null, string? kind = null, long? ttlSeconds = null) =>
        OnLoop(async () => await PutOnLoopAsync(
            name, file, noClobber, announced, watch, kind, ttlSeconds));

    /// <summary>For many at once, from the loop's thread.</summary>
    public async Task<Result<ObjectPutResult>> PutOnLoopAsync(
        string name, OwnedFd file, bool noClobber = false, long? announced = null,
        TransferWatch? watch = null, string? kind = null, long? ttlSeconds = null)
    {
        Result<CallerFile> source = CallerFile.ForReading(file, _reactor);
        if (!source.IsOk)
        {
            return source.Fault;
        }

        using var own = new TransferWatch(null);
        return await ObjectPut.RunAsync(
            Service,
            new ObjectPutParameters
            {
                Name = name,
                NoClobber = noClobber,
                Bytes = announced,
                Class = kind,
                TtlSeconds = ttlSeconds,
            },
            source.Value,
            watch ?? own);
    }

    public (Result<ObjectGetResult> Result, byte[] Content) Get(
        string name, long? offset = null, long? length = null)
    {
        string path = Path.Combine(_options.Scratch, Guid.NewGuid().ToString("n"));
        using OwnedFd file = Files.Open(path, OpenFlags.Write | OpenFlags.Create).Value;
        Result<ObjectGetResult> result = GetDescriptor(name, file, offset, length);
        byte[] content = File.ReadAllBytes(path);
        File.Delete(path);
        return (result, content);
    }

    public Result<ObjectGetResult> GetDescriptor(
        string name, OwnedFd file, long? offset = null, long? length = null) => OnLoop(async () =>
    {
        Result<CallerFile> target = CallerFile.ForWriting(file, _reactor);
        if (!target.IsOk)
        {
            return target.Fault;
        }

        using var watch = new TransferWatch(null);
        return await ObjectGet.RunAsync(
            Service,
            new ObjectGetParameters { Name = name, Offset = offset, Length = length },
            target.Value,
            watch);
    });

    public Result<ObjectEntry> Remove(string name) =>
        OnLoop(() => ObjectRemoval.RunAsync(Service, ObjectName.Parse(name).Value));

    public IReadOnlyList<string> Names() => OnLoop(() => ValueTask.FromResult(
        Service.Catalog.List("", null, Limits.ListPageMax, out _).ConvertAll(
            entry => entry.Name.Text)));

    /// <summary>Slabs that are not those of the device logs.</summary>
    public int LeasedSlabs => OnLoop(async () =>
    {
        await SettleAsync();
        return _pool.LeasedCount - (DeviceLog.SlabsPerDevice
            * Service.Devices.All.Count(device => device.Log is not null));
    });

    /// <summary>Bytes of all logs that objects need, once garbage was counted.</summary>
    public long LiveBytes => OnLoop(async () =>
    {
        await SettleAsync();
        return Service.Devices.All.Sum(device => device.Log?.LiveBytes ?? 0);
    });

    public Result Checkpoint() => OnLoop(
        async () => await Service.Checkpoints.RunOnceAsync());

    public T OnLoop<T>(Func<ValueTask<T>> run)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        _reactor.Post(async () =>
        {
            try
            {
                done.SetResult(await run());
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        });
        Assert.True(done.Task.Wait(TimeSpan.FromSeconds(60)), "the loop did not answer");
        return done.Task.Result;
    }

    /// <summary>Until garbage is counted.</summary>
    private async ValueTask SettleAsync()
    {
        while (Service.Garbage.IsRunning)
        {
            await _reactor.DelayAsync(TimeSpan.FromMilliseconds(1));
        }
    }

    public void Dispose()
    {
        _reactor.Post(Service.StopBackground);
        _reactor.Stop();
        _loop.Join();
        Service.Dispose();
        _reactor.Dispose();
        _pool.Dispose();
    }
}

/// <summary>
/// What outlives a rig: directories, key and geometry, so that a second rig continues on them.
/// </summary>
internal sealed class StorageRigOptions : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("pangea-rig-");

    public StorageRigOptions(
        ReactorChoice reactor = ReactorChoice.Probe, int dataShards = 8, int parityShards = 4,
        int spareDevices = 0)
    {
        Reactor = reactor;
        Redundancy = new Redundancy(dataShards, parityShards);
        Scratch = _root.CreateSubdirectory("scratch").FullName;
        CatalogPath = _root.CreateSubdirectory("catalog").FullName;
        DevicePaths = Enumerable.Range(0, Redundancy.TotalShards + spareDevices)
            .Select(i => _root.CreateSubdirectory($"devices/{i:00}").FullName).ToArray();
    }

    /// <summary>Devices that may be added while a rig runs.</summary>
    public const int DevicesAddedMax = 4;

    public ReactorChoice Reactor { get; init; }

    public Redundancy Redundancy { get; }

    public int StripeBytes { get; init; } = 64 * 1024;

    public int ComputeThreads { get; init; }

    public bool MayFormat { get; set; } = true;

    /// <summary>Object classes beside the default one.</summary>
    public Dictionary<string, ObjectClass> Classes { get; init; } = [];

    public string StateId { get; } = "rig";

    public string KeyText { get; set; } = KeyRing.Of(MasterKey.Generate()).FormatSecrets();

    public string[] DevicePaths { get; }

    public string Scratch { get; }

    /// <summary>Which operations fail; null for none.</summary>
    public Func<ReactorCall, InjectedFault>? Plan { get; set; }

    /// <summary>Bounds of the devices' logs.</summary>
    public DeviceLogOptions Log { get; init; } = new() { SegmentBytesFirst = 1024 * 1024 };

    public WorkerSettings Settings { get; init; } = new();

    public string CatalogPath { get; }

    /// <summary>Which device a descriptor belongs to; -1 for none.</summary>
    public int DeviceOf(OwnedFd file)
    {
        string target = File.ResolveLinkTarget($"/proc/self/fd/{file.Number}", false)!.FullName;
        return Array.FindIndex(
            DevicePaths, path => target.StartsWith(path + "/", StringComparison.Ordinal));
    }

    /// <summary>All segment files of one device, oldest first.</summary>
    public string[] SegmentsOf(int device) =>
        [.. Directory.GetFiles(Path.Combine(DevicePaths[device], "segments")).Order()];

    /// <summary>Destroys what a device holds, directory included.</summary>
    public void Destroy(int device)
    {
        Directory.Delete(DevicePaths[device], recursive: true);
        Thread.Sleep(20); // The worker looks whether its devices are there every 10 ms.
    }

    /// <summary>Throws the catalog away, as if its disk were lost.</summary>
    public void LoseCatalog()
    {
        Directory.Delete(CatalogPath, recursive: true);
        Directory.CreateDirectory(CatalogPath);
    }

    public void Dispose() => _root.Delete(recursive: true);
}
