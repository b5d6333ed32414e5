using System.Collections.Immutable;
using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;
using ObjectEntry = Pangea.DataPlane.Catalog.ObjectEntry;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Every put: checks the call, finds out whether the object is small, waits for the memory that it
/// needs, and publishes what was made durable.
/// </summary>
internal static class ObjectPut
{
    /// <summary>As <see cref="StartAsync"/>, with the result as a record.</summary>
    public static async ValueTask<Result<ObjectPutResult>> RunAsync(
        StorageService service, ObjectPutParameters call, CallerFile source, TransferWatch watch)
    {
        Result<PutOutcome> outcome = await StartAsync(service, call, source, watch);
        return outcome.IsOk ? outcome.Value.ToResult() : outcome.Fault;
    }

    /// <summary>
    /// Stores what the source holds. With a fault nothing was stored and nothing is left behind.
    /// Allocates nothing for a small object but what the catalog keeps of it.
    /// </summary>
    public static ValueTask<Result<PutOutcome>> StartAsync(
        StorageService service, ObjectPutParameters call, CallerFile source, TransferWatch watch)
    {
        PutJob job = service.Puts.TryPop(out PutJob? used)
            ? used
            : new PutJob(service, service.Puts);
        return job.Start(call, source, watch);
    }

    /// <param name="service">Whose.</param>
    /// <param name="request">What.</param>
    /// <param name="source">From where.</param>
    /// <param name="watch">Who ends it.</param>
    /// <param name="slot">Holds the first bytes, where some were read already; is returned.</param>
    /// <param name="prefixBytes">How many they are.</param>
    public static async ValueTask<Result<PutOutcome>> RunLargeAsync(
        StorageService service, PutRequest request, CallerFile source, TransferWatch watch,
        SmallSlot? slot, int prefixBytes)
    {
        bool entered = await service.Transfers.EnterAsync(watch.Token);
        Result<PutTransfer> transfer = default;
        if (entered)
        {
            watch.Start();
            transfer = PutTransfer.Create(service, request, source, watch);
            if (transfer.IsOk && slot is not null)
            {
                transfer.Value.Preload(slot.Plain(prefixBytes));
            }
        }

        if (slot is not null)
        {
            service.Small.Return(slot);
        }

        if (!entered)
        {
            return watch.Ending;
        }

        Result<PutOutcome> result = transfer.IsOk
            ? await transfer.Value.RunAsync()
            : transfer.Fault;
        service.Transfers.Leave();
        service.NoteServed();
        return result;
    }

    /// <summary>What a manifest says of a new object.</summary>
    public static Manifest Describe(
        PutRequest request, ObjectCommit commit, in StripeGeometry geometry, int headerStride,
        StripeTable stripes, long createdMs, long bytes, ReadOnlySpan<byte> hash, FileType type)
    {
        ImmutableArray<UInt128>.Builder devices =
            ImmutableArray.CreateBuilder<UInt128>(commit.Positions);
        for (int position = 0; position < commit.Positions; position++)
        {
            devices.Add(commit.DeviceOf(position).Id.Value.Value);
        }

        return new Manifest
        {
            Name = request.Name,
            ObjectId = commit.Id,
            KeyId = request.Key.Id,
            Created = DateTimeOffset.FromUnixTimeMilliseconds(createdMs),
            Bytes = bytes,
            ContentHash = [.. hash],
            Geometry = geometry,
            HeaderStride = headerStride,
            FileType = type,
            Stripes = stripes,
            Devices = devices.MoveToImmutable(),
        };
    }

    public static CommitTerms TermsOf(PutRequest request, ObjectCommit commit, long createdMs) =>
        new(
            commit.Id, request.Kind.Geometry.Redundancy, createdMs,
            request.TtlMs == 0 ? 0 : createdMs + request.TtlMs, request.TtlMs);

    /// <summary>The commit is durable on enough devices: the object becomes visible.</summary>
    public static PutOutcome Publish(
        StorageService service, in PutRequest request, ObjectCommit commit, in CommitTerms terms,
        long bytes, long stripes, ContentHash hash, long frameBytes)
    {
        long storedBytes = frameBytes;
        for (int position = 0; position < commit.Positions; position++)
        {
            storedBytes += commit.EntryOf(position).Bytes;
        }

        var entry = new ObjectEntry(
            request.Name, commit.Id, terms.CreatedMs, bytes, storedBytes,
            (byte)terms.Redundancy.DataShards, (byte)terms.Redundancy.ParityShards,
            terms.ExpiresMs, terms.TtlMs, default, service.Ordinals.LocationsOf(commit));
        bool replaced = service.Versions.Publish(entry);
        ReportMissing(service, commit);
        return new PutOutcome(
            request.Name, commit.Id, bytes, storedBytes, stripes, hash, replaced,
            commit.Participants, commit.Positions, terms.ExpiresMs);
    }

    private static void ReportMissing(StorageService service, ObjectCommit commit)
    {
        ulong missing = 0;
        for (int position = 0; position < commit.Positions; position++)
        {
            missing |= commit.EntryOf(position).IsNone ? 1UL << position : 0;
        }

        if (missing != 0)
        {
            service.Heal.Report(commit.Id, missing);
        }
    }
}
