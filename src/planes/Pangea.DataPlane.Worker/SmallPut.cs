// HOT PATH. Per 4 KiB object of 8+4: one read of 4 KiB, SHA-256 and ChaCha20 over 4 KiB each, five
// HMACs over some 100 bytes, parity and CRC over 6 KiB, 12 entries of 1.2 KiB copied into batches.
// No system call of its own but the read: the flush is shared by all puts under way.
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// A put of an object of one stripe whose shards are packed into the commit entries, one entry for
/// each device: nothing else is written, and the group commit of each device takes it along.
/// </summary>
internal static class SmallPut
{
    /// <summary>
    /// Reads the source to its end, or one byte beyond what a small object may have.
    /// </summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public static async ValueTask<Result<int>> ReadAsync(
        PutRequest request, SmallSlot slot, CallerFile source, TransferWatch watch)
    {
        SysResult read = await source.ReadFullyAsync(
            slot.PlainSlice(0, request.Kind.SmallBytes + 1), watch);
        if (watch.Token.IsCancellationRequested)
        {
            return watch.Ending;
        }

        if (!read.IsOk)
        {
            return CallerFile.ReadFault(read.Errno);
        }

        return request.Call.Bytes is { } announced && read.Value > announced
            ? PutRequest.WrongLength(announced, $"more than {announced}")
            : (int)read.Value;
    }

    /// <summary>Seals the plain bytes of the slot and makes them durable.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public static async ValueTask<Result<ObjectPutResult>> StoreAsync(
        StorageService service, PutRequest request, SmallSlot slot, int bytes,
        CallerFile source, TransferWatch watch)
    {
        Result complete = request.CheckComplete(service, bytes, watch);
        ObjectCommit commit = slot.Commit;
        Redundancy redundancy = request.Kind.Geometry.Redundancy;
        Result enough = complete.IsOk
            ? commit.Begin(
                service.Devices, redundancy, ObjectId.New(), service.DevicesNeeded(redundancy))
            : complete;
        if (!enough.IsOk)
        {
            return enough.Fault;
        }

        Sealed made = Seal(service, request, slot, bytes);
        using NameClaim claim = service.Versions.Claim(request.Name);
        Manifest manifest = ObjectPut.Describe(
            request, commit, request.Kind.SmallGeometry, SmallSlot.HeaderStride, made.Stripes,
            claim.CreatedMs, bytes, made.Hash, made.Type);
        CommitTerms terms = ObjectPut.TermsOf(request, commit, claim.CreatedMs);
        long epoch = service.Commits.Enter();
        service.InFlight.Add(commit.Id);
        Result committed = await commit.CommitAsync(
            terms, ManifestCodec.Encode(manifest, request.Key), made.Shards, made.ShardStride,
            null);
        Result<ObjectPutResult> result = committed.IsOk
            ? ObjectPut.Publish(service, request, commit, terms, manifest, 0)
            : committed.Fault!;
        service.InFlight.Remove(commit.Id);
        service.Commits.Leave(epoch);
        if (committed.IsOk)
        {
            source.AdvancePosition();
        }

        return result;
    }

    private static Sealed Seal(
        StorageService service, PutRequest request, SmallSlot slot, int bytes)
    {
        ReadOnlySpan<byte> plain = slot.Plain(bytes);
        FileType type = FileTypeDetector.Detect(
            plain[..Math.Min(bytes, FileTypeDetector.HeadBytesMax)], request.Name.Text);
        byte[] hash = SHA256.HashData(plain);
        var stripes = new StripeTable();
        if (bytes == 0)
        {
            return new Sealed(stripes, hash, type, default, 0);
        }

        using ObjectCipher cipher = ObjectCipher.Create(request.Key, slot.Commit.Id);
        StripeInfo info = service.Threads.LoopCodec.Encode(
            cipher, request.Kind.SmallGeometry, 0, isLast: true, plain,
            CompressionPolicy.Choose(request.Kind.Compression, type),
            slot.Headers, SmallSlot.HeaderStride, slot.Payload);
        Result added = stripes.Add(info);
        Invariant.Check(added.IsOk);
        return new Sealed(
            stripes, hash, type, slot.PackShards(info.ShardBytes),
            SmallSlot.HeaderStride + info.ShardBytes);
    }

    private readonly record struct Sealed(
        StripeTable Stripes, byte[] Hash, FileType Type, ReadOnlyMemory<byte> Shards,
        int ShardStride);
}
