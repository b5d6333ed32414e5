using System.Buffers;
using System.IO.Pipelines;

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>
/// Library use without an appliance: one object from a pipe or stream into k + m shard streams. A
/// shard stream is the records of one position, stripe after stripe, and then the manifest
/// (docs/shard-format.md, section 7). Memory is one stripe however long the object is.
/// </summary>
public sealed class CesEncoder : IDisposable
{
    private readonly KeyRing _keys;
    private readonly CesOptions _options;
    private readonly StripeGeometry _geometry;
    private readonly ObjectName _name;
    private readonly StripePool _spare = new(1);

    private CesEncoder(
        KeyRing keys, CesOptions options, in StripeGeometry geometry, ObjectName name)
    {
        _keys = keys;
        _options = options;
        _geometry = geometry;
        _name = name;
    }

    /// <summary>Checks the options once; the encoder may then be used for many objects.</summary>
    public static Result<CesEncoder> Create(KeyRing keys, CesOptions? options = null)
    {
        options ??= new CesOptions();
        Result<StripeGeometry> geometry = options.Geometry();
        Result<ObjectName> name = ObjectName.Parse(options.Name);
        return !geometry.IsOk ? geometry.Fault
            : !name.IsOk ? name.Fault
            : new CesEncoder(keys, options, geometry.Value, name.Value);
    }

    /// <inheritdoc cref="EncodeAsync(PipeReader, IReadOnlyList{PipeWriter}, CancellationToken)"/>
    public async Task<Result<Manifest>> EncodeAsync(
        Stream source, IReadOnlyList<Stream> shards, CancellationToken cancellation = default)
    {
        var reading = new StreamPipeReaderOptions(
            bufferSize: _geometry.StripeBytes, leaveOpen: true);
        var writing = new StreamPipeWriterOptions(
            minimumBufferSize: _geometry.ShardBytesMax + _options.HeaderStride, leaveOpen: true);
        PipeReader reader = PipeReader.Create(source, reading);
        PipeWriter[] writers = [.. shards.Select(shard => PipeWriter.Create(shard, writing))];
        Result<Manifest> manifest = await EncodeAsync(reader, writers, cancellation);
        await reader.CompleteAsync();
        foreach (PipeWriter writer in writers)
        {
            await writer.CompleteAsync();
        }

        return manifest;
    }

