namespace Pangea.DataPlane.Memory;

/// <summary>
/// The right to use one slab of a <see cref="BufferPool"/>: a value, not an object. The generation
/// makes a lease that outlived its return recognisable. Whoever rents returns.
/// </summary>
/// <param name="SlabIndex">Which slab of the pool.</param>
/// <param name="Generation">Which renting of that slab.</param>
/// <param name="Bytes">Usable bytes, the pool's slab size.</param>
public readonly record struct BufferLease(int SlabIndex, uint Generation, int Bytes)
{
    /// <summary>A part of the slab, for one transfer.</summary>
    public BufferSlice Slice(int start, int bytes) => new(this, start, bytes);
}

/// <summary>A part of a leased slab.</summary>
/// <param name="Lease">The lease it belongs to.</param>
/// <param name="Start">First byte, counted from the slab's beginning.</param>
/// <param name="Bytes">Length.</param>
public readonly record struct BufferSlice(BufferLease Lease, int Start, int Bytes)
{
    /// <summary>What is left of the slice after its first <paramref name="bytes"/>.</summary>
    public BufferSlice Skip(int bytes) => new(Lease, Start + bytes, Bytes - bytes);
}
