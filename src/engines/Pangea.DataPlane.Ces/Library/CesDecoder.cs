using System.IO.Pipelines;
using System.Security.Cryptography;

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>
/// Library use without an appliance: restores an object from any k of its shard streams, in any
/// order, be they made by <see cref="CesEncoder"/> or taken from the devices of an appliance.
/// </summary>
public sealed class CesDecoder : IDisposable
{
    private readonly KeyRing _keys;
    private readonly StripePool _spare = new(1);

    public CesDecoder(KeyRing keys) => _keys = keys;

    /// <summary>Larger objects are refused with TooLarge before a byte is restored.</summary>
    public long ObjectBytesMax { get; init; } = long.MaxValue;

    /// <summary>
    /// Writes the object to <paramref name="output"/> and returns its manifest. Every stripe is
    /// authenticated before a byte of it is written, and the whole is compared with its SHA-256 at
    /// the end; on a fault the bytes written so far are a true prefix of the object. Faults:
    /// Unavailable, Corrupt, Denied (unknown key), InvalidParameters (streams that cannot seek).
    /// </summary>
    /// <param name="shards">Seekable streams; null or unreadable ones count as lost.</param>
    /// <param name="output">Receives the object; completing it is the caller's business.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    public async Task<Result<Manifest>> DecodeAsync(
        IReadOnlyList<Stream?> shards, PipeWriter output, CancellationToken cancellation = default)
    {
        Result<ShardStreams> opened = await ShardStreams.OpenAsync(shards, _keys, cancellation);
        if (!opened.IsOk)
        {
            return opened.Fault;
        }

        ShardStreams streams = opened.Value;
        Manifest manifest = streams.Manifest;
        if (manifest.Bytes > ObjectBytesMax)
        {
            return new Fault(
                FaultCode.TooLarge,
                $"object {manifest.ObjectId} has {manifest.Bytes} bytes, "
                    + $"allowed are {ObjectBytesMax}");
        }

        Result<MasterKey> key = _keys.Find(manifest.KeyId);
        Result<StripeBuffers> created =
            key.IsOk ? _spare.Rent(manifest.Geometry, manifest.HeaderStride) : key.Fault;
        if (!created.IsOk)
        {
            return created.Fault;
        }

        try
        {
            return await DecodeStripesAsync(
                streams, created.Value, key.Value, output, cancellation);
        }
        finally
        {
            _spare.Return(created.Value);
        }
    }

    /// <inheritdoc cref="DecodeAsync(IReadOnlyList{Stream}, PipeWriter, CancellationToken)"/>
    public async Task<Result<Manifest>> DecodeAsync(
        IReadOnlyList<Stream?> shards, Stream output, CancellationToken cancellation = default)
    {
        PipeWriter writer =
            PipeWriter.Create(output, new StreamPipeWriterOptions(leaveOpen: true));
        Result<Manifest> manifest = await DecodeAsync(shards, writer, cancellation);
        await writer.CompleteAsync();
        return manifest;
    }

    /// <summary>Frees the buffers; not while an object is being restored.</summary>
    public void Dispose() => _spare.Dispose();

    private static async Task<Result<Manifest>> DecodeStripesAsync(
        ShardStreams streams,
        StripeBuffers buffers,
        MasterKey key,
        PipeWriter output,
        CancellationToken cancellation)
    {
        Manifest manifest = streams.Manifest;
        using ObjectCipher cipher = ObjectCipher.Create(key, manifest.ObjectId);
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (int i = 0; i < manifest.Stripes.Count; i++)
        {
            StripeInfo stripe = manifest.Stripe(i);
            Result restored = await DecodeStripeAsync(
                streams, buffers, cipher, stripe, cancellation);
            if (!restored.IsOk)
            {
                return restored.Fault;
            }

            hash.AppendData(buffers.Plain.Span[..stripe.PlainBytes]);
            FlushResult written = await output.WriteAsync(
                buffers.Plain[..stripe.PlainBytes], cancellation);

            // After the last stripe its reader may have ended because it has everything.
            if (written.IsCanceled || (written.IsCompleted && i < manifest.Stripes.Count - 1))
            {
                return new Fault(
                    FaultCode.Canceled, $"nobody reads object {manifest.ObjectId} to its end");
            }
        }

        return hash.GetHashAndReset().AsSpan().SequenceEqual(manifest.ContentHash.AsSpan())
            ? manifest
            : new Fault(
                FaultCode.Corrupt,
                $"every stripe of object {manifest.ObjectId} is authentic, their SHA-256 is not",
                "it was written by a defective program");
    }

    private static async Task<Result> DecodeStripeAsync(
        ShardStreams streams,
        StripeBuffers buffers,
        ObjectCipher cipher,
        StripeInfo stripe,
        CancellationToken cancellation)
    {
        Array.Clear(buffers.Shards);
        int wanted = buffers.Geometry.Redundancy.DataShards;
        await streams.ReadAsync(buffers, stripe, wanted, cancellation);
        Result restored = buffers.Decode(cipher, stripe);
        if (restored.IsOk)
        {
            return restored;
        }

        // Damaged, or forged: the other shards decide.
        await streams.ReadAsync(buffers, stripe, buffers.Shards.Length, cancellation);
        return buffers.Decode(cipher, stripe);
    }
}
