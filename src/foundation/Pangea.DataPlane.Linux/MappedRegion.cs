using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux;

/// <summary>What pages a <see cref="MappedRegion"/> got.</summary>
public enum PageKind
{
    /// <summary>The machine's base page size.</summary>
    Normal,

    /// <summary>Base pages that the kernel was asked to merge (MADV_HUGEPAGE).</summary>
    TransparentHuge,

    /// <summary>Reserved 2 MiB pages (MAP_HUGETLB).</summary>
    Huge,
}

/// <summary>
/// Memory mapped at start and unmapped at the end; page-aligned, zeroed, never moved.
/// </summary>
public sealed unsafe class MappedRegion : IDisposable
{
    private const long HugePageBytes = 2 * 1024 * 1024;

    private byte* _address;

    private MappedRegion(byte* address, long bytes, PageKind pages)
    {
        _address = address;
        Bytes = bytes;
        Pages = pages;
    }

    public long Bytes { get; }

    public PageKind Pages { get; private set; }

    /// <summary>First byte; valid until disposal.</summary>
    public byte* Address
    {
        get
        {
            Invariant.Check(_address is not null, "the region is unmapped");
            return _address;
        }
    }

    /// <summary>
    /// Private memory. Reserved huge pages are tried only where asked and where the length is a
    /// multiple of 2 MiB; most machines have none, so failing to get them is normal and falls back.
    /// </summary>
    public static Result<MappedRegion> Anonymous(long bytes, bool tryHugePages)
    {
        Invariant.Check(bytes > 0);
        const int protection = Mman.PROT_READ | Mman.PROT_WRITE;
        const int flags = Mman.MAP_PRIVATE | Mman.MAP_ANONYMOUS;
        void* failed = (void*)-1;
        if (tryHugePages && bytes % HugePageBytes == 0)
        {
            void* huge = LibC.mmap(
                null, (nuint)bytes, protection, flags | Mman.MAP_HUGETLB, -1, 0);
            if (huge != failed)
            {
                return new MappedRegion((byte*)huge, bytes, PageKind.Huge);
            }
        }

        void* address = LibC.mmap(null, (nuint)bytes, protection, flags, -1, 0);
        if (address == failed)
        {
            return Call.Of(-1).Errno.ToFault($"map {bytes} bytes of memory");
        }

        return new MappedRegion((byte*)address, bytes, PageKind.Normal);
    }

    /// <summary>
    /// Asks the kernel to back a part with merged huge pages as it is touched. Pays where large
    /// pieces are used as a whole; costs memory where little of each is.
    /// </summary>
    public bool TryMerge(long start, long bytes)
    {
        CheckPart(start, bytes);

        // SAFETY: the part lies in our own mapping; the advice changes no content.
        bool merges = Pages != PageKind.Huge
            && LibC.madvise(Address + start, (nuint)bytes, Mman.MADV_HUGEPAGE) == 0;
        Pages = merges ? PageKind.TransparentHuge : Pages;
        return merges;
    }

    /// <summary>
    /// Gives the pages of a part back to the kernel; it reads as zeros from then on. Not for memory
    /// that is registered with a ring: the ring would keep the old pages.
    /// </summary>
    public void Discard(long start, long bytes)
    {
        CheckPart(start, bytes);
        if (Pages != PageKind.Huge)
        {
            // SAFETY: the part lies in our own private mapping, and its content is not needed.
            _ = LibC.madvise(Address + start, (nuint)bytes, Mman.MADV_DONTNEED);
        }
    }

    private void CheckPart(long start, long bytes)
    {
        Invariant.Check(start >= 0 && bytes >= 0);
        Invariant.Check(start <= Bytes - bytes, "the part ends within the region");
    }

    /// <summary>Shares a file's first bytes with everyone who maps it.</summary>
    /// <param name="offset">Where in the file it begins; a multiple of the page size.</param>
    public static Result<MappedRegion> Shared(
        OwnedFd file, long bytes, bool writable, long offset = 0)
    {
        Invariant.Check(bytes > 0);
        int protection = Mman.PROT_READ | (writable ? Mman.PROT_WRITE : 0);
        void* address = LibC.mmap(
            null, (nuint)bytes, protection, Mman.MAP_SHARED, file.Number, offset);
        return address == (void*)-1
            ? Call.Of(-1).Errno.ToFault($"map {bytes} bytes of {file}")
            : new MappedRegion((byte*)address, bytes, PageKind.Normal);
    }

    public void Dispose()
    {
        if (_address is not null)
        {
            // SAFETY: mapped by us with this length, unmapped once; users hold no pointer any more
            // by contract (the pool refuses to be disposed with leases in flight).
            Invariant.Check(LibC.munmap(_address, (nuint)Bytes) == 0);
            _address = null;
        }
    }
}
