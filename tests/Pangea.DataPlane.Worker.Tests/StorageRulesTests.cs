using System.Security.Cryptography;
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;
using ObjectEntry = Pangea.DataPlane.Catalog.ObjectEntry;

namespace Pangea.DataPlane.Worker.Tests;

/// <summary>
/// Goal: ranges, time to live, durability, statistics and the giving back of room keep what they
/// promise, also over a restart from the last checkpoint and from the devices alone.
/// </summary>
public sealed class StorageRulesTests
{
    private const int StripeBytes = 64 * 1024;

    [Theory]
    [InlineData(50_000)] // packed
    [InlineData((7 * StripeBytes) + 123)] // frames
    public void A_range_is_what_it_says(int length)
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        using var options = new StorageRigOptions(dataShards: 4, parityShards: 2);
        using var rig = new StorageRig(options);
        byte[] content = PutGetTests.Mixed(length);
        Assert.True(rig.Put("a", content).IsOk);
        for (int round = 0; round < 40; round++)
        {
            int offset = random.Next(length);
            int bytes = 1 + random.Next(length - offset);
            (Result<ObjectGetResult> get, byte[] back) = rig.Get("a", offset, bytes);
            Assert.True(get.IsOk, $"seed {seed}: {get.Fault}");
            Assert.True(
                content.AsSpan(offset, bytes).SequenceEqual(back),
                $"seed {seed}, {offset}+{bytes}");
            Assert.Equal((offset, bytes), (get.Value.Offset, get.Value.Length));
        }

