using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Memory;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// The stripe slots of one transfer: a small number that are used in turn, so that reading,
/// computing and writing of neighbouring stripes overlap while memory stays bounded however large
/// the object is.
/// </summary>
internal sealed class StripeSlots : IDisposable
{
    private readonly StorageService _service;
    private readonly StripeSlot[] _slots;

    private StripeSlots(StorageService service, StripeSlot[] slots)
    {
        _service = service;
        _slots = slots;
    }

    public int Count => _slots.Length;

    /// <summary>The slot whose turn it is for that stripe.</summary>
    public StripeSlot this[long stripeIndex] => _slots[stripeIndex % _slots.Length];

    /// <summary>
    /// Rents the slots. With a transfer permit in hand this cannot run dry: the pool holds
    /// <see cref="StripeShares.All"/> slabs for transfers.
    /// </summary>
    /// <param name="service">Whose pool and loop.</param>
    /// <param name="geometry">How the object is cut.</param>
    /// <param name="key">The object's master key.</param>
    /// <param name="id">The object.</param>
    public static StripeSlots Rent(
        StorageService service, in StripeGeometry geometry, MasterKey key, ObjectId id)
    {
        var slots = new StripeSlot[service.Stripes.Take()];
        for (int i = 0; i < slots.Length; i++)
        {
            bool rented = service.Pool.TryRent(
                service.Slabs.StripeSlabBytes, out BufferLease lease);
            Invariant.Check(rented, "the pool is the sum of all transfers' slots");
            slots[i] = new StripeSlot(service.Pool, lease, geometry);
            slots[i].Job = new StripeJob(
                slots[i], service.Reactor, ObjectCipher.Create(key, id), geometry);
        }

        return new StripeSlots(service, slots);
    }

    /// <summary>
    /// Gives the slabs back. No operation and no job may be under way on any of them.
    /// </summary>
    public void Dispose()
    {
        foreach (StripeSlot slot in _slots)
        {
            slot.Job.Dispose();
            _service.Pool.Return(slot.Lease);
        }

        _service.Stripes.Return(_slots.Length);
    }
}
