using System.Globalization;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Worker.Tests;

/// <summary>
/// Goal: what a start after a crash reads depends on the last checkpoint, not on how many objects
/// there are; and all of them are there. Method: many small objects, a checkpoint, a few more, and
/// a service that ends without another word. Times are the benchmark's business; here bytes count.
/// </summary>
public sealed class ManyObjectsTests
{
    private const int Before = 2500;
    private const int After = 100;
    private const int AtOnce = 50;
    private const int ObjectBytes = 600;
    private static readonly byte[] s_content = PutGetTests.Mixed(ObjectBytes);

    [Fact]
    public void A_start_reads_the_log_since_the_checkpoint_only()
    {
        using var options = new StorageRigOptions();
        using (var rig = new StorageRig(options))
        {
            PutAll(rig, 0, Before);
            Assert.True(rig.Checkpoint().IsOk);
            PutAll(rig, Before, After);
        }

        long bytes = 0;
        options.Plan = call =>
        {
            bytes += call.Kind == ReactorCallKind.Read && options.DeviceOf(call.File) >= 0
                ? call.Bytes
                : 0;
            return InjectedFault.None;
        };
        using (var rig = new StorageRig(options))
        {
            int devices = options.DevicePaths.Length;
            Assert.Equal(After * devices, rig.EntriesReplayed);

            // Since the checkpoint, and until 16 MiB had nothing: a segment's end is nearer here.
            long journals = Enumerable.Range(0, devices).Sum(device => new FileInfo(
                options.SegmentsOf(device).Last(path => path.EndsWith(
                    ".journal", StringComparison.Ordinal))).Length);
            Assert.InRange(bytes, After * devices * ObjectBytes / 8, journals + (devices << 20));
            options.Plan = null;
            CheckAll(rig);
        }

        // The same objects from the devices alone, and then everything is read.
        options.LoseCatalog();
        using var again = new StorageRig(options);
        Assert.Equal((Before + After) * options.DevicePaths.Length, again.EntriesReplayed);
        CheckAll(again);
    }

    private static void PutAll(StorageRig rig, int first, int count)
    {
        string path = Path.GetTempFileName();
        File.WriteAllBytes(path, s_content);
        for (int done = 0; done < count; done += AtOnce)
        {
            int from = first + done;
            OwnedFd[] files =
            [
                .. Enumerable.Range(0, AtOnce).Select(
                    _ => Files.Open(path, OpenFlags.Read).Value),
            ];
            rig.OnLoop(async () =>
            {
                Task<Result<ObjectPutResult>>[] puts =
                    [.. files.Select((file, i) => rig.PutOnLoopAsync(Name(from + i), file))];
                foreach (Task<Result<ObjectPutResult>> put in puts)
                {
                    Result<ObjectPutResult> stored = await put;
                    Assert.True(stored.IsOk, stored.Fault?.ToString());
                }

                return true;
            });
            Array.ForEach(files, file => file.Dispose());
        }

        File.Delete(path);
    }

    private static void CheckAll(StorageRig rig)
    {
        Assert.Equal(Before + After, rig.OnLoop(() => ValueTask.FromResult(
            rig.Service.Catalog.Count)));
        for (int number = 0; number < Before + After; number += 13)
        {
            (Result<ObjectGetResult> got, byte[] content) = rig.Get(Name(number));
            Assert.True(got.IsOk, got.Fault?.ToString());
            Assert.Equal(s_content, content);
        }
    }

    private static string Name(int number) =>
        number.ToString("'o/'00000", CultureInfo.InvariantCulture);
}
