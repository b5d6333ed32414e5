using System.Runtime.CompilerServices;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Linux.Bpf;

/// <summary>
/// The values of an array map as memory that the kernel's programs read and write at the same time.
/// Words of up to 8 bytes are never torn; everything larger needs an order of its own.
/// </summary>
public sealed unsafe class SharedValues : IDisposable
{
    private readonly MappedRegion _region;
    private readonly long _bytes;

    private SharedValues(MappedRegion region, long bytes)
    {
        _region = region;
        _bytes = bytes;
    }

    /// <summary>Maps an array that was made with BPF_F_MMAPABLE.</summary>
    public static Result<SharedValues> Of(BpfMap map)
    {
        Result<MappedRegion> region = map.Share(writable: true);
        return region.IsOk
            ? new SharedValues(region.Value, map.ValueBytes * (long)map.Entries)
            : region.Fault;
    }

    /// <summary>The value at an index; values have the size of T, a multiple of 8.</summary>
    public ref T At<T>(int index)
        where T : unmanaged
    {
        Invariant.Check((ulong)(index + 1L) * (ulong)sizeof(T) <= (ulong)_bytes && index >= 0);

        // SAFETY: inside the mapped values (checked), aligned as the array is; the reference must
        // not outlive this object, which its owner keeps as long as the maps.
        return ref Unsafe.AsRef<T>(_region.Address + (index * (long)sizeof(T)));
    }

    /// <summary>A part of the values as bytes.</summary>
    public Span<byte> Span(int offset, int bytes)
    {
        Invariant.Check(offset >= 0 && bytes >= 0 && offset + (long)bytes <= _bytes);

        // SAFETY: inside the mapped values (checked); for the lifetime see above.
        return new Span<byte>(_region.Address + offset, bytes);
    }

    public void Dispose() => _region.Dispose();
}
