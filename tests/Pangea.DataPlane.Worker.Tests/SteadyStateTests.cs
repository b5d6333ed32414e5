using System.Collections.Immutable;
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Storage;
using ObjectEntry = Pangea.DataPlane.Catalog.ObjectEntry;

namespace Pangea.DataPlane.Worker.Tests;

/// <summary>
/// Goal: in steady state a small put allocates what the catalog keeps of the object, and a small
/// get nothing. Method: the managed bytes of the loop's thread around many operations, of which as
/// many as a worker allows are under way at once.
/// </summary>
public sealed class SteadyStateTests
{
    private const int AtOnce = 64;
    private const int Rounds = 8;
    private const int ObjectBytes = 4096;

    /// <summary>
    /// The BCL's AEAD cannot be given another key: its object and its handle are new for each
    /// object's key, 56 bytes. The rest is room for what happens now and then.
    /// </summary>
    private const double BytesOfOperationMax = 80;

    [Fact]
    public void A_small_put_allocates_what_the_catalog_keeps_and_a_small_get_nothing()
    {
        using var options = new StorageRigOptions();
        using var rig = new StorageRig(options);
        using OwnedFd content = Content();
        (double put, double get) = rig.OnLoop(async () =>
        {
            var load = new Load(rig, content);
            for (int round = 0; round < Rounds; round++)
            {
                _ = await load.PutAsync();
                _ = await load.GetAsync();
            }

            double puts = double.MaxValue;
            double gets = double.MaxValue;
            for (int round = 0; round < Rounds; round++)
            {
                // The least of several: growing tables and the jit are not of the steady state.
                puts = Math.Min(puts, await load.PutAsync());
                gets = Math.Min(gets, await load.GetAsync());
            }

            return (puts, gets);
        });
        double kept = BytesOfEntry(options.Redundancy.TotalShards);
        Assert.True(
            put - kept <= BytesOfOperationMax,
            $"a put allocates {put} bytes, {kept} of them for the catalog");
        Assert.True(get <= BytesOfOperationMax, $"a get allocates {get} bytes");
        Assert.True(put >= kept, "the catalog's entry was not counted");
    }

    /// <summary>What one entry of the catalog takes on the heap, its name not counted.</summary>
    private static double BytesOfEntry(int locations)
    {
        ObjectName name = ObjectName.Parse("name").Value;
        var kept = new ObjectEntry?[100];
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < kept.Length; i++)
        {
            kept[i] = new ObjectEntry(
                name, ObjectId.New(), 1, 1, 1, 8, 4, 0, 0, default,
                ImmutableArray.Create(new ShardLocation[locations]));
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        GC.KeepAlive(kept);

        // The array that is copied into each entry was allocated as well.
        long array = 24 + (16L * locations);
        return (allocated / (double)kept.Length) - array;
    }

    private static OwnedFd Content()
    {
        OwnedFd file = Files.CreateMemoryFile("content").Value;
        byte[] bytes = new byte[ObjectBytes];
        new Random(1).NextBytes(bytes);
        Assert.True(Files.WriteAt(file, bytes, 0).IsOk);
        return file;
    }

    /// <summary>So many puts or gets at once, over the same names again and again.</summary>
    private sealed class Load(StorageRig rig, OwnedFd content)
    {
        private readonly ObjectPutParameters[] _puts = [.. Enumerable.Range(0, AtOnce)
            .Select(i => new ObjectPutParameters { Name = $"folder/object {i}.dat" })];

        private readonly ObjectGetParameters[] _gets = [.. Enumerable.Range(0, AtOnce)
            .Select(i => new ObjectGetParameters { Name = $"folder/object {i}.dat" })];

        private readonly TransferWatch[] _watches =
            [.. Enumerable.Range(0, AtOnce).Select(_ => new TransferWatch(null))];

        private readonly CallerFile[] _files = new CallerFile[AtOnce];
        private readonly ValueTask<Result<PutOutcome>>[] _putting =
            new ValueTask<Result<PutOutcome>>[AtOnce];

        private readonly ValueTask<Result<GetOutcome>>[] _getting =
            new ValueTask<Result<GetOutcome>>[AtOnce];

        /// <summary>Bytes per put.</summary>
        public async ValueTask<double> PutAsync()
        {
            OpenFiles();
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < AtOnce; i++)
            {
                _putting[i] = ObjectPut.StartAsync(rig.Service, _puts[i], _files[i], _watches[i]);
            }

            for (int i = 0; i < AtOnce; i++)
            {
                Result<PutOutcome> put = await _putting[i];
                Assert.True(put.IsOk, put.Fault?.Message);
            }

            return Allocated(before);
        }

        /// <summary>Bytes per get.</summary>
        public async ValueTask<double> GetAsync()
        {
            OpenFiles();
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < AtOnce; i++)
            {
                _getting[i] = ObjectGet.StartAsync(rig.Service, _gets[i], _files[i], _watches[i]);
            }

            for (int i = 0; i < AtOnce; i++)
            {
                Result<GetOutcome> get = await _getting[i];
                Assert.True(get.IsOk, get.Fault?.Message);
            }

            return Allocated(before);
        }

        private double Allocated(long before)
        {
            double bytes = GC.GetAllocatedBytesForCurrentThread() - before;
            foreach (CallerFile file in _files)
            {
                file.Dispose();
            }

            return bytes / AtOnce;
        }

        private void OpenFiles()
        {
            for (int i = 0; i < AtOnce; i++)
            {
                Assert.True(_watches[i].TryReset(null));
                OwnedFd file = Files.Duplicate(content).Value;
                Assert.True(Files.SetPosition(file, 0).IsOk);
                _files[i] = CallerFile.ForReading(file, rig.Service.Reactor).Value;
            }
        }
    }
}
