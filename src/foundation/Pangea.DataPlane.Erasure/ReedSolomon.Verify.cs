using Pangea.DataPlane.Erasure.Kernels;

namespace Pangea.DataPlane.Erasure;

/// <content>Checking parity, and changing it with the data.</content>
public sealed unsafe partial class ReedSolomon
{
    /// <summary>Stack that a verification may take for the parity it calculates.</summary>
    private const int VerifyScratchBytes = 16 * 1024;

    /// <summary>Whether the parity belongs to the data; stops at the first difference.</summary>
    /// <param name="data">k shards, k * shardBytes bytes.</param>
    /// <param name="parity">m shards, m * shardBytes bytes.</param>
    /// <param name="shardBytes">Length of a shard, 0 or more.</param>
    public bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> parity, int shardBytes)
    {
        CheckStripe(data, parity, shardBytes);

        // SAFETY: the spans are pinned for the call and hold k and m shards (checked above).
        byte** inputs = stackalloc byte*[DataShards];
        byte** expected = stackalloc byte*[ParityShards];
        fixed (byte* first = data)
        fixed (byte* firstParity = parity)
        {
            PointAt(inputs, DataShards, first, shardBytes);
            PointAt(expected, ParityShards, firstParity, shardBytes);
            return Verify(inputs, expected, shardBytes);
        }
    }

    /// <summary>Whether the parity belongs to the data, for shards that lie anywhere.</summary>
    public bool Verify(ReadOnlySpan<ShardPointer> data, ReadOnlySpan<ShardPointer> parity)
    {
        int shardBytes = CheckPointers(data, parity);

        // SAFETY: the caller keeps the shards in place; counts and lengths have been checked.
        byte** inputs = stackalloc byte*[DataShards];
        byte** expected = stackalloc byte*[ParityShards];
        PointAt(inputs, data);
        PointAt(expected, parity);
        return Verify(inputs, expected, shardBytes);
    }

    /// <summary>
    /// Brings the parity up to date after one data shard has changed, from the change alone: reads
    /// the old and the new bytes and the parity, none of the other data shards.
    /// </summary>
    /// <param name="dataShard">Which data shard, 0..k-1.</param>
    /// <param name="oldData">What it held.</param>
    /// <param name="newData">What it holds now; may be any part of the shard, with the same part of
    /// parity.</param>
    /// <param name="parity">m shards of that length, one after the other; overlaps neither.</param>
    public void Update(
        int dataShard, ReadOnlySpan<byte> oldData, ReadOnlySpan<byte> newData, Span<byte> parity)
    {
        CheckDataShard(dataShard);
        CheckLength(newData.Length, 1, oldData.Length, nameof(newData));
        CheckLength(parity.Length, ParityShards, oldData.Length, nameof(parity));
        if (parity.Overlaps(oldData) || parity.Overlaps(newData))
        {
            throw new ArgumentException("parity overlaps the data", nameof(parity));
        }

        // SAFETY: the spans are pinned for the call and hold one, one and m shards (checked above).
        byte** inputs = stackalloc byte*[2];
        byte** outputs = stackalloc byte*[ParityShards];
        fixed (byte* before = oldData)
        fixed (byte* after = newData)
        fixed (byte* firstParity = parity)
        {
            inputs[0] = before;
            inputs[1] = after;
            PointAt(outputs, ParityShards, firstParity, oldData.Length);
            Update(dataShard, inputs, outputs, oldData.Length);
        }
    }

    /// <summary>As the other overload, for shards (or equal parts of them) that lie
    /// anywhere.</summary>
    public void Update(
        int dataShard,
        ShardPointer oldData,
        ShardPointer newData,
        ReadOnlySpan<ShardPointer> parity)
    {
        CheckDataShard(dataShard);
        CheckCount(parity.Length, ParityShards, nameof(parity));
        ReadOnlySpan<ShardPointer> data = [oldData, newData];
        CheckLengths(data, oldData.Bytes, nameof(newData));
        CheckLengths(parity, oldData.Bytes, nameof(parity));
        CheckApart(data, parity);

        // SAFETY: the caller keeps the shards in place; counts and lengths have been checked.
        byte** inputs = stackalloc byte*[2];
        byte** outputs = stackalloc byte*[ParityShards];
        PointAt(inputs, data);
        PointAt(outputs, parity);
        Update(dataShard, inputs, outputs, oldData.Bytes);
    }

    private bool Verify(byte** inputs, byte** expected, int shardBytes)
    {
        int tileBytes = VerifyScratchBytes / ParityShards & -CodingKernel.Alignment;
        tileBytes = Math.Max(tileBytes, CodingKernel.Alignment);

        // SAFETY: the scratch has m tiles and a tile is never longer than what is left of the
        // shards.
        byte* scratch = stackalloc byte[ParityShards * tileBytes];
        byte** outputs = stackalloc byte*[ParityShards];
        PointAt(outputs, ParityShards, scratch, tileBytes);
        for (int at = 0; at < shardBytes; at += tileBytes)
        {
            int bytes = Math.Min(tileBytes, shardBytes - at);
            _kernel.Multiply(Encoding(inputs, outputs, bytes, ProductMode.Write));
            for (int parity = 0; parity < ParityShards; parity++)
            {
                var calculated = new ReadOnlySpan<byte>(outputs[parity], bytes);
                if (!calculated.SequenceEqual(new ReadOnlySpan<byte>(expected[parity], bytes)))
                {
                    return false;
                }

                expected[parity] += bytes;
            }

            for (int data = 0; data < DataShards; data++)
            {
                inputs[data] += bytes;
            }
        }

        return true;
    }

    /// <summary>parity ^= c * old ^ c * new: the code is linear, so the change is coded like
    /// data.</summary>
    private void Update(int dataShard, byte** inputs, byte** outputs, int shardBytes)
    {
        // SAFETY: two coefficients for each of m rows, and the table of that shape (16 KiB at
        // most).
        byte* coefficients = stackalloc byte[ParityShards * 2];
        byte* table = stackalloc byte[_kernel.TableBytes(2, ParityShards)];
        for (int parity = 0; parity < ParityShards; parity++)
        {
            byte coefficient = _matrix[parity * DataShards + dataShard];
            coefficients[parity * 2] = coefficient;
            coefficients[parity * 2 + 1] = coefficient;
        }

        _kernel.BuildTable(coefficients, 2, 2, ParityShards, table);
        _kernel.Multiply(new Product
        {
            Table = table,
            TableStride = ParityShards,
            Inputs = inputs,
            InputCount = 2,
            Outputs = outputs,
            OutputCount = ParityShards,
            To = (nuint)shardBytes,
            Mode = ProductMode.Accumulate | ProductMode.PlainFirst,
            PlainInputs = 2,
        });
    }
}
