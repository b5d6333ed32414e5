using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// The stripe slots of one transfer: a fixed small number that are used in turn, so that reading, computing
/// and writing of neighbouring stripes overlap while memory stays bounded however large the object is.
/// </summary>
internal sealed class StripeSlots : IDisposable
{
    /// <summary>One stripe being read, one in the processor, two on their way to the devices.</summary>
    public const int PerTransfer = 4;

    private readonly BufferPool _pool;
    private readonly StripeSlot[] _slots;

    private StripeSlots(BufferPool pool, StripeSlot[] slots)
    {
        _pool = pool;
        _slots = slots;
    }

    public int Count => _slots.Length;

    /// <summary>The slot whose turn it is for that stripe.</summary>
    public StripeSlot this[long stripeIndex] => _slots[stripeIndex % _slots.Length];

    /// <summary>
    /// Rents the slots. With a transfer permit in hand this cannot run dry: the pool holds
    /// <see cref="PerTransfer"/> slabs for each of <see cref="Limits.TransfersMax"/> transfers.
    /// </summary>
    public static StripeSlots Rent(BufferPool pool, in StripeGeometry geometry)
    {
        var slots = new StripeSlot[PerTransfer];
        for (int i = 0; i < slots.Length; i++)
        {
            bool rented = pool.TryRent(out BufferLease lease);
            Invariant.Check(rented, "the pool is the sum of all transfers' slots");
            slots[i] = new StripeSlot(pool, lease, geometry);
        }

        return new StripeSlots(pool, slots);
    }

    /// <summary>Gives the slabs back. No operation may be under way on any of them.</summary>
    public void Dispose()
    {
        foreach (StripeSlot slot in _slots)
        {
            _pool.Return(slot.Lease);
        }
    }
}
