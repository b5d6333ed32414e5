using System.Security.Cryptography;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Worker.Tests.Healing;

/// <summary>
/// Goal: whatever up to m devices lose, one scrub or check later every shard is there again, byte
/// for byte; what cannot be healed is named and stops nothing else. Method: real segment files are
/// damaged under a running worker.
/// </summary>
public sealed class HealingTests
{
    [Theory]
    [InlineData(ReactorChoice.Probe, 0)]
    [InlineData(ReactorChoice.Plain, 1)]
    public void Flipped_bytes_on_m_devices_are_found_and_healed_to_the_same_shards(
        ReactorChoice reactor, int threads)
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        using var options = new StorageRigOptions(reactor) { ComputeThreads = threads };
        using var rig = new HealingRig(options);
        Dictionary<string, byte[]> contents = PutSome(rig, random, 12);
        Dictionary<string, byte[]?[]> before = ShardsOf(rig, contents.Keys);
        int damaged = 0;
        foreach (string name in contents.Keys.Where(name => name != "empty"))
        {
            int[] positions = [.. Enumerable.Range(0, 12)];
            random.Shuffle(positions);
            foreach (int position in positions.Take(random.Next(1, 5)))
            {
                rig.Damage(name, position, random);
                damaged++;
            }
        }

        ScrubState found = rig.Scrub();
        Assert.True(found.Errors == damaged, $"seed {seed}: {found.Errors} of {damaged} found");
        AssertSame(before, ShardsOf(rig, contents.Keys), $"seed {seed}");
        Assert.Equal(0, rig.Scrub().Errors);
        Assert.Equal(damaged, rig.Healing.Counts.ShardsHealed);
        AssertContents(rig, contents);
        Assert.Equal(0, rig.Rig.LeasedSlabs);
    }

    [Fact]
    public void More_than_m_damaged_positions_are_skipped_with_the_reason_and_others_healed()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        using var options = new StorageRigOptions();
        using var rig = new HealingRig(options);
        Dictionary<string, byte[]> contents = PutSome(rig, random, 8);
        Dictionary<string, byte[]?[]> before = ShardsOf(rig, contents.Keys);
        for (int position = 0; position < 5; position++)
        {
            rig.Damage("small0", position, random);
        }

        rig.Damage("large0", 3, random);
        rig.Scrub();
        HealNote note = Assert.Single(rig.Rig.OnLoop(
            () => ValueTask.FromResult(rig.Healing.Journal.All.ToArray())));
        Assert.Equal(rig.Entry("small0").Id, note.Id);
        Assert.True(
            note.Reason.Contains("needs 8 of 12 shards, has 7", StringComparison.Ordinal),
            note.Reason);
        Assert.True(note.NextMs > StorageService.NowMs + 50_000);
        before.Remove("small0");
        AssertSame(before, ShardsOf(rig, before.Keys), $"seed {seed}");
    }

    [Fact]
    public void One_stripe_each_damaged_on_more_than_m_devices_is_healed()
    {
        var random = new Random(7);
        using var options = new StorageRigOptions();
        using var rig = new HealingRig(options);
        rig.Rig.Put("o", Bytes(random, 12 * options.StripeBytes));
        byte[]?[] before = rig.Shards("o");
        for (int position = 0; position < 12; position++)
        {
            // Each position another stripe, so that every stripe has 11 good shards.
            var frame = rig.Frames("o", position)[position];
            HealingRig.Change(
                rig.SegmentPath("o", position, frame.Segment),
                bytes => bytes[frame.Offset + frame.Bytes - 1] ^= 1);
        }

        rig.Scrub();
        Assert.Equal(0, rig.Scrub().Errors);
        Assert.Equal(before, rig.Shards("o"));
    }

    [Fact]
    public void A_forged_shard_with_right_checksums_is_found_and_never_made_parity_of()
    {
        var random = new Random(11);
        using var options = new StorageRigOptions();
        using var rig = new HealingRig(options);
        byte[] content = Bytes(random, 6 * options.StripeBytes);
        rig.Rig.Put("o", content);
        byte[]?[] before = rig.Shards("o");
        var frame = rig.Frames("o", 2)[0];
        HealingRig.Change(rig.SegmentPath("o", 2, frame.Segment), bytes => Assert.True(
            ForgedShard.FlipPayloadAndMendChecksums(
                bytes.AsSpan((int)frame.Offset, (int)frame.Bytes))));
        Assert.NotEqual(before[2], rig.Shards("o")[2]);

        rig.Damage("o", 5, random);
        rig.Scrub();
        rig.Scrub();
        Assert.Equal(before, rig.Shards("o"));
    }

    [Fact]
    public void A_forged_shard_among_just_enough_stops_healing_instead_of_spreading()
    {
        var random = new Random(12);
        using var options = new StorageRigOptions();
        using var rig = new HealingRig(options);
        rig.Rig.Put("o", Bytes(random, 2 * options.StripeBytes));
        byte[]?[] before = rig.Shards("o");
        var frame = rig.Frames("o", 0)[0];
        HealingRig.Change(rig.SegmentPath("o", 0, frame.Segment), bytes => Assert.True(
            ForgedShard.FlipPayloadAndMendChecksums(
                bytes.AsSpan((int)frame.Offset, (int)frame.Bytes))));
        for (int position = 1; position < 5; position++)
        {
            foreach (var each in rig.Frames("o", position))
            {
                HealingRig.Change(
                    rig.SegmentPath("o", position, each.Segment),
                    bytes => bytes[each.Offset + each.Bytes - 1] ^= 1);
            }
        }

        byte[]?[] damaged = rig.Shards("o");
        rig.Scrub();
        byte[]?[] after = rig.Shards("o");
        for (int position = 0; position < 12; position++)
        {
            // What is there is what was there before, or what was damaged: nothing third.
            Assert.True(
                after[position].AsSpan().SequenceEqual(before[position])
                || after[position].AsSpan().SequenceEqual(damaged[position]));
        }

        Assert.Equal(0, rig.Healing.Counts.ObjectsHealed);
        Assert.True(rig.Healing.Counts.Failures > 0);
    }

    [Fact]
    public void A_get_that_meets_damage_has_it_repaired()
    {
        var random = new Random(13);
        using var options = new StorageRigOptions();
        using var rig = new HealingRig(options);
        byte[] large = Bytes(random, 5 * options.StripeBytes);
        byte[] small = Bytes(random, 5000);
        rig.Rig.Put("large", large);
        rig.Rig.Put("small", small);
        byte[]?[] largeBefore = rig.Shards("large");
        byte[]?[] smallBefore = rig.Shards("small");

        var frame = rig.Frames("large", 0)[0]; // Shard 0 of stripe 0: any get reads it.
        HealingRig.Change(
            rig.SegmentPath("large", 0, frame.Segment),
            bytes => bytes[frame.Offset + frame.Bytes - 1] ^= 1);
        var packed = rig.Frames("small", 1)[0];
        HealingRig.Change(
            rig.SegmentPath("small", 1, packed.Segment),
            bytes => bytes[packed.Offset + packed.Bytes - 1] ^= 1);
        Assert.Equal(large, rig.Rig.Get("large").Content);
        Assert.Equal(small, rig.Rig.Get("small").Content);
        rig.Rig.OnLoop(async () =>
        {
            await rig.Healing.Healer.IdleAsync();
            return true;
        });
        Assert.Equal(largeBefore, rig.Shards("large"));
        Assert.Equal(smallBefore, rig.Shards("small"));
    }

    [Fact]
    public void An_object_that_is_replaced_while_it_is_healed_stays_replaced()
    {
        var random = new Random(14);
        using var options = new StorageRigOptions();
        using var rig = new HealingRig(options);
        byte[] newer = Bytes(random, 70_000);
        rig.Rig.Put("o", Bytes(random, 20 * options.StripeBytes));
        rig.Damage("o", 4, random);
        rig.Rig.OnLoop(() =>
        {
            rig.Healing.Report(rig.Rig.Service.Catalog.Find(ObjectName.Parse("o").Value)!.Id, 16);
            return ValueTask.FromResult(true);
        });
        rig.Rig.Put("o", newer);
        rig.Rig.OnLoop(async () =>
        {
            await rig.Healing.Healer.IdleAsync();
            return true;
        });
        Assert.Equal(newer, rig.Rig.Get("o").Content);
        Assert.Equal(0, rig.Scrub().Errors);
    }

    internal static byte[] Bytes(Random random, int count)
    {
        byte[] bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }

    /// <summary>Small, large and empty objects.</summary>
    internal static Dictionary<string, byte[]> PutSome(HealingRig rig, Random random, int count)
    {
        var contents = new Dictionary<string, byte[]> { ["empty"] = [] };
        for (int i = 0; i < count; i++)
        {
            string name = i % 2 == 0 ? $"large{i / 2}" : $"small{i / 2}";
            contents[name] = Bytes(
                random, i % 2 == 0 ? random.Next(66_000, 700_000) : random.Next(1, 60_000));
        }

        foreach ((string name, byte[] content) in contents)
        {
            Result<Control.Schema.ObjectPutResult> put = rig.Rig.Put(name, content);
            Assert.True(put.IsOk, put.Fault?.Message);
        }

        return contents;
    }

    internal static Dictionary<string, byte[]?[]> ShardsOf(
        HealingRig rig, IEnumerable<string> names) =>
        names.ToDictionary(name => name, rig.Shards);

    internal static void AssertSame(
        Dictionary<string, byte[]?[]> before, Dictionary<string, byte[]?[]> after, string hint)
    {
        foreach ((string name, byte[]?[] shards) in before)
        {
            for (int position = 0; position < shards.Length; position++)
            {
                Assert.True(
                    after[name][position].AsSpan().SequenceEqual(shards[position]),
                    $"{hint}: {name}, position {position}, is not as before");
            }
        }
    }

    internal static void AssertContents(HealingRig rig, Dictionary<string, byte[]> contents)
    {
        foreach ((string name, byte[] content) in contents)
        {
            (Result<Control.Schema.ObjectGetResult> result, byte[] got) = rig.Rig.Get(name);
            Assert.True(result.IsOk, $"{name}: {result.Fault?.Message}");
            Assert.Equal(SHA256.HashData(content), SHA256.HashData(got));
        }
    }
}
