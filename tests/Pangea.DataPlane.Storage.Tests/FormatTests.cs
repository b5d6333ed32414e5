using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Storage.Tests;

/// <summary>The small on-disk formats: what is written is read, and nothing else is.</summary>
public sealed class FormatTests
{
    [Fact]
    public void A_footer_reads_back()
    {
        var block = new byte[ShardFile.BlockBytes];
        ShardFile.WriteFooter(block, 8192, 5000);

        Result<(long Offset, int Bytes)> footer = ShardFile.ReadFooter(block, 8192 + 8192 + 4096);

        Assert.Equal((8192L, 5000), footer.Value);
    }

    [Fact]
    public void A_footer_with_any_flipped_bit_is_refused()
    {
        var block = new byte[ShardFile.BlockBytes];
        ShardFile.WriteFooter(block, 8192, 5000);
        for (int bit = 0; bit < 32 * 8; bit++)
        {
            block[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(ShardFile.ReadFooter(block, 8192 + 8192 + 4096).IsOk, $"bit {bit}");
            block[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Theory]
    [InlineData(8192 + 4096)] // cut
    [InlineData(8192 + 8192 + 8192)] // grown
    [InlineData(0)]
    public void A_footer_of_a_file_of_another_length_is_refused(long fileBytes)
    {
        var block = new byte[ShardFile.BlockBytes];
        ShardFile.WriteFooter(block, 8192, 5000);

        Assert.Equal(FaultCode.Corrupt, ShardFile.ReadFooter(block, fileBytes).Fault!.Code);
    }

    [Fact]
    public void A_superblock_reads_back()
    {
        var written = new DeviceSuperblock(DeviceId.New(), "state-7");

        Assert.Equal(written, DeviceSuperblock.Decode(written.Encode()).Value);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("[1]")]
    [InlineData("{\"format\":\"1\"}")]
    [InlineData("{\"format\":2,\"device\":\"xyz\",\"state\":\"s\"}")]
    [InlineData("{\"format\":2,\"device\":null,\"state\":\"s\"}")]
    [InlineData("{\"format\":9,\"device\":\"00000000000000000000000000000000\",\"state\":\"s\"}")]
    public void A_superblock_that_is_none_is_refused_with_a_next_step(string text)
    {
        Result<DeviceSuperblock> decoded = DeviceSuperblock.Decode(
            System.Text.Encoding.UTF8.GetBytes(text));

        Assert.False(decoded.IsOk);
        Assert.NotNull(decoded.Fault.Hint);
    }

    [Fact]
    public void A_tombstone_reads_back_whole_or_not_at_all()
    {
        var tombstone = new Tombstone("a name/with ünïcode \U0001f600", 1234567890123);
        byte[] bytes = tombstone.Encode();

        Assert.Equal(tombstone, Tombstone.Decode(bytes));
        for (int length = 0; length < bytes.Length; length++)
        {
            Assert.Null(Tombstone.Decode(bytes.AsSpan(0, length)));
        }
    }

    [Fact]
    public void A_placement_turns_by_one_position_per_stripe()
    {
        var ids = Enumerable.Range(0, 12).Select(_ => DeviceId.New()).ToArray();
        var placement = new Placement(ids);

        foreach (long stripe in new[] { 0L, 1L, 11L, 12L, 4_000_000_000L })
        {
            int[] positions = Enumerable.Range(0, 12)
                .Select(shard => placement.PositionOf(stripe, shard)).ToArray();
            Assert.Equal(Enumerable.Range(0, 12), positions.Order());
            Assert.Equal((int)(stripe % 12), positions[0]);
        }
    }
}
