using System.Buffers.Binary;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Pangea.DataPlane.Core;
using static Pangea.DataPlane.Catalog.Tests.CatalogDirectory;

namespace Pangea.DataPlane.Catalog.Tests;

/// <summary>
/// Goal: stored values come back as they were, are small, and bytes that nobody wrote are refused
/// whatever they are: with a wrong checksum, and with a right one over random fields.
/// </summary>
public sealed class CatalogCodecTests
{
    [Fact]
    public void Entries_come_back_as_they_were() =>
        Prop.ForAll<int>(seed =>
        {
            var random = new Random(seed);
            ObjectEntry entry = RandomEntry(random);
            byte[] key = NameKey.Of(entry.Name.Text);
            byte[] buffer = new byte[EntryCodec.BytesMax];
            byte[] stored = EntryCodec.Write(entry, entry.Statistics, key, buffer).ToArray();
            AssertSame(entry, EntryCodec.Read(key, stored));
            Assert.True(EntryCodec.TryReadIndexed(
                stored, out ObjectId id, out long expiresMs, out ObjectStatistics statistics));
            Assert.Equal((entry.Id, entry.ExpiresMs), (id, expiresMs));
            Assert.Equal(entry.Statistics, statistics);

            stored[random.Next(stored.Length)] ^= (byte)(1 << random.Next(8));
            Assert.Null(EntryCodec.Read(key, stored));
            Assert.Null(EntryCodec.Read(key, stored.AsSpan(0, random.Next(stored.Length))));
            return true;
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void An_entry_of_twelve_locations_takes_200_bytes_at_most()
    {
        ObjectEntry entry = Entry("objects/2026/11/21/picture.jpg", 4096, 1_790_000_000_000) with
        {
            ExpiresMs = 1_790_000_000_000,
            TtlMs = 86_400_000,
            Statistics = new ObjectStatistics(1000, 4_096_000, 1_790_000_000_000),
            Locations = [.. Enumerable.Range(0, 12).Select(
                i => new ShardLocation((byte)i, 100_000, 60 << 20, 1280))],
        };
        byte[] buffer = new byte[EntryCodec.BytesMax];
        Assert.InRange(
            EntryCodec.Write(entry, entry.Statistics, "objects"u8, buffer).Length, 1, 200);
    }

    [Fact]
    public void Random_bytes_are_refused_or_read_but_never_overrun() =>
        Prop.ForAll<byte[]>(bytes =>
        {
            ReadAll(bytes);
            byte[] sound = new byte[ValueWriter.HeaderBytes + bytes.Length];
            sound[4] = ValueWriter.Version;
            bytes.CopyTo(sound, ValueWriter.HeaderBytes);
            BinaryPrimitives.WriteUInt32LittleEndian(sound, ValueWriter.Checksum(sound.AsSpan(4)));
            Assert.True(new ValueReader(sound).IsSound);
            ReadAll(sound);
            return true;
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void The_state_comes_back_as_it_was()
    {
        var state = new CatalogState(
            7,
            long.MaxValue,
            0,
            1,
            [.. Enumerable.Range(0, 255).Select(i => UInt128.MaxValue - (UInt128)i)],
            [.. Enumerable.Range(0, 255).Select(i => new LogMark((byte)i, uint.MaxValue, 64))]);
        CatalogState decoded = CatalogState.Decode(state.Encode()).Value;
        Assert.Equal(state.Devices, decoded.Devices);
        Assert.Equal(state.Marks, decoded.Marks);
        Assert.Equal(
            state with { Devices = [], Marks = [] }, decoded with { Devices = [], Marks = [] });
    }

    [Fact]
    public void No_two_names_share_a_key()
    {
        string start = new('p', NameKey.PrefixBytes);
        string[] names =
        [
            start, start + "a", new('p', 511), new('p', 512), start + new string('b', 100),
        ];
        byte[][] keys = [.. names.Select(NameKey.Of)];
        Assert.Equal(names.Length, keys.Select(Convert.ToHexString).Distinct().Count());
        Assert.All(keys, key => Assert.InRange(key.Length, 1, LmdbEnvironment.KeyBytesMax));
        Assert.Equal([false, false, false, true, true], keys.Select(key => NameKey.IsCut(key)));
    }

    private static void ReadAll(byte[] bytes)
    {
        _ = EntryCodec.Read("name"u8, bytes);
        _ = EntryCodec.Read(NameKey.Of(new('x', 600)), bytes);
        _ = EntryCodec.TryReadIndexed(bytes, out _, out _, out _);
        _ = RemovedCodec.Read("name"u8, bytes);
        _ = CatalogState.Decode(bytes);
    }

    private static ObjectEntry RandomEntry(Random random)
    {
        var name = new StringBuilder();
        do
        {
            name.Append((char)random.Next('a', 'z'));
        }
        while (random.Next(600) != 0 && name.Length < Limits.ObjectNameBytesMax);

        bool expires = random.Next(2) == 0;
        return new ObjectEntry(
            Name(name.ToString()),
            ObjectId.New(),
            random.NextInt64(),
            random.NextInt64(),
            random.NextInt64(),
            (byte)random.Next(256),
            (byte)random.Next(256),
            expires ? random.NextInt64(1, long.MaxValue) : 0,
            expires ? random.NextInt64() : 0,
            random.Next(2) == 0 ? default : new(1, random.NextInt64(), random.NextInt64()),
            [.. Enumerable.Range(0, random.Next(Limits.ShardsMax + 1)).Select(_ =>
                random.Next(4) == 0
                    ? ShardLocation.None
                    : new ShardLocation(
                        (byte)random.Next(256),
                        (uint)random.NextInt64(1L << 32),
                        (uint)random.NextInt64(1L << 32),
                        (uint)random.NextInt64(1, 1L << 32)))]);
    }
}
