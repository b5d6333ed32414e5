using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Storage.Tests;

/// <summary>The small on-disk formats: what is written is read, and nothing else is.</summary>
public sealed class FormatTests
{
    [Fact]
    public void A_superblock_reads_back()
    {
        var written = new DeviceSuperblock(DeviceId.New(), "state-7");

        Assert.Equal(written, DeviceSuperblock.Decode(written.Encode()).Value);
        DeviceSuperblock block = written with { SegmentBytes = 1 << 26 };
        Assert.Equal(block, DeviceSuperblock.Decode(block.Encode()).Value);
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
    public void A_placement_turns_by_one_position_per_stripe()
    {
        foreach (long stripe in new[] { 0L, 1L, 11L, 12L, 4_000_000_000L })
        {
            int[] positions = Enumerable.Range(0, 12)
                .Select(shard => Placement.PositionOf(stripe, shard, 12)).ToArray();
            Assert.Equal(Enumerable.Range(0, 12), positions.Order());
            Assert.Equal((int)(stripe % 12), positions[0]);
        }
    }
}
