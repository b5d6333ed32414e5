using Pangea.DataPlane.Catalog;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Storage;
using ObjectEntry = Pangea.DataPlane.Catalog.ObjectEntry;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Every get: finds the object, waits for the memory that it needs, and notes that it was read.
/// </summary>
internal static class ObjectGet
{
    /// <summary>As <see cref="StartAsync"/>, with the result as a record.</summary>
    public static async ValueTask<Result<ObjectGetResult>> RunAsync(
        StorageService service, ObjectGetParameters call, CallerFile target, TransferWatch watch)
    {
        Result<GetOutcome> outcome = await StartAsync(service, call, target, watch);
        return outcome.IsOk ? outcome.Value.ToResult() : outcome.Fault;
    }

    /// <summary>
    /// Writes the object, or a range of it, into the caller's file. Allocates nothing for a small
    /// object whose entry the catalog has at hand.
    /// </summary>
    public static ValueTask<Result<GetOutcome>> StartAsync(
        StorageService service, ObjectGetParameters call, CallerFile target, TransferWatch watch)
    {
        GetJob job = service.Gets.TryPop(out GetJob? used)
            ? used
            : new GetJob(service, service.Gets);
        return job.Start(call, target, watch);
    }

    public static async ValueTask<Result<GetFindings>> RunLargeAsync(
        StorageService service, ObjectEntry entry, GetRange range, CallerFile target,
        TransferWatch watch)
    {
        if (!await service.Transfers.EnterAsync(watch.Token))
        {
            return watch.Ending;
        }

        watch.Start();
        Result<GetFindings> outcome =
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
}
