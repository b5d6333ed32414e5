// HOT PATH: renting and returning are a few loads and stores each; nothing here allocates after
// Create (unchecked pools), and no slab's byte is touched but by its leaseholder and the kernel.

using System.Globalization;
using System.Runtime.CompilerServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Memory;

/// <summary>
/// All buffers of one worker: slabs in one mapped region that is registered with the ring once and
/// never grows (decision A6). A lease goes Free -> Leased -> InFlight (the kernel owns it) ->
/// Leased -> Free, and every step is checked. One thread, the loop's, uses a pool.
/// </summary>
/// <remarks>
/// An empty pool is backpressure, not an error: <see cref="TryRent(out BufferLease, string)"/> says
/// no and the caller waits. Spans come from a live lease only and must not be kept across an
/// operation that hands the slab to the kernel for writing into it.
/// </remarks>
public sealed unsafe class BufferPool : IDisposable
{
    /// <summary>Slabs start at multiples of this, as O_DIRECT asks.</summary>
    public const int Alignment = 4096;

    private const byte Poison = 0xDB;
    private const byte Canary = 0xC5;

    /// <summary>Slabs that no device touches start at a cache line.</summary>
    private const int LineBytes = 64;

    private const int HugePageBytes = 2 * 1024 * 1024;

    private readonly MappedRegion _region;
    private readonly Slab[] _slabs;
    private readonly SlabClass[] _classes;
    private readonly int[][] _free;
    private readonly int[] _freeCounts;
    private readonly List<BufferRange> _ranges = [];
    private readonly string?[]? _renters;
    private int _rangesRegistered;
    private bool _disposed;

    private BufferPool(MappedRegion region, SlabClass[] classes, bool isChecked)
    {
        _region = region;
        _classes = classes;
        int count = classes.Sum(c => c.Count);
        _slabs = new Slab[count];
        _renters = isChecked ? new string?[count] : null;
        _free = new int[classes.Length][];
        _freeCounts = new int[classes.Length];
        long offset = 0;
        int index = 0;
        for (int c = 0; c < classes.Length; c++)
        {
            _free[c] = new int[classes[c].Count];
            offset = RoundUp(offset, AlignmentOf(classes[c]));
            for (int i = 0; i < classes[c].Count; i++, index++)
            {
                _slabs[index].Offset = offset;
                _slabs[index].Bytes = classes[c].SlabBytes;
                _slabs[index].Class = c;
                _slabs[index].Range = AddToRange(
                    offset, StrideOf(classes[c], isChecked), classes[c].SlabBytes, i == 0);
                offset += StrideOf(classes[c], isChecked);
                Release(index);
            }
        }

        Invariant.Check(offset <= region.Bytes);
    }

    /// <summary>Length of the whole region.</summary>
    public long Bytes => _region.Bytes;

    /// <summary>
    /// The region in pieces for registering it with the ring, shortest slabs first: a slab lies in
    /// one of them, and where memory may not all be locked, the first ones still can.
    /// </summary>
    public IReadOnlyList<BufferRange> Ranges => _ranges;

    public PageKind Pages => _region.Pages;

    /// <summary>One phrase for people: "83.2 MiB in 205 slabs, transparent huge pages".</summary>
    public string Describe()
    {
        string pages = Pages switch
        {
            PageKind.Huge => "reserved huge pages",
            PageKind.TransparentHuge => "transparent huge pages",
            _ => "ordinary pages",
        };
        string checks = _renters is null ? "" : ", checked";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{Bytes / 1048576.0:F1} MiB in {SlabCount} slabs, {pages}{checks}");
    }

    /// <summary>Slabs of all classes.</summary>
    public int SlabCount => _slabs.Length;

    /// <summary>Slabs nobody has rented.</summary>
    public int FreeCount { get; private set; }

    /// <summary>Slabs that are leased or in flight.</summary>
    public int LeasedCount => SlabCount - FreeCount;

    /// <summary>Most slabs that were ever leased at once.</summary>
    public int LeasedCountMax { get; private set; }

