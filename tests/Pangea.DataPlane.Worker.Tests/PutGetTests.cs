using System.Security.Cryptography;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Worker.Tests;

/// <summary>
/// Goal: what goes in comes out, from any k devices, over both executors. Method: real files in
/// real directories, contents of every interesting length, devices taken away.
/// </summary>
public sealed class PutGetTests
{
    private const int StripeBytes = 64 * 1024;

    public static TheoryData<ReactorChoice> Executors => [ReactorChoice.Probe, ReactorChoice.Plain];

    public static TheoryData<ReactorChoice, int> ExecutorsAndThreads => new()
    {
        { ReactorChoice.Probe, 0 },
        { ReactorChoice.Probe, 2 },
        { ReactorChoice.Plain, 1 },
        { ReactorChoice.Probe, 4 }, // As many as slots but one,
        { ReactorChoice.Probe, 5 }, // as many as slots,
        { ReactorChoice.Probe, 16 }, // and more.
    };

    [Theory]
    [MemberData(nameof(ExecutorsAndThreads))]
    public void Every_length_comes_back_bit_for_bit(ReactorChoice executor, int threads)
    {
        using var options = new StorageRigOptions(executor) { ComputeThreads = threads };
        using var rig = new StorageRig(options);
        int[] lengths =
        [
            0, 1, 4095, 4096, 4097, StripeBytes - 1, StripeBytes, StripeBytes + 1,
            (5 * StripeBytes) - 1, 5 * StripeBytes, (9 * StripeBytes) + 777,
        ];
        foreach (int length in lengths)
        {
            byte[] content = Mixed(length);
            Result<ObjectPutResult> put = rig.Put($"object {length}", content);
            Assert.True(put.IsOk, put.Fault?.ToString());
            Assert.Equal(length, put.Value.Bytes);
            Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(content)), put.Value.Sha256);
            Assert.Equal((12, 12), (put.Value.DevicesCommitted, put.Value.DevicesTotal));

