using System.Security.Cryptography;

using Microsoft.Win32.SafeHandles;

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>
/// Whole files on several cores: stripes are made and restored side by side, each thread with its
/// own codec and buffers, so memory is threads times one stripe. What must be in order (the
/// content's hash, the place of a record) takes turns; reading and writing are positional and do
/// not.
/// </summary>
public static class ParallelFiles
{
    public const int ThreadsMax = 256;

    /// <summary>Stores a regular file into k + m empty, writable shard files.</summary>
    public static Result<Manifest> Encode(
        KeyRing keys,
        CesOptions options,
        SafeFileHandle source,
        IReadOnlyList<SafeFileHandle> shards,
        int threads)
    {
        Result<StripeGeometry> geometry = options.Geometry();
        Result<ObjectName> name = ObjectName.Parse(options.Name);
        if (!geometry.IsOk || !name.IsOk)
        {
            return (geometry.Fault ?? name.Fault)!;
        }

        if (shards.Count != geometry.Value.Redundancy.TotalShards)
        {
            return Fault.InvalidParameter(
                "shards",
                $"{geometry.Value.Redundancy} needs {geometry.Value.Redundancy.TotalShards} "
                    + $"shard files, not {shards.Count}");
        }

        using var draft = new ManifestDraft(keys.Current, options, geometry.Value, name.Value);
        var encoding = new FileEncoding(draft, options, geometry.Value, source, shards);
        Result done = RunThreads(threads, encoding.Order, encoding.Run);
        if (!done.IsOk)
        {
            return done.Fault;
        }

        Manifest manifest = draft.Finish();
        byte[] encoded = draft.Encode(manifest);
        Guard(encoding.Order, () =>
        {
            foreach (SafeFileHandle shard in shards)
            {
                RandomAccess.Write(shard, encoded, encoding.RecordsEnd);
            }
        });
        return encoding.Order.Fault is null ? manifest : encoding.Order.Fault;
    }

    /// <summary>
    /// Restores an object from its shard files into an empty, writable regular file. On a fault the
    /// output holds some stripes of the object and is to be thrown away.
    /// </summary>
    /// <param name="keys">The object's key is among them.</param>
    /// <param name="shards">Shard files in any order; null ones count as lost.</param>
    /// <param name="output">Receives the object.</param>
    /// <param name="threads">Stripes that are restored at once.</param>
    /// <param name="checkHash">
    /// Compares the SHA-256 of the whole besides. It proves nothing more against damage or forgery:
    /// every stripe is authentic, and the authentic manifest says how many there are and how long
    /// each is. It costs a third of the CPU time of a get.
    /// </param>
    public static Result<Manifest> Decode(
        KeyRing keys,
        IReadOnlyList<FileStream?> shards,
        SafeFileHandle output,
        int threads,
        bool checkHash = false)
    {
        Result<ShardStreams> opened = Open(shards, keys);
        if (!opened.IsOk)
        {
            return opened.Fault;
        }

        Manifest manifest = opened.Value.Manifest;
        Result<MasterKey> key = keys.Find(manifest.KeyId);
        if (!key.IsOk)
        {
            return key.Fault;
        }

        using IncrementalHash? hash =
            checkHash ? IncrementalHash.CreateHash(HashAlgorithmName.SHA256) : null;
        var decoding = new FileDecoding(opened.Value, key.Value, hash, output);
        Result done = RunThreads(threads, decoding.Order, decoding.Run);
        if (!done.IsOk)
        {
            return done.Fault;
        }

        return hash is null
            || hash.GetHashAndReset().AsSpan().SequenceEqual(manifest.ContentHash.AsSpan())
            ? manifest
            : new Fault(
                FaultCode.Corrupt,
                $"every stripe of object {manifest.ObjectId} is authentic, their SHA-256 is not",
                "it was written by a defective program");
    }

    private static Result<ShardStreams> Open(IReadOnlyList<FileStream?> shards, KeyRing keys)
    {
        try
        {
            return ShardStreams.OpenAsync(shards, keys, CancellationToken.None)
                .GetAwaiter().GetResult();
        }
        catch (Exception failure) when (IsOfTheKernel(failure))
        {
            return new Fault(FaultCode.Io, failure.Message);
        }
    }

    private static Result RunThreads(int threads, StripeOrder order, Action work)
    {
        var others = new Thread[Math.Clamp(threads, 1, ThreadsMax) - 1];
        for (int i = 0; i < others.Length; i++)
        {
            others[i] = new Thread(() => Guard(order, work)) { IsBackground = true };
            others[i].Start();
        }

        Guard(order, work);
        foreach (Thread other in others)
        {
            other.Join();
        }

        return order.Fault is null ? Result.Ok : order.Fault;
    }

    private static void Guard(StripeOrder order, Action work)
    {
        try
        {
            work();
        }
        catch (Exception failure) when (IsOfTheKernel(failure))
        {
            order.Fail(new Fault(FaultCode.Io, failure.Message));
        }
    }

    // RandomAccess reports what the kernel says only as an exception.
    private static bool IsOfTheKernel(Exception failure) =>
        failure is IOException or UnauthorizedAccessException or NotSupportedException;
}
