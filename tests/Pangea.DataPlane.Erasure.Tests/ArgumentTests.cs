namespace Pangea.DataPlane.Erasure.Tests;

/// <summary>Misuse gets a message that says what is wrong, and no output byte changes.</summary>
public sealed unsafe class ArgumentTests
{
    private const int ShardBytes = 128;

    private readonly ReedSolomon _code = ReedSolomon.Create(4, 2);
    private readonly byte[] _stripe = Reference.RandomBytes(6 * ShardBytes, 1);

    [Theory]
    [InlineData(0, 1, "dataShards")]
    [InlineData(-1, 1, "dataShards")]
    [InlineData(255, 1, "dataShards")]
    [InlineData(1, 0, "parityShards")]
    [InlineData(1, -1, "parityShards")]
    [InlineData(1, 255, "parityShards")]
    [InlineData(128, 128, "parityShards")]
    [InlineData(int.MaxValue, int.MaxValue, "dataShards")]
    public void Refuses_counts_out_of_range(int k, int m, string parameter)
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => ReedSolomon.Create(k, m));
        Assert.Equal(parameter, error.ParamName);
        Assert.Contains("must be 1..", error.Message);
    }

    [Theory]
    [InlineData(1, 254)]
    [InlineData(254, 1)]
    public void Takes_the_largest_codes(int k, int m) =>
        Assert.Equal(255, ReedSolomon.Create(k, m).TotalShards);

    [Fact]
    public void Refuses_buffers_of_another_length()
    {
        byte[] parity = new byte[2 * ShardBytes];
        byte[] data = new byte[4 * ShardBytes];
        uint[] sums = new uint[6];
        Refuses("data", () => _code.Encode(data.AsSpan(1), parity, ShardBytes));
        Refuses("parity", () => _code.Encode(data, parity.AsSpan(1), ShardBytes));
        Refuses("shardBytes", () => _code.Encode([], [], -1));
        Refuses("data", () => _code.Encode(data, parity, ShardBytes + 1));
        Refuses("data", () => _code.Encode(data, parity, int.MaxValue));
        Refuses("data", () => _code.Verify(data.AsSpan(1), parity, ShardBytes));
        Refuses("parity", () => _code.Update(0, data, data, parity));
        Refuses("newData", () => _code.Update(0, new byte[5], new byte[6], new byte[10]));
        Refuses("dataShard", () => _code.Update(4, new byte[5], new byte[5], new byte[10]));
        Refuses("dataShard", () => _code.Update(-1, new byte[5], new byte[5], new byte[10]));
        Refuses(
            "checksums",
            () => _code.EncodeWithChecksums(data, parity, ShardBytes, sums.AsSpan(1)));
        Refuses(
            "shards",
            () => _code.Reconstruct(parity, ShardBytes, ShardSet.Range(0, 4), ShardSet.Of(5)));
        Assert.All(parity, value => Assert.Equal(0, value));
    }

    [Fact]
    public void Refuses_overlapping_buffers()
    {
        byte[] before = [.. _stripe];
        Span<byte> stripe = _stripe;
        int data = 4 * ShardBytes;
        Refuses("parity", () => _code.Encode(
            _stripe.AsSpan(0, data), _stripe.AsSpan(data - 1, 2 * ShardBytes), ShardBytes));
        Refuses("parity", () => _code.Update(
            0, _stripe.AsSpan(0, 64), _stripe.AsSpan(64, 64), _stripe.AsSpan(127, 128)));
        fixed (byte* first = stripe)
        {
            ShardPointer[] inputs = Split(first, 4, ShardBytes);
            ShardPointer last = new(first + 5 * ShardBytes, ShardBytes);
            ShardPointer[] onData = [new(first + data - 1, ShardBytes), last];
            ShardPointer[] onEachOther =
                [new(first + data, ShardBytes), new(first + data + 1, ShardBytes)];
            RefusesWith("overlaps", () => _code.Encode(inputs, onData));
            RefusesWith("overlaps", () => _code.Encode(inputs, onEachOther));
            RefusesWith("overlaps", () => _code.Reconstruct(
                [0, 1, 2, 3], inputs, [4, 5], onEachOther));
        }

        Assert.Equal(before, _stripe);
    }

    [Fact]
    public void Refuses_shards_of_unequal_lengths_and_wrong_counts()
    {
        byte[] before = [.. _stripe];
        fixed (byte* first = _stripe)
        {
            ShardPointer[] data = Split(first, 4, ShardBytes);
            ShardPointer[] parity = Split(first + 4 * ShardBytes, 2, ShardBytes);
            ShardPointer[] uneven = [parity[0], parity[1] with { Bytes = ShardBytes - 1 }];
            ShardPointer[] missing = [parity[0], default];
            ShardPointer[] nowhere = [parity[0], new((nint)0, ShardBytes)];
            RefusesWith("unequal lengths", () => _code.Encode(data, uneven));
            RefusesWith("unequal lengths", () => _code.Encode(data, missing));
            RefusesWith("null pointer", () => _code.Encode(data, nowhere));
            RefusesWith("unequal lengths", () => _code.Verify(data, uneven));
            RefusesWith("3 shards given, 4 expected", () => _code.Encode(data[..3], parity));
            RefusesWith("1 shards given, 2 expected", () => _code.Encode(data, parity[..1]));
            RefusesWith(
                "unequal lengths",
                () => _code.Reconstruct([0, 1, 2, 3], data, [4, 5], uneven));
            RefusesWith(
                "unequal lengths",
                () => _code.Update(0, data[0], data[1] with { Bytes = 1 }, parity));
        }

        Assert.Equal(before, _stripe);
    }

    [Fact]
    public void Refuses_indices_given_twice_out_of_range_or_on_both_sides()
    {
        byte[] before = [.. _stripe];
        fixed (byte* first = _stripe)
        {
            ShardPointer[] data = Split(first, 4, ShardBytes);
            ShardPointer[] parity = Split(first + 4 * ShardBytes, 2, ShardBytes);
            RefusesWith("twice", () => _code.Reconstruct([0, 1, 1, 3], data, [4, 5], parity));
            RefusesWith("twice", () => _code.Reconstruct([0, 1, 2, 3], data, [4, 4], parity));
            RefusesWith("one of 6", () => _code.Reconstruct([0, 1, 2, 6], data, [4, 5], parity));
            RefusesWith("one of 6", () => _code.Reconstruct([0, 1, 2, 3], data, [4, 6], parity));
            RefusesWith("0..254", () => _code.Reconstruct([0, 1, 2, -1], data, [4, 5], parity));
            RefusesWith("0..254", () => _code.Reconstruct([0, 1, 2, 255], data, [4, 5], parity));
            RefusesWith(
                "both present and wanted",
                () => _code.Reconstruct([0, 1, 2, 3], data, [3, 5], parity));
            RefusesWith(
                "3 shards given, 4 expected",
                () => _code.Reconstruct([0, 1, 2, 3], data[..3], [4, 5], parity));
        }

        Assert.Equal(before, _stripe);
    }

    [Fact]
    public void Says_when_too_few_shards_are_present()
    {
        byte[] before = [.. _stripe];

        ErasureStatus status = _code.Reconstruct(
            _stripe, ShardBytes, ShardSet.Of(0, 4, 5), ShardSet.Of(1));

        Assert.Equal(ErasureStatus.TooFewShards, status);
        Assert.Equal(before, _stripe);
        Assert.Equal(ErasureStatus.TooFewShards, _code.Reconstruct([], [], [], []));
    }

    [Fact]
    public void Empty_shards_and_nothing_wanted_are_fine()
    {
        uint[] checksums = new uint[6];
        _code.Encode([], [], 0);
        _code.EncodeWithChecksums([], [], 0, checksums);
        _code.Update(0, [], [], []);
        Assert.True(_code.Verify([], [], 0));
        Assert.Equal(
            ErasureStatus.Ok, _code.Reconstruct([], 0, ShardSet.Range(0, 4), ShardSet.Of(5)));
        byte[] before = [.. _stripe];
        Assert.Equal(
            ErasureStatus.Ok,
            _code.Reconstruct(_stripe, ShardBytes, ShardSet.Range(0, 4), default));
        Assert.Equal(before, _stripe);
        Assert.All(checksums, checksum => Assert.Equal(0u, checksum));
    }

    private static ShardPointer[] Split(byte* first, int count, int shardBytes)
    {
        var shards = new ShardPointer[count];
        for (int shard = 0; shard < count; shard++)
        {
            shards[shard] = new ShardPointer(first + shard * shardBytes, shardBytes);
        }

        return shards;
    }

    private static void Refuses(string parameter, Action call) =>
        Assert.Equal(parameter, Assert.ThrowsAny<ArgumentException>(call).ParamName);

    private static void RefusesWith(string text, Action call) =>
        Assert.Contains(text, Assert.ThrowsAny<ArgumentException>(call).Message);
}
