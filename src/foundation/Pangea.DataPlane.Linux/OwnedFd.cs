using Microsoft.Win32.SafeHandles;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux;

/// <summary>A ring's table of files, which keeps its own hold on a descriptor's file.</summary>
public interface IFileTable
{
    /// <summary>The table is gone, and its holds with it.</summary>
    bool IsClosed { get; }

    /// <summary>
    /// The descriptor in the slot is being closed: let its file go too. Any thread.
    /// </summary>
    void OnClosed(int slot);
}

/// <summary>
/// A file descriptor with one owner, who closes it. Descriptor 0 is valid. Every descriptor we open
/// is born close-on-exec.
/// </summary>
public sealed class OwnedFd : SafeHandleMinusOneIsInvalid
{
    private readonly bool _isOwned;
    private IFileTable? _table;
    private int _slot = -1;

    /// <summary>Takes ownership of an open descriptor.</summary>
    public OwnedFd(int fd)
        : this(fd, ownsHandle: true)
    {
    }

    private OwnedFd(int fd, bool ownsHandle)
        : base(ownsHandle)
    {
        _isOwned = ownsHandle;
        SetHandle(fd);
    }

    /// <summary>The number, for the kernel. Valid as long as this object is not disposed.</summary>
    public int Number
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return (int)handle;
        }
    }

    /// <summary>
    /// A table's note: how often its loop has used this descriptor outside the table.
    /// </summary>
    public int UsesOutsideTable { get; set; }

    /// <summary>The slot in this table; -1 where it is in none or in another's.</summary>
    public int SlotIn(IFileTable table) => ReferenceEquals(_table, table) ? _slot : -1;

    /// <summary>
    /// Notes the slot of a table that now has a hold on the file and is told when the descriptor is
    /// closed. False where that cannot be: borrowed descriptors, or one in another table.
    /// </summary>
    public bool TryJoin(IFileTable table, int slot)
    {
        if (!_isOwned || (_table is not null && !_table.IsClosed))
        {
            return false;
        }

        _slot = slot;
        _table = table;
        return true;
    }

    /// <summary>A view of a descriptor that someone else owns, such as 0, 1 and 2.</summary>
    public static OwnedFd Borrow(int fd) => new(fd, ownsHandle: false);

    // close(2): the descriptor is gone even on EINTR, so the call is never repeated.
    protected override bool ReleaseHandle()
    {
        _table?.OnClosed(_slot);
        return LibC.close((int)handle) == 0;
    }

    public override string ToString() => IsClosed ? "fd closed" : $"fd {(int)handle}";
}
