using System.Security.Cryptography;

using Microsoft.Win32.SafeHandles;

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>
/// Whole files on several cores: stripes are made and restored side by side, and what must be in
/// order (the content's hash, the place of a record) takes turns. Memory is
/// <see cref="StripeTeam.BuffersPerThread"/> stripes a thread.
/// </summary>
public static class ParallelFiles
{
    public const int ThreadsMax = 256;

    /// <summary>Stores a regular file into k + m empty, writable shard files.</summary>
    /// <param name="keys">The current one is used.</param>
    /// <param name="options">How the object is stored.</param>
    /// <param name="source">Read from its start to its end.</param>
    /// <param name="shards">The file of each position.</param>
    /// <param name="threads">Stripes that are made at once.</param>
    /// <param name="pool">Where memory comes from; null takes new memory for this object.</param>
    public static Result<Manifest> Encode(
        KeyRing keys,
        CesOptions options,
        SafeFileHandle source,
        IReadOnlyList<SafeFileHandle> shards,
        int threads,
        StripePool? pool = null)
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

        using StripePool? ownPool = pool is null ? new StripePool(0) : null;
        using var draft = new ManifestDraft(keys.Current, options, geometry.Value, name.Value);
        Result<Manifest> stored = default;
        Result done = FileFaults.Guard(() => stored = EncodeStripes(
            draft, options, geometry.Value, source, shards, threads, (pool ?? ownPool)!));
        return done.IsOk ? stored : done.Fault;
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
    /// <param name="pool">Where memory comes from; null takes new memory for this object.</param>
    /// <param name="isOutputDirect">
    /// The output was opened with O_DIRECT: whole blocks are written and what is too much is cut
    /// off. Nothing is left in the page cache, and it is durable but for the device's own cache.
    /// </param>
    public static Result<Manifest> Decode(
        KeyRing keys,
        IReadOnlyList<FileStream?> shards,
        SafeFileHandle output,
        int threads,
        bool checkHash = false,
        StripePool? pool = null,
        bool isOutputDirect = false)
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

        if (isOutputDirect && manifest.Geometry.StripeBytes % AlignedMemory.Alignment != 0)
        {
            return Fault.InvalidParameter(
                "output",
                $"stripes of {manifest.Geometry.StripeBytes} bytes cannot be written directly",
                "open the output without O_DIRECT");
        }

        using StripePool? ownPool = pool is null ? new StripePool(0) : null;
        Result<StripeTeam> team = StripeTeam.Gather(
            (pool ?? ownPool)!, manifest.Geometry, manifest.HeaderStride, manifest.Stripes.Count,
            (isOutputDirect ? StripeTeam.ThreadsPerDirect : 1) * Math.Min(threads, ThreadsMax));
        if (!team.IsOk)
        {
            return team.Fault;
        }

        using StripeTeam members = team.Value;
        return Restore(opened.Value, key.Value, output, members, checkHash, isOutputDirect);
    }

    private static Result<Manifest> Restore(
        ShardStreams streams,
        MasterKey key,
        SafeFileHandle output,
        StripeTeam members,
        bool checkHash,
        bool isOutputDirect)
    {
        Manifest manifest = streams.Manifest;
        using IncrementalHash? hash =
            checkHash ? IncrementalHash.CreateHash(HashAlgorithmName.SHA256) : null;
        var decoding = new FileDecoding(
            streams, hash, output, isOutputDirect, members.Buffers);
        Result done = members.Work(decoding, () => ObjectCipher.Create(key, manifest.ObjectId));
        if (done.IsOk && isOutputDirect)
        {
            done = FileFaults.Guard(() => RandomAccess.SetLength(output, manifest.Bytes));
        }

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

    private static Result<Manifest> EncodeStripes(
        ManifestDraft draft,
        CesOptions options,
        StripeGeometry geometry,
        SafeFileHandle source,
        IReadOnlyList<SafeFileHandle> shards,
        int threads,
        StripePool pool)
    {
        long bytes = RandomAccess.GetLength(source);
        Result<StripeTeam> team = StripeTeam.Gather(
            pool, geometry, options.HeaderStride, geometry.StripesFor(bytes),
            Math.Min(threads, ThreadsMax));
        if (!team.IsOk)
        {
            return team.Fault;
        }

        using StripeTeam members = team.Value;
        var encoding = new FileEncoding(
            draft, options, geometry, source, bytes, shards, members.Buffers);
        Result done = members.Work(encoding, draft.NewCipher);
        if (!done.IsOk)
        {
            return done.Fault;
        }

        Manifest manifest = draft.Finish();
        byte[] encoded = draft.Encode(manifest);
        foreach (SafeFileHandle shard in shards)
        {
            RandomAccess.Write(shard, encoded, encoding.RecordsEnd);
        }

        return manifest;
    }

    private static Result<ShardStreams> Open(IReadOnlyList<FileStream?> shards, KeyRing keys)
    {
        Result<ShardStreams> opened = default;
        Result done = FileFaults.Guard(() => opened =
            ShardStreams.OpenAsync(shards, keys, CancellationToken.None)
                .GetAwaiter().GetResult());
        return done.IsOk ? opened : done.Fault;
    }
}
