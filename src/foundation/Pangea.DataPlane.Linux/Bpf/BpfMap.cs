using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux.Bpf;

/// <summary>
/// A map in the kernel, by its descriptor. Keys and values are byte spans of exactly the map's
/// sizes; values of a per-CPU map are one after the other, each rounded up to 8 bytes.
/// </summary>
public sealed unsafe class BpfMap : IDisposable
{
    private BpfMap(OwnedFd fd, bpf_map_info info)
    {
        Fd = fd;
        Id = info.id;
        KeyBytes = (int)info.key_size;
        ValueBytes = info.value_size;
        Entries = info.max_entries;
        IsMappable = (info.map_flags & Abi.Bpf.BPF_F_MMAPABLE) != 0;
    }

    public OwnedFd Fd { get; }

    public uint Id { get; }

    public int KeyBytes { get; }

    public uint ValueBytes { get; }

    public uint Entries { get; }

    public bool IsMappable { get; }

    /// <summary>Keys and values of all entries.</summary>
    public long Bytes => (KeyBytes + (long)ValueBytes) * Entries;

    /// <summary>Takes over a descriptor; closes it where it is not a map's.</summary>
    public static Result<BpfMap> Of(OwnedFd fd)
    {
        int result = Libbpf.GetInfo(fd.Number, out bpf_map_info info);
        if (result < 0 || info.max_entries == 0)
        {
            fd.Dispose();
            return new Errno(result < 0 ? -result : 22).ToFault("read what a BPF map is");
        }

        return new BpfMap(fd, info);
    }

    /// <summary>Opens a map that is pinned.</summary>
    public static Result<BpfMap> Open(string path)
    {
        Result<OwnedFd> fd = BpfPins.Open(path);
        return fd.IsOk ? Of(fd.Value) : fd.Fault;
    }

    /// <summary>
    /// The values of an array made with BPF_F_MMAPABLE, shared with the kernel; each value is
    /// rounded up to 8 bytes, the whole to pages.
    /// </summary>
    public Result<MappedRegion> Share(bool writable)
    {
        long page = Environment.SystemPageSize;
        long bytes = (ValueBytes + 7L) / 8 * 8 * Entries;
        return MappedRegion.Shared(Fd, (bytes + page - 1) / page * page, writable);
    }

    /// <summary>Copies the value; ENOENT where the key is not there.</summary>
    public SysResult Lookup(ReadOnlySpan<byte> key, Span<byte> value)
    {
        Invariant.Check(key.Length == KeyBytes && value.Length >= ValueBytes);

        // SAFETY: both spans are pinned and at least as long as the map's sizes.
        fixed (byte* k = key, v = value)
        {
            return new SysResult(Libbpf.bpf_map_lookup_elem(Fd.Number, k, v));
        }
    }

    /// <summary>Writes the value of a key that is there or not.</summary>
    public SysResult Update(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        Invariant.Check(key.Length == KeyBytes && value.Length >= ValueBytes);

        // SAFETY: both spans are pinned and at least as long as the map's sizes.
        fixed (byte* k = key, v = value)
        {
            return new SysResult(Libbpf.bpf_map_update_elem(Fd.Number, k, v, 0));
        }
    }

    /// <summary>Removes a key; ENOENT where it is not there.</summary>
    public SysResult Remove(ReadOnlySpan<byte> key)
    {
        Invariant.Check(key.Length == KeyBytes);

        // SAFETY: the span is pinned and as long as a key.
        fixed (byte* k = key)
        {
            return new SysResult(Libbpf.bpf_map_delete_elem(Fd.Number, k));
        }
    }

    /// <summary>The key after this one, the first for an empty span; ENOENT at the end.</summary>
    public SysResult NextKey(ReadOnlySpan<byte> key, Span<byte> next)
    {
        Invariant.Check((key.IsEmpty || key.Length == KeyBytes) && next.Length == KeyBytes);

        // SAFETY: both spans are pinned; an empty one pins to null, which asks for the first key.
        fixed (byte* k = key, n = next)
        {
            return new SysResult(Libbpf.bpf_map_get_next_key(Fd.Number, k, n));
        }
    }

    /// <summary>Writes many at once; returns how many, or the errno of the first refused.</summary>
    public SysResult UpdateAll(ReadOnlySpan<byte> keys, ReadOnlySpan<byte> values, int count)
    {
        Invariant.Check(keys.Length == count * KeyBytes && values.Length == count * ValueBytes);
        uint done = (uint)count;

        // SAFETY: both spans are pinned and hold as many keys and values as are said.
        fixed (byte* k = keys, v = values)
        {
            int result = Libbpf.bpf_map_update_batch(Fd.Number, k, v, &done, null);
            return new SysResult(result < 0 ? result : done);
        }
    }

    /// <summary>
    /// Reads the next entries of a walk. The cursor is 8 bytes of the caller's, zero-length at the
    /// beginning of the walk; fewer than asked for is the end.
    /// </summary>
    public SysResult LookupAll(ref BpfCursor cursor, Span<byte> keys, Span<byte> values, int count)
    {
        Invariant.Check(keys.Length >= count * KeyBytes);
        uint done = (uint)count;
        ulong from = cursor.Position;
        ulong to = 0;

        // SAFETY: the spans are pinned and have room for the count; cursors are at most a key or
        // a word long, and keys of walked maps are at most 8 bytes (checked).
        Invariant.Check(KeyBytes <= sizeof(ulong));
        fixed (byte* k = keys, v = values)
        {
            int result = Libbpf.bpf_map_lookup_batch(
                Fd.Number, cursor.IsBegun ? &from : null, &to, k, v, &done, null);
            cursor = new BpfCursor(true, to);
            return new SysResult(result is 0 or -2 ? done : result);
        }
    }

    public void Dispose() => Fd.Dispose();
}

/// <summary>Where a walk over a map stands; default is its beginning.</summary>
public readonly record struct BpfCursor(bool IsBegun, ulong Position);
