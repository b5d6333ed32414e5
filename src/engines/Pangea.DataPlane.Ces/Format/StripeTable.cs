using System.Runtime.InteropServices;

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>
/// The stored size of each stripe of an object, 4 bytes a stripe: the lower 31 bits are the stored
/// bytes, the highest bit says zstd. With the geometry and the object's size it tells all about
/// every stripe.
/// </summary>
public sealed class StripeTable
{
    internal const uint ZstdBit = 1u << 31;

    private readonly List<uint> _entries;

    public StripeTable()
        : this([])
    {
    }

    internal StripeTable(List<uint> entries) => _entries = entries;

    public int Count => _entries.Count;

    /// <summary>Sum of the stored bytes of all stripes, padding and parity not counted.</summary>
    public long StoredBytes { get; private set; }

    internal ReadOnlySpan<uint> Entries => CollectionsMarshal.AsSpan(_entries);

    /// <summary>Appends the next stripe as <see cref="StripeCodec.Encode"/> made it.</summary>
    public Result Add(in StripeInfo stripe)
    {
        Invariant.Check(stripe.StripeIndex == (ulong)_entries.Count);
        if (_entries.Count >= Limits.StripesPerObjectMax)
        {
            return new Fault(
                FaultCode.TooLarge,
                $"an object has at most {Limits.StripesPerObjectMax} stripes",
                "choose a larger stripeBytes for this object class");
        }

        AddEntry(EntryOf(stripe));
        return Result.Ok;
    }

    internal static uint EntryOf(in StripeInfo stripe) =>
        (uint)stripe.StoredBytes | (stripe.Compression == StripeCompression.Zstd ? ZstdBit : 0);

    internal static StripeInfo InfoOf(
        uint entry, int index, bool isLast, int plainBytes, in StripeGeometry geometry)
    {
        int storedBytes = (int)(entry & ~ZstdBit);
        return new StripeInfo(
            (ulong)index,
            isLast,
            plainBytes,
            storedBytes,
            geometry.ShardBytesFor(storedBytes),
            (entry & ZstdBit) != 0 ? StripeCompression.Zstd : StripeCompression.Raw);
    }

    internal void AddEntry(uint entry)
    {
        _entries.Add(entry);
        StoredBytes += entry & ~ZstdBit;
    }
}
