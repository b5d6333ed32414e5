using System.Security.Cryptography;

using Microsoft.Win32.SafeHandles;

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>One object on its way from shard files into a file.</summary>
internal sealed class FileDecoding : StripeLine
{
    // A write of a megabyte gets its page cache in large blocks, and those a hypervisor has taken
    // back when they were free: touching them again costs ten times what small ones cost, 0.8 s of
    // kernel time for 256 MiB instead of 0.12 (experiments/0002).
    private const int CachedWriteBytes = 32 * 1024;

    private readonly ShardStreams _streams;
    private readonly IncrementalHash? _hash;
    private readonly SafeFileHandle _output;
    private readonly bool _isDirect;

    /// <param name="streams">Where the shards are.</param>
    /// <param name="hash">Gets the whole content where given.</param>
    /// <param name="output">Written from its start.</param>
    /// <param name="isDirect">Whether the output was opened for direct I/O.</param>
    /// <param name="buffers">As many stripes are under way at most.</param>
    public FileDecoding(
        ShardStreams streams,
        IncrementalHash? hash,
        SafeFileHandle output,
        bool isDirect,
        IReadOnlyCollection<StripeBuffers> buffers)
        : base(streams.Manifest.Stripes.Count, buffers)
    {
        _streams = streams;
        _hash = hash;
        _output = output;
        _isDirect = isDirect;
    }

    protected override Result Make(StripeThread thread, StripeBuffers buffers, long stripe)
    {
        buffers.Stripe = _streams.Manifest.Stripe((int)stripe);
        Array.Clear(buffers.Shards);
        _streams.Read(buffers, buffers.Stripe, buffers.Geometry.Redundancy.DataShards);
        Result restored = Decode(thread, buffers);
        if (!restored.IsOk)
        {
            // Damaged, or forged: the other shards decide.
            _streams.Read(buffers, buffers.Stripe, buffers.Shards.Length);
            restored = Decode(thread, buffers);
        }

        return restored;
    }

    /// <summary>
    /// Writes as well where it goes through the page cache: the kernel lets one thread write to a
    /// file at a time, and the others would only wait for its lock where they could restore
    /// stripes.
    /// </summary>
    protected override Result InTurn(StripeThread thread, StripeBuffers buffers)
    {
        _hash?.AppendData(buffers.Plain.Span[..buffers.Stripe.PlainBytes]);
        if (!_isDirect)
        {
            Write(buffers, buffers.Stripe.PlainBytes);
        }

        return Result.Ok;
    }

    /// <summary>Direct writes wait for the device, several at a time; the caller cuts off what the
    /// last one is too long.</summary>
    protected override void AfterTurn(StripeThread thread, StripeBuffers buffers)
    {
        if (_isDirect)
        {
            int bytes = buffers.Stripe.PlainBytes;
            int blocks = (bytes + AlignedMemory.Alignment - 1) & -AlignedMemory.Alignment;
            buffers.Plain.Span[bytes..blocks].Clear();
            Write(buffers, blocks);
        }
    }

    private void Write(StripeBuffers buffers, int bytes)
    {
        long offset = (long)buffers.Stripe.StripeIndex * buffers.Geometry.StripeBytes;
        int pieceBytes = _isDirect ? bytes : CachedWriteBytes;
        for (int at = 0; at < bytes; at += pieceBytes)
        {
            int piece = Math.Min(pieceBytes, bytes - at);
            RandomAccess.Write(_output, buffers.Plain.Span.Slice(at, piece), offset + at);
        }
    }

    private static Result Decode(StripeThread thread, StripeBuffers buffers) =>
        thread.Codec.Decode(
            thread.Cipher, buffers.Geometry, buffers.Stripe, buffers.Headers,
            buffers.HeaderStride, buffers.Payload, buffers.Shards, buffers.Plain.Span);
}