    /// <summary>
    /// Reads <paramref name="source"/> to its end and writes shard stream p to writer p; completing
    /// the pipes is the caller's business. A shard stream whose reader ends early counts as lost;
    /// fewer than k + 1 left are a fault, and so is a pending read or flush that is canceled.
    /// Exceptions of the pipes themselves pass through.
    /// </summary>
    /// <param name="source">The object's bytes.</param>
    /// <param name="shards">k + m writers.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    public async Task<Result<Manifest>> EncodeAsync(
        PipeReader source,
        IReadOnlyList<PipeWriter> shards,
        CancellationToken cancellation = default)
    {
        if (shards.Count != _geometry.Redundancy.TotalShards)
        {
            return Fault.InvalidParameter(
                "shards",
                $"{_geometry.Redundancy} needs {_geometry.Redundancy.TotalShards} shard streams, "
                    + $"not {shards.Count}");
        }

        Result<StripeBuffers> buffers = _spare.Rent(_geometry, _options.HeaderStride);
        if (!buffers.IsOk)
        {
            return buffers.Fault;
        }

        using var draft = new ManifestDraft(_keys.Current, _options, _geometry, _name);
        Result stored;
        try
        {
            stored = await EncodeStripesAsync(
                source, shards, buffers.Value, draft, cancellation);
        }
        finally
        {
            _spare.Return(buffers.Value);
        }

        if (!stored.IsOk)
        {
            return stored.Fault;
        }

        Manifest manifest = draft.Finish();
        byte[] encoded = draft.Encode(manifest);
        foreach (PipeWriter shard in shards)
        {
            await shard.WriteAsync(encoded, cancellation);
        }

        return manifest;
    }

    /// <summary>Frees the buffers; not while an object is being encoded.</summary>
    public void Dispose() => _spare.Dispose();

    private async Task<Result> EncodeStripesAsync(
        PipeReader source,
        IReadOnlyList<PipeWriter> shards,
        StripeBuffers buffers,
        ManifestDraft draft,
        CancellationToken cancellation)
    {
        bool isLast = false;
        var governor =
            _options.Compression == CompressionMode.Adaptive ? new CompressionGovernor() : null;
        var open = new bool[shards.Count];
        Array.Fill(open, true);
        StripeTimes times = default;
        while (!isLast)
        {
            times.Begin();

            // One byte more than a stripe tells whether this one is the last.
            ReadResult read =
                await source.ReadAtLeastAsync(_geometry.StripeBytes + 1, cancellation);
            if (read.IsCanceled)
            {
                source.AdvanceTo(read.Buffer.Start);
                return new Fault(
                    FaultCode.Canceled, "reading the source was canceled before its end");
            }

            times.EndRead();
            ReadOnlySequence<byte> available = read.Buffer;
            isLast = available.Length <= _geometry.StripeBytes;
            if (available.IsEmpty)
            {
                break;
            }

            ReadOnlySequence<byte> stripe =
                available.Slice(0, Math.Min(available.Length, _geometry.StripeBytes));
            Result<StripeInfo> encoded = EncodeStripe(
                stripe, isLast, buffers, draft, governor);
            source.AdvanceTo(stripe.End);
            times.EndMake();
            if (!encoded.IsOk)
            {
                return encoded.Fault;
            }

            times.Tell(governor);
            times.Begin();
            Result written =
                await WriteStripeAsync(shards, open, buffers, encoded.Value, cancellation);
            times.EndWrite();
            if (!written.IsOk)
            {
                return written;
            }
        }

        return Result.Ok;
    }

    private static Result<StripeInfo> EncodeStripe(
        in ReadOnlySequence<byte> stripe,
        bool isLast,
        StripeBuffers buffers,
        ManifestDraft draft,
        CompressionGovernor? governor)
    {
        ReadOnlySpan<byte> plain = stripe.FirstSpan;
        if (!stripe.IsSingleSegment)
        {
            stripe.CopyTo(buffers.Plain.Span);
            plain = buffers.Plain.Span[..(int)stripe.Length];
        }

        CompressionLevel wanted = draft.LevelFor(plain);
        CompressionLevel level = governor?.Limit(wanted) ?? wanted;
        StripeInfo info = buffers.Encode(draft.Cipher, draft.NextStripe, isLast, plain, level);
        Result added = draft.Add(info, plain);
        return added.IsOk ? info : added.Fault;
    }

    /// <summary>
    /// Fails where so few shard streams are still read that the object could not lose one more. A
    /// stream that ends early is left out from then on.
    /// </summary>
    private async Task<Result> WriteStripeAsync(
        IReadOnlyList<PipeWriter> shards,
        bool[] open,
        StripeBuffers buffers,
        StripeInfo stripe,
        CancellationToken cancellation)
    {
        for (int shard = 0; shard < shards.Count; shard++)
        {
            int position =
                ShardPlacement.PositionOf(stripe.StripeIndex, shard, shards.Count);
            if (!open[position])
            {
                continue;
            }

            PipeWriter writer = shards[position];
            writer.Write(buffers.Header(shard).Span);
            writer.Write(buffers.Shard(shard, stripe.ShardBytes).Span);
            FlushResult flushed = await writer.FlushAsync(cancellation);
            if (flushed.IsCanceled)
            {
                return new Fault(FaultCode.Canceled, "writing a shard stream was canceled");
            }

            // Nobody reads this one any more: its shards are lost.
            open[position] = !flushed.IsCompleted;
        }

        int left = open.AsSpan().Count(true);
        Redundancy redundancy = _geometry.Redundancy;
        return left >= redundancy.CommitQuorum
            ? Result.Ok
            : new Fault(
                FaultCode.Unavailable,
                $"only {left} of {redundancy.TotalShards} shard streams are still being read, "
                    + $"needed are {redundancy.CommitQuorum}",
                "find out why the readers of the others ended");
    }
}
