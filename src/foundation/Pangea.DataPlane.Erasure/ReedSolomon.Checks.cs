namespace Pangea.DataPlane.Erasure;

/// <content>What a call must satisfy before it touches anything.</content>
public sealed unsafe partial class ReedSolomon
{
    private void CheckStripe(ReadOnlySpan<byte> data, ReadOnlySpan<byte> parity, int shardBytes)
    {
        CheckLength(data.Length, DataShards, shardBytes, nameof(data));
        CheckLength(parity.Length, ParityShards, shardBytes, nameof(parity));
    }

    private static void CheckLength(int bytes, int shards, int shardBytes, string name)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(shardBytes);
        if (bytes != (long)shards * shardBytes)
        {
            throw new ArgumentException(
                $"{bytes} bytes are not {shards} shards of {shardBytes} bytes", name);
        }
    }

    /// <summary>Checks counts and lengths and returns the length.</summary>
    private int CheckPointers(ReadOnlySpan<ShardPointer> data, ReadOnlySpan<ShardPointer> parity)
    {
        CheckCount(data.Length, DataShards, nameof(data));
        CheckCount(parity.Length, ParityShards, nameof(parity));
        int shardBytes = data[0].Bytes;
        CheckLengths(data, shardBytes, nameof(data));
        CheckLengths(parity, shardBytes, nameof(parity));
        return shardBytes;
    }

    private static void CheckCount(int given, int expected, string name)
    {
        if (given != expected)
        {
            throw new ArgumentException($"{given} shards given, {expected} expected", name);
        }
    }

    private static void CheckLengths(ReadOnlySpan<ShardPointer> shards, int shardBytes, string name)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(shardBytes, name);
        for (int shard = 0; shard < shards.Length; shard++)
        {
            if (shards[shard].Bytes != shardBytes)
            {
                throw new ArgumentException(
                    $"shards have unequal lengths: {shards[shard].Bytes} and {shardBytes} bytes",
                    name);
            }

            if (shards[shard].Address == 0 && shardBytes > 0)
            {
                throw new ArgumentException($"shard {shard} of the list is a null pointer", name);
            }
        }
    }

    /// <summary>No output may share a byte with an input or with another output.</summary>
    private static void CheckApart(
        ReadOnlySpan<ShardPointer> inputs, ReadOnlySpan<ShardPointer> outputs)
    {
        for (int output = 0; output < outputs.Length; output++)
        {
            CheckApart(outputs[output], inputs);
            CheckApart(outputs[output], outputs[..output]);
        }
    }

    private static void CheckApart(ShardPointer shard, ReadOnlySpan<ShardPointer> others)
    {
        foreach (ShardPointer other in others)
        {
            // One unsigned comparison: the distance must leave room for a shard on either side.
            nuint distance = (nuint)(other.Address - shard.Address) + (nuint)shard.Bytes - 1;
            if (shard.Bytes > 0 && distance < 2 * (nuint)shard.Bytes - 1)
            {
                throw new ArgumentException("a shard that is written overlaps another shard");
            }
        }
    }

    private void CheckDataShard(int dataShard)
    {
        if ((uint)dataShard >= (uint)DataShards)
        {
            throw new ArgumentOutOfRangeException(
                nameof(dataShard), dataShard, $"data shards are 0..{DataShards - 1}");
        }
    }

    /// <summary>Only shards of this code, and none both present and wanted.</summary>
    private void CheckSets(ShardSet present, ShardSet wanted)
    {
        if (present.Next(TotalShards) >= 0)
        {
            throw new ArgumentException(
                $"shard {present.Next(TotalShards)} is not one of {TotalShards}", nameof(present));
        }

        if (wanted.Next(TotalShards) >= 0)
        {
            throw new ArgumentException(
                $"shard {wanted.Next(TotalShards)} is not one of {TotalShards}", nameof(wanted));
        }

        ShardSet both = present.Intersect(wanted);
        if (!both.IsEmpty)
        {
            throw new ArgumentException(
                $"shard {both.Next(0)} is both present and wanted", nameof(wanted));
        }
    }
}