            (Result<ObjectGetResult> get, byte[] back) = rig.Get($"object {length}");
            Assert.True(get.IsOk, get.Fault?.ToString());
            Assert.True(content.AsSpan().SequenceEqual(back), $"length {length}");
            Assert.Equal((0L, 0L), (get.Value.StripesRepaired, get.Value.ShardsLost));
        }

        Assert.Equal(lengths.Length, rig.Names().Count);
        Assert.Equal(0, rig.LeasedSlabs);
    }

    [Theory]
    [MemberData(nameof(ExecutorsAndThreads))]
    public void Any_four_devices_may_be_lost_and_a_fifth_is_said(
        ReactorChoice executor, int threads)
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        using var options = new StorageRigOptions(executor) { ComputeThreads = threads };
        byte[] content = Mixed((7 * StripeBytes) + 5);
        using (var rig = new StorageRig(options))
        {
            Assert.True(rig.Put("a", content).IsOk);
            int[] lost = Enumerable.Range(0, 12).ToArray();
            random.Shuffle(lost);
            foreach (int device in lost.Take(4))
            {
                options.Destroy(device); // While the worker runs, as a pulled disk would be.
            }

            (Result<ObjectGetResult> get, byte[] back) = rig.Get("a");
            Assert.True(get.IsOk, $"{get.Fault} seed {seed}");
            Assert.True(content.AsSpan().SequenceEqual(back));
            Assert.True(get.Value.StripesRepaired > 0);

            options.Destroy(lost[4]);
            (get, back) = rig.Get("a");
            Assert.Equal(FaultCode.Unavailable, get.Fault!.Code);
            Assert.Contains(
                "needs 8 of 12 shards, has 7", get.Fault.Message, StringComparison.Ordinal);
            Assert.Empty(back);
        }

        // Found again after a restart, and said again.
        using var second = new StorageRig(options);
        Assert.Equal(["a"], second.Names());
        Assert.Equal(FaultCode.Unavailable, second.Get("a").Result.Fault!.Code);
    }

    [Fact]
    public void Flipped_bytes_on_four_devices_are_mended_and_counted()
    {
        using var options = new StorageRigOptions();
        using var rig = new StorageRig(options);
        byte[] content = Mixed(5 * StripeBytes);
        Assert.True(rig.Put("a", content).IsOk);
        foreach (string file in Enumerable.Range(0, 4).SelectMany(options.SegmentsOf))
        {
            using FileStream segment = File.Open(file, FileMode.Open);
            for (int at = 4096; at < segment.Length; at += 1000)
            {
                segment.Position = at;
                int flipped = segment.ReadByte() ^ 0x40;
                segment.Position = at;
                segment.WriteByte((byte)flipped);
            }
        }

        (Result<ObjectGetResult> get, byte[] back) = rig.Get("a");

        Assert.True(get.IsOk, get.Fault?.ToString());
        Assert.True(content.AsSpan().SequenceEqual(back));
        Assert.True(get.Value.ShardsLost > 0);
    }

    [Theory]
    [InlineData(20_000)] // packed into the commit entries
    [InlineData(100_000)] // frames
    public void One_forged_shard_that_only_the_authentication_notices_is_left_out(int length)
    {
        using var options = new StorageRigOptions();
        using var rig = new StorageRig(options);
        byte[] content = Mixed(length);
        Assert.True(rig.Put("a", content).IsOk);

        // Each device in turn forges its shard, whichever of them holds a data shard.
        for (int device = 0; device < 12; device++)
        {
            bool isForged = false;
            foreach (string file in options.SegmentsOf(device))
            {
                byte[] good = File.ReadAllBytes(file);
                byte[] forged = [.. good];
                if (!ForgedShard.FlipPayloadAndMendChecksums(forged))
                {
                    continue;
                }

                isForged = true;
                Overwrite(file, forged);
                (Result<ObjectGetResult> get, byte[] back) = rig.Get("a");
                Assert.True(get.IsOk, get.Fault?.ToString());
                Assert.Equal(content, back);
                Overwrite(file, good);
            }

            Assert.True(isForged, $"device {device} has no shard");
        }
    }

    /// <summary>In place: the worker has the file open.</summary>
    private static void Overwrite(string file, byte[] bytes)
    {
        using FileStream stream = File.Open(file, FileMode.Open);
        stream.Write(bytes);
    }

    [Fact]
    public void A_transfer_that_moves_nothing_is_ended_as_stalled()
    {
        using var options = new StorageRigOptions();
        using var rig = new StorageRig(options);
        using var watch = new TransferWatch(null);
        watch.CheckIdle(TimeSpan.Zero);
        Assert.False(
            watch.Token.IsCancellationRequested, "one that waits for its permit is not idle");

        watch.Start();
        watch.CheckIdle(TimeSpan.FromHours(1));
        Assert.False(watch.Token.IsCancellationRequested);
        watch.CheckIdle(TimeSpan.Zero);

        Assert.True(watch.Token.IsCancellationRequested);
        Assert.Equal(FaultCode.TimedOut, watch.Ending.Code);
        Assert.True(watch.EndingMs >= 0);
    }

    [Fact]
    public void A_put_replaces_and_gives_the_old_space_back()
    {
        using var options = new StorageRigOptions();
        byte[] second = Mixed(3 * StripeBytes);
        using (var rig = new StorageRig(options))
        {
            Assert.False(rig.Put("a", Mixed(9 * StripeBytes)).Value.Replaced);
            long before = rig.LiveBytes;
            Assert.True(rig.Put("a", second).Value.Replaced);
            Assert.InRange(rig.LiveBytes, 1, before - (5 * StripeBytes));
            Assert.Equal(second, rig.Get("a").Content);
        }

        using var again = new StorageRig(options);
        Assert.Equal(second, again.Get("a").Content);
    }

    [Fact]
    public void No_clobber_refuses_and_stores_nothing()
    {
        using var options = new StorageRigOptions();
        using var rig = new StorageRig(options);
        byte[] first = Mixed(100);
        Assert.True(rig.Put("a", first, noClobber: true).IsOk);
        long before = rig.LiveBytes;

        Result<ObjectPutResult> refused = rig.Put("a", Mixed(200), noClobber: true);

        Assert.Equal(FaultCode.Exists, refused.Fault!.Code);
        Assert.Equal(first, rig.Get("a").Content);
        Assert.Equal(before, rig.LiveBytes);
    }

    [Fact]
    public void A_source_of_another_length_than_announced_stores_nothing()
    {
        using var options = new StorageRigOptions();
        using var rig = new StorageRig(options);

        Result<ObjectPutResult> put = rig.Put("a", Mixed(100_000), announced: 100_001);

        Assert.Equal(FaultCode.BadDescriptor, put.Fault!.Code);
        Assert.Contains("100000", put.Fault.Message, StringComparison.Ordinal);
        Assert.Empty(rig.Names());
        Assert.Equal(0, rig.LiveBytes);
    }

    [Theory]
    [MemberData(nameof(Executors))]
    public async Task A_cancelled_put_from_a_pipe_that_hangs_leaves_nothing(ReactorChoice executor)
    {
        using var options = new StorageRigOptions(executor);
        using var rig = new StorageRig(options);
        (UnixSocket reading, UnixSocket writing) = UnixSocket.Pair().Value;
        writing.Send(Mixed(200_000), [], wait: true);
        using var watch = new TransferWatch(null);

        Task<Result<ObjectPutResult>> put = Task.Run(
            () => rig.PutDescriptor("a", reading.Fd, watch: watch));
        await Task.Delay(300);
        Assert.False(put.IsCompleted, "a put ended before its source did");
        Assert.True(rig.LiveBytes > 0, "its first stripe is on its way");
        rig.OnLoop(() =>
        {
            watch.Cancel();
            return ValueTask.FromResult(true);
        });

        Assert.Equal(FaultCode.Canceled, (await put).Fault!.Code);
        Assert.Empty(rig.Names());
        Assert.Equal(0, rig.LiveBytes);
        Assert.Equal(0, rig.LeasedSlabs);
        reading.Dispose();
        writing.Dispose();
    }

    [Fact]
    public void Starts_at_the_descriptors_position_and_leaves_it_at_the_end()
    {
        using var options = new StorageRigOptions();
        using var rig = new StorageRig(options);
        byte[] content = Mixed(100_000);
        string path = Path.Combine(options.Scratch, "in");
        File.WriteAllBytes(path, content);
        using OwnedFd source = Files.Open(path, OpenFlags.Read).Value;
        Files.SetPosition(source, 5000);

        Assert.True(rig.PutDescriptor("tail", source).IsOk);
        Assert.Equal(content.Length, Files.Position(source).Value);

        string outPath = Path.Combine(options.Scratch, "out");
        using OwnedFd target = Files.Open(outPath, OpenFlags.Write | OpenFlags.Create).Value;
        Assert.True(rig.GetDescriptor("tail", target).IsOk);
        Assert.True(rig.GetDescriptor("tail", target).IsOk);
        Assert.Equal([.. content[5000..], .. content[5000..]], File.ReadAllBytes(outPath));
    }

    [Fact]
    public void Refuses_descriptors_that_cannot_serve()
    {
        using var options = new StorageRigOptions();
        using var rig = new StorageRig(options);
        Assert.True(rig.Put("a", [1]).IsOk);
        string path = Path.Combine(options.Scratch, "file");
        File.WriteAllBytes(path, [1, 2, 3]);
        using OwnedFd directory = Files.Open(options.Scratch, OpenFlags.Read).Value;
        using OwnedFd readOnly = Files.Open(path, OpenFlags.Read).Value;
        using OwnedFd writeOnly = Files.Open(path, OpenFlags.Write).Value;

        Assert.Equal(FaultCode.BadDescriptor, rig.PutDescriptor("b", directory).Fault!.Code);
        Assert.Equal(FaultCode.BadDescriptor, rig.PutDescriptor("b", writeOnly).Fault!.Code);
        Assert.Equal(FaultCode.BadDescriptor, rig.GetDescriptor("a", readOnly).Fault!.Code);
        Assert.Equal(["a"], rig.Names());
    }

    /// <summary>Half text-like, half random, so that some stripes shrink and some do not.</summary>
    internal static byte[] Mixed(int length)
    {
        var content = new byte[length];
        Random.Shared.NextBytes(content);
        for (int i = 0; i < length; i++)
        {
            if ((i / StripeBytes) % 2 == 1)
            {
                content[i] = (byte)("the quick brown fox "[i % 20]);
            }
        }

        return content;
    }
}
