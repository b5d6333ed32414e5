namespace Pangea.DataPlane.Memory;

/// <summary>A piece of a pool's region with slabs of one length.</summary>
/// <param name="Address">Where it begins.</param>
/// <param name="Bytes">How long it is, at most 1 GiB.</param>
/// <param name="SlabBytes">Length of its slabs.</param>
public readonly record struct BufferRange(nint Address, long Bytes, int SlabBytes);