    /// <summary>Operations of the kernel that have a slab in flight.</summary>
    public int FlightCount { get; private set; }

    /// <summary>Slabs of one length.</summary>
    public static Result<BufferPool> Create(
        int slabBytes, int count, BufferPoolOptions? options = null) =>
        Create([new SlabClass(slabBytes, count)], options);

    /// <summary>
    /// Slabs of several lengths, shortest first. Fails with the kernel's reason where the memory is
    /// not to be had.
    /// </summary>
    public static Result<BufferPool> Create(
        ReadOnlySpan<SlabClass> classes, BufferPoolOptions? options = null)
    {
        Invariant.Check(classes.Length > 0);
        BufferPoolOptions chosen = options ?? BufferPoolOptions.Default;
        long bytes = 0;
        int bytesBefore = 0;
        foreach (SlabClass slabs in classes)
        {
            Invariant.Check(slabs.SlabBytes > bytesBefore, "classes are sorted by length");
            Invariant.Check(slabs.SlabBytes % LineBytes == 0);
            Invariant.Check(slabs.Count > 0);
            bytes = RoundUp(bytes, AlignmentOf(slabs));
            bytes += StrideOf(slabs, chosen.Checked) * slabs.Count;
            bytesBefore = slabs.SlabBytes;
        }

        if (chosen.TryHugePages)
        {
            bytes = RoundUp(bytes, HugePageBytes);
        }

        Result<MappedRegion> region = MappedRegion.Anonymous(bytes, chosen.TryHugePages);
        if (!region.IsOk)
        {
            return region.Fault;
        }

        var pool = new BufferPool(region.Value, classes.ToArray(), chosen.Checked);
        if (chosen.TryHugePages)
        {
            pool.MergePages();
        }

        return pool;
    }

    /// <summary>Rents a slab of the first class; false when all are taken.</summary>
    public bool TryRent(out BufferLease lease, [CallerMemberName] string renter = "") =>
        TryRentOf(0, out lease, renter);

    /// <summary>
    /// Rents a slab of the shortest class that holds <paramref name="bytes"/>. A longer class is
    /// never used instead: it is reckoned for other users.
    /// </summary>
    public bool TryRent(int bytes, out BufferLease lease, [CallerMemberName] string renter = "")
    {
        for (int c = 0; c < _classes.Length; c++)
        {
            if (_classes[c].SlabBytes >= bytes)
            {
                return TryRentOf(c, out lease, renter);
            }
        }

        Invariant.Check(false, $"no slab class holds {bytes} bytes");
        lease = default;
        return false;
    }

    /// <summary>Rents a slab of a pool that was built of <see cref="PacketBuffers"/>.</summary>
    public bool TryRent(
        PacketClass kind, out BufferLease lease, [CallerMemberName] string renter = "") =>
        TryRentOf((int)kind, out lease, renter);

    /// <summary>
    /// Gives a slab back; it must not be in flight and the lease is dead afterwards.
    /// </summary>
    public void Return(BufferLease lease)
    {
        ref Slab slab = ref Live(lease);
        Invariant.Check(slab.Flights == 0, "the kernel still owns the slab");
        if (_renters is not null)
        {
            CheckCanary(lease.SlabIndex);
            Raw(lease.SlabIndex).Fill(Poison);
            _renters[lease.SlabIndex] = null;
        }

        slab.IsLeased = false;
        Release(lease.SlabIndex);
    }

    /// <summary>The bytes of a live lease.</summary>
    public Span<byte> Span(BufferLease lease)
    {
        ref Slab slab = ref Live(lease);
        // SAFETY: Live proved that the slab lies in the region and belongs to this lease.
        return new Span<byte>(_region.Address + slab.Offset, slab.Bytes);
    }

    /// <summary>The bytes of a part of a live lease.</summary>
    public Span<byte> Span(BufferSlice slice) => Span(slice.Lease).Slice(slice.Start, slice.Bytes);

    /// <summary>
    /// The kernel becomes the owner; several operations may be under way on one slab.
    /// </summary>
    public void BeginFlight(BufferLease lease)
    {
        Live(lease).Flights++;
        FlightCount++;
    }

