using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;
using ObjectEntry = Pangea.DataPlane.Catalog.ObjectEntry;

namespace Pangea.DataPlane.Worker;

/// <summary>What a get found on its way, beside the content.</summary>
/// <param name="Sha256">Of the whole content, 64 hexadecimal digits.</param>
/// <param name="Stripes">Stripes of the object.</param>
/// <param name="StripesRepaired">Stripes that parity was needed for.</param>
/// <param name="ShardsLost">Shards that were missing or damaged.</param>
internal readonly record struct GetOutcome(
    string Sha256, long Stripes, long StripesRepaired, long ShardsLost);

/// <summary>
/// Every get: finds the object, waits for the memory that it needs, and notes that it was read.
/// </summary>
internal static class ObjectGet
{
    public static async ValueTask<Result<ObjectGetResult>> RunAsync(
        StorageService service, ObjectGetParameters call, CallerFile target, TransferWatch watch)
    {
        Result<ObjectName> name = ObjectName.Parse(call.Name);
        if (!name.IsOk)
        {
            return name.Fault;
        }

        if (service.Versions.Find(name.Value) is not { } entry)
        {
            return ObjectVersions.NameUnknown(name.Value);
        }

        Result<GetRange> range = GetRange.Of(call, entry.Bytes);
        if (!range.IsOk)
        {
            return range.Fault;
        }

        service.RefreshDevices();
        service.Garbage.BeginRead(entry.Id);
        Result<GetOutcome> outcome = GarbageQueue.IsSmall(entry)
            ? await RunSmallAsync(service, entry, range.Value, target, watch)
            : await RunLargeAsync(service, entry, range.Value, target, watch);
        service.Garbage.EndRead(entry.Id);
        service.NoteServed();
        if (!outcome.IsOk)
        {
            return outcome.Fault;
        }

        target.AdvancePosition();
        service.Expiry.NoteGet(entry, range.Value.Bytes);
        return Describe(entry, range.Value, outcome.Value);
    }

    private static async ValueTask<Result<GetOutcome>> RunSmallAsync(
        StorageService service, ObjectEntry entry, GetRange range, CallerFile target,
        TransferWatch watch)
    {
        if (!await service.Small.EnterAsync(watch.Token))
        {
            return watch.Ending;
        }

        watch.Start();
        SmallSlot slot = service.Small.Rent(
            new Redundancy(entry.DataShards, entry.ParityShards));
        Result<GetOutcome> outcome =
            await SmallGet.RunAsync(service, slot, entry, range, target, watch);
        service.Small.Return(slot);
        return outcome;
    }

    private static async ValueTask<Result<GetOutcome>> RunLargeAsync(
        StorageService service, ObjectEntry entry, GetRange range, CallerFile target,
        TransferWatch watch)
    {
        if (!await service.Transfers.EnterAsync(watch.Token))
        {
            return watch.Ending;
        }

        watch.Start();
        Result<GetOutcome> outcome =
            await GetTransfer.RunAsync(service, entry, range, target, watch);
        service.Transfers.Leave();
        return outcome;
    }

    /// <summary>
    /// Whether an object can be restored here at all, before the first byte of it moves.
    /// </summary>
    public static Result CheckPossible(ObjectEntry entry, PositionSource[] sources)
    {
        int available = sources.Count(source => source.IsHere);
        return available >= entry.DataShards ? Result.Ok : TooFew(entry, available);
    }

    public static Fault TooFew(ObjectEntry entry, int available) => new(
        FaultCode.Unavailable,
        $"object \"{entry.Name}\" needs {entry.DataShards} of {entry.Locations.Length} shards, "
            + $"has {available}",
        "bring the missing devices back; pangea stat shows which");

    private static ObjectGetResult Describe(
        ObjectEntry entry, GetRange range, GetOutcome outcome) => new()
        {
            Name = entry.Name.Text,
            Id = entry.Id.ToString(),
            Bytes = entry.Bytes,
            Sha256 = outcome.Sha256,
            Stripes = outcome.Stripes,
            StripesRepaired = outcome.StripesRepaired,
            ShardsLost = outcome.ShardsLost,
            Offset = range.IsWhole ? null : range.Offset,
            Length = range.IsWhole ? null : range.Bytes,
        };
}
