using System.Buffers.Binary;
using FsCheck;
using FsCheck.Fluent;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Storage.Tests.Log;

/// <summary>What is written is read; anything else is refused, and never leads outside.</summary>
public sealed class LogCodecTests
{
    private static readonly DeviceId s_device = DeviceId.New();

    [Fact]
    public void A_commit_of_any_shape_reads_back() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(300),
        Prop.ForAll(ArbMap.Default.ArbFor<(byte, byte[], byte[], long)>(), shape =>
        {
            (byte extents, byte[] manifest, byte[] inline, long time) = shape;
            Extent[] written = [.. Enumerable.Range(0, extents).Select(
                i => new Extent((uint)i, 1, (uint)i + 7, (uint)i * 4096))];
            var entry = new CommitEntry(
                ObjectId.New(), 11, 8, 4, time, time + 1, time + 2, written);
            byte[] bytes = Encode(entry, manifest, inline);

            Assert.True(LogEntryView.TryRead(bytes, 5, 128, out LogEntryView read));
            CommitEntry back = read.ToCommit();
            Assert.Equal(written, back.Extents.ToArray());
            Assert.Equal(entry with { Extents = default }, back with { Extents = default });
            Assert.Equal(manifest, read.Manifest.ToArray());
            Assert.Equal(inline, read.InlineShard.ToArray());
            Assert.Equal(new LogAddress(5, 128, (uint)bytes.Length), read.Address);
        }));

    [Fact]
    public void An_entry_with_any_flipped_bit_is_refused()
    {
        byte[] bytes = Encode(
            LogRig.Commit(ObjectId.New(), new Extent(0, 2, 3, 4096)), new byte[100], []);
        int covered = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(12));
        for (int bit = 0; bit < covered * 8; bit++)
        {
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(LogEntryView.TryRead(bytes, 1, 0, out _), $"bit {bit}");
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void A_frame_header_with_any_flipped_bit_is_refused()
    {
        var bytes = new byte[LogFormat.FrameHeaderBytes];
        new FrameHeader(FrameKind.Batch, s_device, 3, 8192, 12288, default, 4, 9000, 77)
            .Write(bytes);
        Assert.True(FrameHeader.TryRead(bytes, s_device, 3, 8192, out _));
        for (int bit = 0; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(FrameHeader.TryRead(bytes, s_device, 3, 8192, out _), $"bit {bit}");
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void A_frame_counts_only_at_its_own_place()
    {
        var bytes = new byte[LogFormat.FrameHeaderBytes];
        new FrameHeader(FrameKind.Batch, s_device, 3, 8192, 12288, default, 4, 9000, 77)
            .Write(bytes);

        Assert.False(FrameHeader.TryRead(bytes, s_device, 3, 4096, out _), "another offset");
        Assert.False(FrameHeader.TryRead(bytes, s_device, 4, 8192, out _), "another segment");
        Assert.False(FrameHeader.TryRead(bytes, DeviceId.New(), 3, 8192, out _), "another device");
    }

    [Fact]
    public void A_segment_header_with_any_flipped_bit_is_refused()
    {
        var block = new byte[LogFormat.BlockBytes];
        var header = new SegmentHeader(SegmentKind.Shards, 9, s_device, 1 << 20, 5);
        header.Write(block);
        Assert.True(SegmentHeader.TryRead(block, out SegmentHeader read));
        Assert.Equal(header, read);
        for (int bit = 0; bit < 128 * 8; bit++)
        {
            block[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(SegmentHeader.TryRead(block, out _), $"bit {bit}");
            block[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    /// <summary>
    /// A writer with a defect, or an attacker, can make checksums right over lying lengths.
    /// </summary>
    [Fact]
    public void Lying_lengths_under_a_right_checksum_never_lead_outside()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        for (int round = 0; round < 20_000; round++)
        {
            byte[] bytes = Encode(
                LogRig.Commit(ObjectId.New(), new Extent(0, 2, 3, 4096)), new byte[50],
                new byte[200]);
            bytes[4] = (byte)random.Next(0, 6);
            foreach (int field in new[] { 8, 12, 40, 44, 48, 88, 92 })
            {
                if (random.Next(3) == 0)
                {
                    uint value = random.Next(3) switch
                    {
                        0 => (uint)random.Next(600),
                        1 => (uint)random.NextInt64(uint.MaxValue),
                        _ => uint.MaxValue - (uint)random.Next(200),
                    };
                    BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(field), value);
                }
            }

            uint covered = BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(12));
            if (covered >= 64 && covered <= bytes.Length)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(
                    bytes.AsSpan(60), LogEntryView.ChecksumOf(bytes.AsSpan(0, (int)covered)));
            }

            if (LogEntryView.TryRead(bytes, 1, 0, out LogEntryView read))
            {
                ReadAll(read, bytes.Length, seed);
            }
        }
    }

    /// <summary>The start of an inline shard of no bytes may be anything.</summary>
    [Fact]
    public void An_empty_inline_shard_starts_nowhere()
    {
        byte[] bytes = Encode(LogRig.Commit(ObjectId.New()), new byte[50], []);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(44), uint.MaxValue - 1);
        int covered = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(12));
        BinaryPrimitives.WriteUInt32LittleEndian(
            bytes.AsSpan(60), LogEntryView.ChecksumOf(bytes.AsSpan(0, covered)));
        Assert.True(LogEntryView.TryRead(bytes, 1, 0, out LogEntryView read));
        Assert.True(read.InlineShard.IsEmpty);
    }

    [Fact]
    public void Random_bytes_are_no_entries_and_no_frames()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        var bytes = new byte[4096];
        for (int round = 0; round < 5000; round++)
        {
            random.NextBytes(bytes);
            "PGEN"u8.CopyTo(bytes);
            Assert.False(LogEntryView.TryRead(bytes, 1, 0, out _), $"seed {seed}");
            "PGFRAME1"u8.CopyTo(bytes);
            Assert.False(FrameHeader.TryRead(bytes, s_device, 1, 0, out _), $"seed {seed}");
            "PGSEGM01"u8.CopyTo(bytes);
            Assert.False(SegmentHeader.TryRead(bytes, out _), $"seed {seed}");
        }
    }

    [Fact]
    public void Extents_that_lie_together_are_joined()
    {
        var list = new ExtentList();
        list.Add(new Extent(0, 1, 5, 4096), 8192);
        list.Add(new Extent(1, 1, 5, 12288), 4096);
        list.Add(new Extent(2, 1, 5, 40960), 4096);
        list.Add(new Extent(3, 1, 6, 45056), 4096);

        Assert.Equal(
            [
                new Extent(0, 2, 5, 4096), new Extent(2, 1, 5, 40960), new Extent(3, 1, 6, 45056),
            ],
            list.ToArray());
    }

    private static void ReadAll(LogEntryView read, int most, int seed)
    {
        Assert.True(read.Address.Bytes <= most, $"seed {seed}");
        if (read.Kind == LogEntryKind.Commit)
        {
            Assert.True(read.ToCommit().Extents.Length <= most / Extent.Bytes, $"seed {seed}");
            Assert.True(read.Manifest.Length + read.InlineShard.Length <= most, $"seed {seed}");
        }
        else
        {
            Assert.True(read.NameText.Length <= most, $"seed {seed}");
        }
    }

    private static byte[] Encode(in CommitEntry entry, byte[] manifest, byte[] inline)
    {
        var bytes = new byte[LogEntryWriter.CommitBytes(
            entry.Extents.Length, manifest.Length, inline.Length)];
        LogEntryWriter.WriteCommit(bytes, entry, manifest, inline);
        return bytes;
    }
}