    /// <summary>One operation of the kernel is over.</summary>
    public void EndFlight(BufferLease lease)
    {
        ref Slab slab = ref Live(lease);
        Invariant.Check(slab.Flights > 0, "more ends than beginnings");
        slab.Flights--;
        FlightCount--;
    }

    /// <summary>Which of <see cref="Ranges"/> a live lease lies in.</summary>
    public int RangeOf(BufferLease lease) => Live(lease).Range;

    /// <summary>Operations of the kernel under way on this slab.</summary>
    public int FlightsOf(BufferLease lease) => Live(lease).Flights;

    /// <summary>True as long as the lease has not been returned.</summary>
    public bool IsLive(BufferLease lease) =>
        (uint)lease.SlabIndex < (uint)_slabs.Length
        && _slabs[lease.SlabIndex].IsLeased
        && _slabs[lease.SlabIndex].Generation == lease.Generation;

    /// <summary>Address for the kernel, after checking lease and bounds.</summary>
    public nint AddressOf(BufferSlice slice)
    {
        ref Slab slab = ref Live(slice.Lease);
        Invariant.Check(slice.Start >= 0 && slice.Bytes >= 0);
        Invariant.Check(slice.Start <= slab.Bytes - slice.Bytes, "the slice ends within its slab");
        return (nint)(_region.Address + slab.Offset + slice.Start);
    }

    /// <summary>
    /// The first ranges are registered with the ring: their pages stay whatever happens.
    /// </summary>
    public void MarkRegistered(int ranges) => _rangesRegistered = ranges;

    /// <summary>
    /// Gives the pages of free slabs back to the kernel, of those that were not rented since the
    /// last time; with <paramref name="all"/> of every free one.
    /// </summary>
    public void Trim(bool all)
    {
        for (int i = 0; i < _slabs.Length; i++)
        {
            ref Slab slab = ref _slabs[i];
            bool isIdle = !slab.IsLeased && (all || slab.Generation == slab.SeenGeneration);
            slab.SeenGeneration = slab.Generation;
            if (isIdle && slab.IsTouched)
            {
                slab.IsTouched = false;
                GiveBackPages(ref slab);
            }
        }
    }

    /// <summary>
    /// The bytes of a leased slab are not needed any more; its pages go back until it is written
    /// again, and it reads as zeros where they did.
    /// </summary>
    public void Discard(BufferLease lease)
    {
        ref Slab slab = ref Live(lease);
        Invariant.Check(slab.Flights == 0, "the kernel still owns the slab");
        GiveBackPages(ref slab);
    }

    /// <summary>One line per slab that is still leased, with its renter where recorded.</summary>
    public IReadOnlyList<string> DescribeLeases()
    {
        var lines = new List<string>();
        for (int i = 0; i < _slabs.Length; i++)
        {
            if (_slabs[i].IsLeased)
            {
                lines.Add(
                    $"slab {i} ({_slabs[i].Bytes} bytes, flights {_slabs[i].Flights}), rented by "
                    + (_renters?[i] ?? "unknown"));
            }
        }

        return lines;
    }

    /// <summary>
    /// Unmaps the region. Live leases are a defect of the caller and named in the exception. With
    /// operations in flight the region stays mapped, as the kernel may still write into it.
    /// </summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        IReadOnlyList<string> leaked = DescribeLeases();
        if (FlightCount == 0)
        {
            _region.Dispose();
        }

