using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Storage;
using ObjectEntry = Pangea.DataPlane.Catalog.ObjectEntry;

namespace Pangea.DataPlane.Worker;

/// <summary>An object that was opened for reading.</summary>
/// <param name="Manifest">Authenticated.</param>
/// <param name="Reader">Knows where its commit entries are.</param>
internal readonly record struct ObjectSource(Manifest Manifest, ObjectReader Reader);

/// <summary>
/// Where manifests and devices meet: finds an object's manifest on whichever device has a good one.
/// </summary>
internal static class ObjectLocator
{
    /// <summary>
    /// Opens an object: Unavailable where too few of its devices are here, and what is wrong with
    /// the last entry where none could be read. All devices hold the same manifest, so the first
    /// genuine one is the answer.
    /// </summary>
    public static async ValueTask<Result<ObjectSource>> OpenAsync(
        StorageService service, ObjectEntry entry)
    {
        PositionSource[] sources = service.Ordinals.SourcesOf(entry);
        Result possible = ObjectGet.CheckPossible(entry, sources);
        return possible.IsOk ? await OpenAnyAsync(service, entry, sources) : possible.Fault;
    }

    /// <summary>As <see cref="OpenAsync"/>, also where too few devices are here.</summary>
    public static async ValueTask<Result<ObjectSource>> OpenAnyAsync(
        StorageService service, ObjectEntry entry, PositionSource[] sources)
    {
        bool entered = await service.EntryReaders.EnterAsync();
        Invariant.Check(entered);
        BufferLease lease = service.RentEntrySlab();
        Manifest? manifest = null;
        var reader = new ObjectReader(sources, stripe => manifest!.Stripe((int)stripe).ShardBytes);
        Fault? fault = null;
        for (int position = 0; position < sources.Length && manifest is null; position++)
        {
            if (!reader.Has(position))
            {
                continue;
            }

            Result<Manifest> decoded = default;
            Result opened = await reader.OpenAsync(
                position, lease, service.Pool,
                (in CommitEntry _, ReadOnlySpan<byte> encoded, ReadOnlySpan<byte> _) =>
                    decoded = ManifestCodec.Decode(encoded, service.Keys));
            decoded = opened.IsOk ? decoded : opened.Fault;
            fault ??= decoded.Fault;
            manifest = decoded.IsOk && decoded.Value.ObjectId == entry.Id ? decoded.Value : null;
        }

        service.Pool.Return(lease);
        service.EntryReaders.Leave();
        return manifest is not null
            ? new ObjectSource(manifest, reader)
            : fault ?? new Fault(
                FaultCode.Unavailable,
                $"no device holds object \"{entry.Name}\" any more",
                "bring the missing devices back; pangea device list shows them");
    }
}
