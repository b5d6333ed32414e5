using System.Buffers;

using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Ces;

/// <summary>
/// The stored size of each stripe of an object, 4 bytes a stripe: the lower 31 bits are the stored
/// bytes, the highest bit says zstd. With the geometry and the object's size it tells all about
/// every stripe.
/// </summary>
/// <remarks>
/// Its memory comes from the shared pool of arrays and goes back there when it is disposed; one
/// that is not disposed is left to the collector.
/// </remarks>
public sealed class StripeTable : IDisposable
{
    internal const uint ZstdBit = 1u << 31;

    private uint[] _entries;

    public StripeTable()
        : this(0)
    {
    }

    /// <param name="stripes">Room for so many, as far as is known; it grows beyond.</param>
    public StripeTable(int stripes) =>
        _entries = stripes == 0 ? [] : ArrayPool<uint>.Shared.Rent(stripes);

    public int Count { get; private set; }

    /// <summary>Sum of the stored bytes of all stripes, padding and parity not counted.</summary>
    public long StoredBytes { get; private set; }

    internal ReadOnlySpan<uint> Entries => _entries.AsSpan(0, Count);

    /// <summary>Appends the next stripe as <see cref="StripeCodec.Encode"/> made it.</summary>
    public Result Add(in StripeInfo stripe)
    {
        Invariant.Check(stripe.StripeIndex == (ulong)Count);
        if (Count >= Limits.StripesPerObjectMax)
        {
            return new Fault(
                FaultCode.TooLarge,
                $"an object has at most {Limits.StripesPerObjectMax} stripes",
                "choose a larger stripeBytes for this object class");
        }

        AddEntry(EntryOf(stripe));
        return Result.Ok;
    }

    public void Dispose() => Replace([]);

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
        if (Count == _entries.Length)
        {
            uint[] larger = ArrayPool<uint>.Shared.Rent(Math.Max(16, 2 * Count));
            Entries.CopyTo(larger);
            int count = Count;
            Replace(larger);
            Count = count;
        }

        _entries[Count++] = entry;
        StoredBytes += entry & ~ZstdBit;
    }

    private void Replace(uint[] entries)
    {
        if (_entries.Length > 0)
        {
            ArrayPool<uint>.Shared.Return(_entries);
        }

        _entries = entries;
        Count = 0;
    }
}
