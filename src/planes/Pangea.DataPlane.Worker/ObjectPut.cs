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
    /// <summary>
    /// Stores what the source holds. With a fault nothing was stored and nothing is left behind.
    /// </summary>
    public static async ValueTask<Result<ObjectPutResult>> RunAsync(
        StorageService service, ObjectPutParameters call, CallerFile source, TransferWatch watch)
    {
        Result<PutRequest> request = PutRequest.Check(service, call);
        if (!request.IsOk)
        {
            return request.Fault;
        }

        service.RefreshDevices();
        await service.Checkpoints.WaitForRoomAsync();
        if ((call.Bytes ?? source.BytesLeft) > request.Value.Kind.SmallBytes)
        {
            return await RunLargeAsync(service, request.Value, source, watch, null, 0);
        }

        // Of a pipe nothing is known: it is small until it has given more.
        if (!await service.Small.EnterAsync(watch.Token))
        {
            return watch.Ending;
        }

        watch.Start();
        SmallSlot slot = service.Small.Rent(request.Value.Kind.Geometry.Redundancy);
        Result<int> read = await SmallPut.ReadAsync(request.Value, slot, source, watch);
        if (!read.IsOk || read.Value <= request.Value.Kind.SmallBytes)
        {
            Result<ObjectPutResult> stored = read.IsOk
                ? await SmallPut.StoreAsync(
                    service, request.Value, slot, read.Value, source, watch)
                : read.Fault;
            service.Small.Return(slot);
            service.NoteServed();
            return stored;
        }

        return await RunLargeAsync(
            service, request.Value, source, watch, slot, read.Value);
    }

    /// <param name="service">Whose.</param>
    /// <param name="request">What.</param>
    /// <param name="source">From where.</param>
    /// <param name="watch">Who ends it.</param>
    /// <param name="slot">Holds the first bytes, where some were read already; is returned.</param>
    /// <param name="prefixBytes">How many they are.</param>
    private static async ValueTask<Result<ObjectPutResult>> RunLargeAsync(
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

        Result<ObjectPutResult> result = transfer.IsOk
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
    public static ObjectPutResult Publish(
        StorageService service, PutRequest request, ObjectCommit commit, CommitTerms terms,
        Manifest manifest, long frameBytes)
    {
        long storedBytes = frameBytes;
        for (int position = 0; position < commit.Positions; position++)
        {
            storedBytes += commit.EntryOf(position).Bytes;
        }

        var entry = new ObjectEntry(
            request.Name, commit.Id, terms.CreatedMs, manifest.Bytes, storedBytes,
            (byte)terms.Redundancy.DataShards, (byte)terms.Redundancy.ParityShards,
            terms.ExpiresMs, terms.TtlMs, default, service.Ordinals.LocationsOf(commit));
        bool replaced = service.Versions.Publish(entry);
        ReportMissing(service, commit);
        return new ObjectPutResult
        {
            Name = request.Name.Text,
            Id = commit.Id.ToString(),
            Bytes = manifest.Bytes,
            StoredBytes = storedBytes,
            Stripes = manifest.Stripes.Count,
            Sha256 = Convert.ToHexStringLower(manifest.ContentHash.AsSpan()),
            Replaced = replaced,
            DevicesCommitted = commit.Participants,
            DevicesTotal = commit.Positions,
            Expires = ObjectReports.TimeOf(terms.ExpiresMs),
        };
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