        if (leaked.Count > 0)
        {
            throw new InvalidOperationException(
                $"buffer pool disposed with live leases: {string.Join("; ", leaked)}");
        }
    }

    /// <summary>Prolongs the last range by a slab, or begins a new one; returns its
    /// index.</summary>
    private int AddToRange(long offset, long strideBytes, int slabBytes, bool isNewClass)
    {
        // What the kernel takes in one registered buffer.
        const long rangeBytesMax = 1L << 30;
        if (isNewClass || _ranges[^1].Bytes + strideBytes > rangeBytesMax)
        {
            _ranges.Add(new BufferRange((nint)(_region.Address + offset), 0, slabBytes));
        }

        _ranges[^1] = _ranges[^1] with { Bytes = _ranges[^1].Bytes + strideBytes };
        return _ranges.Count - 1;
    }

    private static long StrideOf(SlabClass slabs, bool isChecked) =>
        slabs.SlabBytes + (isChecked ? AlignmentOf(slabs) : 0);

    private static int AlignmentOf(SlabClass slabs) =>
        slabs.SlabBytes % Alignment == 0 ? Alignment : LineBytes;

    private static long RoundUp(long bytes, long unit) => (bytes + unit - 1) / unit * unit;

    private bool TryRentOf(int c, out BufferLease lease, string renter)
    {
        if (_freeCounts[c] == 0)
        {
            lease = default;
            return false;
        }

        // Last in, first out: the slab that was used last is the warmest in the cache.
        int index = _free[c][--_freeCounts[c]];
        FreeCount--;
        LeasedCountMax = Math.Max(LeasedCountMax, LeasedCount);
        ref Slab slab = ref _slabs[index];
        Invariant.Check(!slab.IsLeased);
        slab.IsLeased = true;
        slab.IsTouched = true;
        slab.Generation++;
        if (_renters is not null)
        {
            _renters[index] = renter;
            WriteCanary(index);
        }

        lease = new BufferLease(index, slab.Generation, slab.Bytes);
        return true;
    }

    private void GiveBackPages(ref Slab slab)
    {
        // Packets lie several to a page and are few; a checked pool must find its poison again.
        if (slab.Bytes % Alignment == 0 && slab.Range >= _rangesRegistered && _renters is null)
        {
            _region.Discard(slab.Offset, slab.Bytes);
        }
    }

    private void MergePages()
    {
        foreach (BufferRange range in _ranges)
        {
            bool wanted = Array.Find(_classes, slabs => slabs.SlabBytes == range.SlabBytes)
                .TryHugePages;
            if (wanted)
            {
                // The advice is taken for whole pages of the base size.
                long start = range.Address - (nint)_region.Address;
                long first = RoundUp(start, Alignment);
                _ = _region.TryMerge(
                    first, RoundUp(start + range.Bytes, Alignment) - first);
            }
        }
    }

    private void Release(int index)
    {
        int c = _slabs[index].Class;
        _free[c][_freeCounts[c]++] = index;
        FreeCount++;
    }

    private ref Slab Live(BufferLease lease)
    {
        Invariant.Check((uint)lease.SlabIndex < (uint)_slabs.Length, "no such slab");
        ref Slab slab = ref _slabs[lease.SlabIndex];
        Invariant.Check(slab.IsLeased, "the lease was returned");
        Invariant.Check(slab.Generation == lease.Generation, "the lease is of an earlier renting");
        return ref slab;
    }

    private Span<byte> Raw(int index)
    {
        // SAFETY: offset and length were laid out inside the region by the constructor.
        return new Span<byte>(_region.Address + _slabs[index].Offset, _slabs[index].Bytes);
    }

    private Span<byte> CanaryOf(int index)
    {
        // SAFETY: a checked pool lays as much behind every slab, inside the region.
        return new Span<byte>(
            _region.Address + _slabs[index].Offset + _slabs[index].Bytes,
            AlignmentOf(_classes[_slabs[index].Class]));
    }

    private void WriteCanary(int index) => CanaryOf(index).Fill(Canary);

    private void CheckCanary(int index) =>
        Invariant.Check(
            CanaryOf(index).IndexOfAnyExcept(Canary) < 0, "written past the end of a slab");

    private struct Slab
    {
        internal long Offset;
        internal int Bytes;
        internal int Class;
        internal int Range;
        internal uint Generation;
        internal int Flights;
        internal bool IsLeased;

        /// <summary>It may have pages.</summary>
        internal bool IsTouched;

        /// <summary>Generation at the last <see cref="Trim"/>.</summary>
        internal uint SeenGeneration;
    }
}
