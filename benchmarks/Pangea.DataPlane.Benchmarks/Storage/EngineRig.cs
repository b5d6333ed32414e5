using System.Text.Json;
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;
using Pangea.DataPlane.Storage;
using Pangea.DataPlane.Worker;

namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>
/// The storage service of a worker as the worker builds it: 8+4 on twelve device directories, a
/// catalog, a loop on a pinned thread. Without process, socket and supervisor, which other areas
/// measure. What it stores lies as in an appliance's state directory, which can go on with it.
/// </summary>
internal sealed class EngineRig : IDisposable
{
    private const int Core = 1;
    private readonly string _stateId;
    private readonly BufferPool _pool;
    private readonly IReactor _reactor;
    private readonly Thread _loop;

    /// <summary>Opens what is in the folder, or makes it; recovery has run afterwards.</summary>
    internal EngineRig(string folder)
    {
        Directory.CreateDirectory(folder);
        string keyFile = Path.Combine(
            Directory.CreateDirectory(Path.Combine(folder, "keys")).FullName, "master.key");
        string stateFile = Path.Combine(folder, "state.json");
        if (!File.Exists(stateFile))
        {
            File.WriteAllText(keyFile, KeyRing.Of(MasterKey.Generate()).FormatSecrets());
            File.WriteAllText(
                stateFile, $$"""{"version":1,"id":"{{ObjectId.New()}}","created":"bench"}""");
        }

        using (JsonDocument state = JsonDocument.Parse(File.ReadAllBytes(stateFile)))
        {
            _stateId = state.RootElement.GetProperty("id").GetString()!;
        }

        var redundancy = new Redundancy(8, 4);
        Dictionary<string, ObjectClass> classes = new(StringComparer.Ordinal)
        {
            [ObjectClass.DefaultName] = new ObjectClass(
                RingThread.Must(StripeGeometry.Create(
                    redundancy, Limits.StripeBytesDefault, LogFormat.BlockBytes)),
                CompressionMode.Balanced),
        };
        SlabPlan slabs = SlabPlan.For(classes.Values.Select(kind => kind.Geometry));
        _pool = RingThread.Must(BufferPool.Create(slabs.Classes([new SlabClass(
            DeviceLog.SlabBytes, DeviceLog.SlabsPerDevice * redundancy.TotalShards)])));
        _reactor = RingThread.Must(Reactors.Create(
            _pool, new ReactorOptions { RegisterBytesMax = SlabPlan.RegisteredBytesMax }));
        _loop = new Thread(() =>
        {
            CoreAffinity.Set(Core);
            _reactor.Run();
        })
        {
            IsBackground = true,
        };
        string catalog = Directory.CreateDirectory(Path.Combine(folder, "catalog")).FullName;
        Service = new StorageService(new StorageParts
        {
            Reactor = _reactor,
            Pool = _pool,
            Devices = new DeviceSet(Enumerable.Range(0, redundancy.TotalShards).Select(
                index => OpenDevice(folder, index))),
            Catalog = RingThread.Must(ObjectCatalog.Open(catalog)),
            Keys = RingThread.Must(KeyRing.Parse(File.ReadAllText(keyFile))),
            Threads = RingThread.Must(ComputeThreads.Start(0)),
            Classes = classes,
            Slabs = slabs,
        });
        _loop.Start();
        OnLoop(async () =>
        {
            RecoveryReport report = RingThread.Must(await ObjectRecovery.RunAsync(Service));
            EntriesReplayed = report.Entries;
            Service.StartBackground();
            return true;
        });
    }

    internal StorageService Service { get; }

    internal IReactor Reactor => _reactor;

    /// <summary>Log entries that recovery had to read.</summary>
    internal long EntriesReplayed { get; private set; }

    /// <summary>Runs on the loop and waits for the result.</summary>
    internal T OnLoop<T>(Func<Task<T>> run)
    {
        TaskCompletionSource<T> done = new(TaskCreationOptions.RunContinuationsAsynchronously);
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
        return done.Task.GetAwaiter().GetResult();
    }

    public void Dispose()
    {
        OnLoop(() =>
        {
            Service.StopBackground();
            return Task.FromResult(true);
        });
        _reactor.Stop();
        _loop.Join();
        Service.Dispose();
        _reactor.Dispose();
        _pool.Dispose();
    }

    private StorageDevice OpenDevice(string folder, int index)
    {
        string path = Directory.CreateDirectory(
            Path.Combine(folder, "devices", $"{index:00}")).FullName;
        OwnedFd root = RingThread.Must(
            Files.Open(path, OpenFlags.Read | OpenFlags.Directory));
        return StorageDevice.Open(
            index, path, root, _stateId, _reactor, _pool, mayFormat: true);
    }
}
