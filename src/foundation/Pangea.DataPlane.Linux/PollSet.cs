using System.Runtime.InteropServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux;

/// <summary>
/// The array of poll(2), dense from 0: an entry is removed by moving the last one into its place,
/// which the caller mirrors in whatever it keeps per entry.
/// </summary>
public sealed unsafe class PollSet : IDisposable
{
    private const int POLLNVAL = pollfd.POLLNVAL;

    private readonly pollfd* _entries;
    private readonly int _capacity;
    private bool _disposed;

    public PollSet(int capacity)
    {
        _capacity = capacity;
        _entries = (pollfd*)NativeMemory.AllocZeroed((nuint)capacity, (nuint)sizeof(pollfd));
    }

    public int Count { get; private set; }

    /// <summary>Adds at the end; the index is the old count.</summary>
    public int Add(int fd, short events)
    {
        Invariant.Check(Count < _capacity);
        // SAFETY: the index is below the allocated count, checked just now.
        _entries[Count] = new pollfd { fd = fd, events = events };
        return Count++;
    }

    /// <summary>Removes an entry; the last one takes its index.</summary>
    public void RemoveAt(int index)
    {
        Invariant.Check((uint)index < (uint)Count);
        // SAFETY: both indexes are below the allocated count.
        _entries[index] = _entries[--Count];
    }

    /// <summary>
    /// Waits until an entry is ready: result 0 for none within the time. EINTR is normal. A
    /// time of -1 waits for ever.
    /// </summary>
    public SysResult Wait(int timeoutMs) =>
        Call.Of(LibC.poll(_entries, (ulong)Count, timeoutMs));

    /// <summary>
    /// The events of an entry, 0 for none, -EBADF for a descriptor that is not open.
    /// </summary>
    public int ResultOf(int index)
    {
        Invariant.Check((uint)index < (uint)Count);
        // SAFETY: the index is below the allocated count.
        int events = (ushort)_entries[index].revents;
        return (events & POLLNVAL) != 0 ? -Errno.EBADF.Value : events;
    }

    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            NativeMemory.Free(_entries);
        }
    }
}