        Assert.Equal(content[^10..], rig.Get("a", -10).Content);
        Assert.Equal(content, rig.Get("a", -length - 5).Content);
        Assert.Equal(content[100..], rig.Get("a", 100, long.MaxValue).Content);
        Assert.Equal(content, rig.Get("a").Content);
        Fault behind = rig.Get("a", length, 1).Result.Fault!;
        Assert.Equal((FaultCode.InvalidParameters, "offset"), (behind.Code, behind.Field));
        Fault empty = rig.Get("a", 0, 0).Result.Fault!;
        Assert.Equal((FaultCode.InvalidParameters, "length"), (empty.Code, empty.Field));
    }

    [Fact]
    public void A_range_reads_only_the_stripes_it_needs()
    {
        using var options = new StorageRigOptions(dataShards: 4, parityShards: 2);
        using var rig = new StorageRig(options);
        byte[] content = RandomNumberGenerator.GetBytes(20 * StripeBytes);
        Assert.True(rig.Put("a", content).IsOk);
        long read = 0;
        options.Plan = call =>
        {
            read += call.Kind == Reactor.ReactorCallKind.Read ? call.Bytes : 0;
            return Reactor.InjectedFault.None;
        };

        (_, byte[] back) = rig.Get("a", (9 * StripeBytes) + 5, 1000);

        Assert.Equal(content[((9 * StripeBytes) + 5)..((9 * StripeBytes) + 1005)], back);
        Assert.InRange(read, StripeBytes, 3 * StripeBytes);
    }

    [Fact]
    public void A_popular_object_stays_and_an_expired_one_goes()
    {
        using var options = new StorageRigOptions(dataShards: 2, parityShards: 1);
        byte[] content = PutGetTests.Mixed(1000);
        using (var rig = new StorageRig(options))
        {
            Assert.NotNull(rig.Put("popular", content, ttlSeconds: 3).Value.Expires);
            Assert.True(rig.Put("forgotten", content, ttlSeconds: 3).IsOk);
            Assert.Null(rig.Put("lasting", content).Value.Expires);
            Thread.Sleep(1500);
            Assert.Equal(content, rig.Get("popular").Content);
            Thread.Sleep(1700); // Now 3.2 s after the puts, 1.7 s after the download.
            Assert.Equal(FaultCode.NotFound, rig.Get("forgotten").Result.Fault!.Code);
            Assert.Equal(content, rig.Get("popular").Content);
            rig.OnLoop(async () =>
            {
                await rig.Service.Expiry.RemoveExpiredAsync();
                return true;
            });
            Assert.Equal(["lasting", "popular"], rig.Names());
        }

        // The downloads' new end is in the logs, and so is the removal.
        options.LoseCatalog();
        using var again = new StorageRig(options);
        Assert.Equal(["lasting", "popular"], again.Names());
    }

    /// <summary>
    /// Puts come while the expired are being removed one after another; none may go with them.
    /// </summary>
    [Fact]
    public async Task What_is_put_while_the_expired_go_stays()
    {
        using var options = new StorageRigOptions(dataShards: 2, parityShards: 1);
        byte[] content = PutGetTests.Mixed(1000);
        string[] names = [.. Enumerable.Range(0, 40).Select(i => $"object-{i:00}")];
        using (var rig = new StorageRig(options))
        {
            Assert.All(names, name => Assert.True(rig.Put(name, content, ttlSeconds: 1).IsOk));
            await Task.Delay(1200);
            Task removal = Task.Run(() => rig.OnLoop(async () =>
            {
                await rig.Service.Expiry.RemoveExpiredAsync();
                return true;
            }));
            Assert.All(names.Reverse(), name => Assert.True(rig.Put(name, content).IsOk));
            await removal;
            Assert.Equal(names, rig.Names());
        }

        options.LoseCatalog();
        using var again = new StorageRig(options);
        Assert.Equal(names, again.Names());
    }

    [Fact]
    public void Durable_on_all_refuses_with_a_device_missing_and_quorum_does_not()
    {
        using var options = new StorageRigOptions
        {
            Settings = new WorkerSettings { IsDurableOnAll = true },
        };
        using var rig = new StorageRig(options);
        Assert.Equal(12, rig.Put("a", [1, 2, 3]).Value.DevicesCommitted);
        options.Destroy(5);

        Fault fault = rig.Put("b", [1, 2, 3]).Fault!;

        Assert.Equal(FaultCode.Unavailable, fault.Code);
        Assert.Contains("11 of 12", fault.Message, StringComparison.Ordinal);
        Assert.Equal(["a"], rig.Names());
    }

    [Fact]
    public void Downloads_are_counted_and_the_counts_outlive_a_restart()
    {
        using var options = new StorageRigOptions(dataShards: 2, parityShards: 1);
        using (var rig = new StorageRig(options))
        {
            Assert.True(rig.Put("a", PutGetTests.Mixed(1000)).IsOk);
            _ = rig.Get("a");
            _ = rig.Get("a", 0, 10);
            rig.OnLoop(() =>
            {
                rig.Service.StopBackground(); // A last checkpoint writes counts that are not due.
                return ValueTask.FromResult(true);
            });
            Assert.True(rig.Checkpoint().IsOk);
        }

        using var again = new StorageRig(options);
        ObjectStatistics use = again.OnLoop(() => ValueTask.FromResult(
            again.Service.Catalog.StatisticsOf(
                again.Service.Catalog.Find(ObjectName.Parse("a").Value)!)));
        Assert.Equal((2, 1010), (use.Gets, use.GetBytes));
    }

    [Fact]
    public void Garbage_is_given_back_and_nothing_else()
    {
        using var options = new StorageRigOptions(dataShards: 2, parityShards: 1)
        {
            Settings = new WorkerSettings { CompactionBytesPerSecond = 0 },
        };
        var contents = new Dictionary<string, byte[]>();
        using (var rig = new StorageRig(options))
        {
            for (int i = 0; i < 120; i++)
            {
                // Half are replaced, some removed; small and large ones side by side.
                string name = $"object {i % 60}";
                contents[name] = PutGetTests.Mixed(i % 3 == 0 ? 3000 : 150_000);
                Assert.True(rig.Put(name, contents[name]).IsOk);
            }

            for (int i = 0; i < 40; i++)
            {
                Assert.True(rig.Remove($"object {i}").IsOk);
                contents.Remove($"object {i}");
            }

            long before = Room(rig);
            Assert.True(rig.LiveBytes < before / 2);
            long gained = 0;
            while (rig.OnLoop(() => rig.Service.Compaction.RunOnceAsync()) is var more and > 0)
            {
                gained += more;
            }

            Assert.True(gained > 0);
            Assert.InRange(Room(rig), rig.LiveBytes, before - (gained / 2));
            AssertContents(rig, contents);
        }

        using (var again = new StorageRig(options))
        {
            AssertContents(again, contents);
        }

        options.LoseCatalog();
        using var rebuilt = new StorageRig(options);
        AssertContents(rebuilt, contents);
    }

    /// <summary>
    /// The catalog is told lies in every direction; the devices know better.
    /// </summary>
    [Fact]
    public void A_rebuild_believes_the_devices_and_changes_nothing_that_is_true()
    {
        using var options = new StorageRigOptions(dataShards: 2, parityShards: 1);
        using var rig = new StorageRig(options);
        var contents = new Dictionary<string, byte[]>();
        for (int i = 0; i < 30; i++)
        {
            string name = $"object {i % 20}";
            contents[name] = PutGetTests.Mixed(i % 4 == 0 ? 150_000 : 3000);
            Assert.True(rig.Put(name, contents[name]).IsOk);
        }

        Assert.True(rig.Remove("object 3").IsOk);
        contents.Remove("object 3");
        long live = rig.LiveBytes;
        ObjectName gone = ObjectName.Parse("object 5").Value;
        ObjectName invented = ObjectName.Parse("object 3").Value;
        RebuildReport report = rig.OnLoop(async () =>
        {
            // One is missing, one was never put, and one is where it is not.
            ObjectEntry lost = rig.Service.Catalog.Remove(gone)!;
            rig.Service.Catalog.Set(lost with
            {
                Name = ObjectName.Parse("invented").Value,
                Id = ObjectId.New(),
                CreatedMs = lost.CreatedMs,
            });
            return (await ObjectRecovery.RebuildAsync(rig.Service, _ => { })).Value;
        });

        Assert.Equal(contents.Count, report.Objects);
        Assert.True(report.BytesRead > 0);
        AssertContents(rig, contents);
        Assert.Equal(live, rig.LiveBytes);
        Assert.Null(rig.OnLoop(() => ValueTask.FromResult(rig.Service.Catalog.Find(invented))));
    }

    [Fact]
    public void What_cannot_be_read_for_want_of_a_key_outlives_compaction()
    {
        using var options = new StorageRigOptions(dataShards: 2, parityShards: 1)
        {
            Settings = new WorkerSettings { CompactionBytesPerSecond = 0 },
        };
        string key = options.KeyText;
        byte[] content = PutGetTests.Mixed(100_000);
        using (var rig = new StorageRig(options))
        {
            Assert.True(rig.Put("secret", content).IsOk);
        }

        options.LoseCatalog();
        options.KeyText = KeyRing.Of(MasterKey.Generate()).FormatSecrets();
        string other = options.KeyText;
        using (var rig = new StorageRig(options))
        {
            for (int i = 0; i < 60; i++)
            {
                Assert.True(rig.Put("filler", content).IsOk);
            }

            while (rig.OnLoop(() => rig.Service.Compaction.RunOnceAsync()) > 0)
            {
                // Until nothing is left to gain.
            }

            Assert.True(rig.Checkpoint().IsOk);
        }

        options.KeyText = key + other;
        using var again = new StorageRig(options);
        Assert.Equal(["filler", "secret"], again.Names());
        Assert.Equal(content, again.Get("secret").Content);
    }

    [Fact]
    public void A_device_that_returns_with_old_content_is_not_mixed_with_the_new()
    {
        using var options = new StorageRigOptions(dataShards: 4, parityShards: 2);
        byte[] first = PutGetTests.Mixed(200_000);
        byte[] second = PutGetTests.Mixed(200_000);
        using (var rig = new StorageRig(options))
        {
            Assert.True(rig.Put("large", first).IsOk);
            Assert.True(rig.Put("small", first[..3000]).IsOk);
            Assert.True(rig.Checkpoint().IsOk);
        }

        Directory.Move(options.DevicePaths[1], options.DevicePaths[1] + ".away");
        using (var rig = new StorageRig(options))
        {
            Assert.Equal(first, rig.Get("large").Content);
            Assert.Equal(5, rig.Put("large", second).Value.DevicesCommitted);
            Assert.Equal(5, rig.Put("small", second[..3000]).Value.DevicesCommitted);
            Assert.True(rig.Checkpoint().IsOk);
        }

        Directory.Move(options.DevicePaths[1] + ".away", options.DevicePaths[1]);
        for (int start = 0; start < 3; start++)
        {
            using var again = new StorageRig(options);
            Assert.Equal(second, again.Get("large").Content);
            Assert.Equal(second[..3000], again.Get("small").Content);
            options.LoseCatalog();
        }
    }

    /// <summary>
    /// Too few devices had it, its put said that it failed, and those that failed are gone: what
    /// the others say of its failure may lie far behind their commits.
    /// </summary>
    [Fact]
    public void A_failed_put_does_not_come_back_with_fewer_devices()
    {
        using var options = new StorageRigOptions(dataShards: 4, parityShards: 2);
        byte[] content = PutGetTests.Mixed(3000);
        using (var rig = new StorageRig(options))
        {
            Assert.True(rig.Put("o", content).IsOk);
            Assert.True(rig.Put("o", content[..2000]).IsOk);
            Assert.True(ObjectId.TryParse(
                rig.Put("o", content[..1000]).Value.Id, out ObjectId failed));
            for (int i = 0; i < 400; i++)
            {
                Assert.True(rig.Put("filler", content).IsOk);
            }

            for (int device = 0; device < 4; device++)
            {
                Assert.True(rig.OnLoop(() => rig.Service.Devices.All[device].Log!
                    .AppendVoidAsync(failed)).IsOk);
            }
        }

        options.LoseCatalog();
        Directory.Delete(options.DevicePaths[4], recursive: true);
        Directory.Delete(options.DevicePaths[5], recursive: true);
        using var again = new StorageRig(options);
        Assert.Equal(content[..2000], again.Get("o").Content);
    }

    [Fact]
    public void A_device_that_is_taken_out_during_a_put_is_left_out()
    {
        using var options = new StorageRigOptions(dataShards: 2, parityShards: 2);
        using var rig = new StorageRig(options);
        var commit = new ObjectCommit();
        Result committed = rig.OnLoop(async () =>
        {
            ObjectId id = ObjectId.New();
            Assert.True(commit.Begin(rig.Service.Devices, options.Redundancy, id, 3).IsOk);
            await commit.DeviceOf(1).CloseAsync();
            return await commit.CommitAsync(
                new CommitTerms(id, options.Redundancy, 1, 0, 0), new byte[100], default, 0, null);
        });
        Assert.True(committed.IsOk, committed.Fault?.ToString());
        Assert.Equal(3, commit.Participants);
        Assert.True(commit.EntryOf(1).IsNone);
    }

    private static long Room(StorageRig rig) => rig.OnLoop(() => ValueTask.FromResult(
        rig.Service.Devices.All.Sum(device => device.Log!.Bytes)));

    private static void AssertContents(StorageRig rig, Dictionary<string, byte[]> contents)
    {
        Assert.Equal(contents.Keys.Order(StringComparer.Ordinal), rig.Names());
        foreach ((string name, byte[] content) in contents)
        {
            (Result<ObjectGetResult> get, byte[] back) = rig.Get(name);
            Assert.True(get.IsOk, $"{name}: {get.Fault}");
            Assert.True(content.AsSpan().SequenceEqual(back), name);
        }
    }
}
