using System.Security.Cryptography;

using Microsoft.Win32.SafeHandles;

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>One object on its way from shard files into a file; <see cref="Run"/> is a thread's
/// work.</summary>
internal sealed class FileDecoding
{
    private readonly ShardStreams _streams;
    private readonly MasterKey _key;
    private readonly IncrementalHash? _hash;
    private readonly SafeFileHandle _output;

    public FileDecoding(
        ShardStreams streams, MasterKey key, IncrementalHash? hash, SafeFileHandle output)
    {
        _streams = streams;
        _key = key;
        _hash = hash;
        _output = output;
    }

    public StripeOrder Order { get; } = new();

    public void Run()
    {
        Manifest manifest = _streams.Manifest;
        Result<StripeBuffers> created =
            StripeBuffers.Create(manifest.Geometry, manifest.HeaderStride);
        if (!created.IsOk)
        {
            Order.Fail(created.Fault);
            return;
        }

        using StripeBuffers buffers = created.Value;
        using ObjectCipher cipher = ObjectCipher.Create(_key, manifest.ObjectId);
        int stripes = manifest.Stripes.Count;
        for (long i = Order.Take(stripes); i >= 0; i = Order.Take(stripes))
        {
            Result restored = RestoreStripe(buffers, cipher, manifest.Stripe((int)i));
            if (!restored.IsOk)
            {
                Order.Fail(restored.Fault);
            }
        }
    }

    private Result RestoreStripe(StripeBuffers buffers, ObjectCipher cipher, StripeInfo stripe)
    {
        Array.Clear(buffers.Shards);
        _streams.Read(buffers, stripe, buffers.Geometry.Redundancy.DataShards);
        Result restored = buffers.Decode(cipher, stripe);
        if (!restored.IsOk)
        {
            // Damaged, or forged: the other shards decide.
            _streams.Read(buffers, stripe, buffers.Shards.Length);
            restored = buffers.Decode(cipher, stripe);
        }

        if (!restored.IsOk)
        {
            return restored;
        }

        ReadOnlySpan<byte> plain = buffers.Plain.AsSpan(0, stripe.PlainBytes);
        if (_hash is not null)
        {
            if (!Order.Enter((long)stripe.StripeIndex))
            {
                return Result.Ok;
            }

            _hash.AppendData(plain);
            Order.Leave();
        }

        RandomAccess.Write(
            _output, plain, (long)stripe.StripeIndex * buffers.Geometry.StripeBytes);
        return Result.Ok;
    }
}
