using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Storage;

/// <summary>
/// Segments as slots of a block device: the superblock in block 0, then from
/// <see cref="SlotsStart"/> on slots of equal length. A slot is taken when it begins with a segment
/// header of this device.
/// </summary>
public sealed class BlockSegmentStore : ISegmentStore
{
    /// <summary>Where the first slot begins.</summary>
    public const long SlotsStart = 64 * 1024;

    /// <summary>Fewer would leave no room for compaction.</summary>
    public const int SlotsMin = 8;

    private readonly OwnedFd _device;
    private readonly int _slots;
    private readonly Dictionary<uint, int> _taken = [];
    private readonly SortedSet<int> _free = [];
    private int _reservedSlots;

    private BlockSegmentStore(
        OwnedFd device, DeviceId id, long segmentBytes, int slots, bool direct)
    {
        _device = device;
        Device = id;
        SegmentBytesMax = segmentBytes;
        UsesDirectIo = direct;
        _slots = slots;
        KeepReserve();
    }

    public DeviceId Device { get; }

    public bool UsesDirectIo { get; }

    public long SegmentBytesMax { get; }

    public bool AllowsAnyLength => false;

    /// <summary>Bytes of slots that are free, the reserve not counted.</summary>
    public long FreeBytes => Math.Max(0, _free.Count - _reservedSlots) * SegmentBytesMax;

    /// <summary>Bytes of all slots.</summary>
    public long TotalBytes => _slots * SegmentBytesMax;

    /// <summary>The length of slots for a device of that length; 0 where it is too small.</summary>
    public static long SlotBytesFor(long deviceBytes)
    {
        long bytes = DirectorySegmentStore.SegmentBytesFor(deviceBytes);
        return (deviceBytes - SlotsStart) / bytes >= SlotsMin ? bytes : 0;
    }

    /// <param name="device">Open for reading and writing; borrowed, outlives the store.</param>
    /// <param name="id">From the superblock.</param>
    /// <param name="segmentBytes">From the superblock.</param>
    public static Result<BlockSegmentStore> Open(OwnedFd device, DeviceId id, long segmentBytes)
    {
        Result<long> bytes = BlockDevice.BytesOf(device);
        if (!bytes.IsOk)
        {
            return bytes.Fault;
        }

        long slots = segmentBytes >= LogFormat.BlockBytes
            ? (bytes.Value - SlotsStart) / segmentBytes
            : 0;
        if (slots < SlotsMin || segmentBytes > uint.MaxValue)
        {
            return new Fault(
                FaultCode.Corrupt,
                $"the superblock names segments of {segmentBytes} bytes, the device has "
                    + $"{bytes.Value}",
                "is this the whole device?");
        }

        Result<FileAccessMode> mode = Files.AccessMode(device);
        return new BlockSegmentStore(
            device, id, segmentBytes, (int)Math.Min(slots, int.MaxValue),
            mode.IsOk && mode.Value.Direct);
    }

    public Result<List<SegmentName>> List(Span<byte> scratch)
    {
        _taken.Clear();
        _free.Clear();
        var names = new List<SegmentName>();
        for (int slot = 0; slot < _slots; slot++)
        {
            Span<byte> block = scratch[..LogFormat.BlockBytes];
            SysResult read = Files.ReadAt(_device, block, BaseOf(slot));
            if (!read.IsOk)
            {
                return read.Errno.ToFault($"read the header of slot {slot}");
            }

            bool isOurs = SegmentHeader.TryRead(block, out SegmentHeader header)
                && header.Device == Device && header.Bytes == SegmentBytesMax
                && _taken.TryAdd(header.Sequence, slot);
            if (isOurs)
            {
                names.Add(new SegmentName(header.Sequence, header.Kind, header.Bytes));
            }
            else
            {
                _free.Add(slot);
            }
        }

        names.Sort((left, right) => left.Sequence.CompareTo(right.Sequence));
        return names;
    }

    public Result<SegmentFile> Create(uint sequence, SegmentKind kind, long bytes)
    {
        if (_free.Count <= _reservedSlots)
        {
            return Errno.ENOSPC.ToFault("take a slot for a segment");
        }

        int slot = _free.Min;
        _free.Remove(slot);
        _taken.Add(sequence, slot);
        return FileOf(slot);
    }

    public Result<SegmentFile> Open(uint sequence, SegmentKind kind) =>
        _taken.TryGetValue(sequence, out int slot)
            ? FileOf(slot)
            : Errno.ENOENT.ToFault($"find segment {sequence:x8}");

    // No call on a block device waits for another process's writes.
    public bool WaitForWrites(SegmentFile file) => false;

    public long NextWritten(SegmentFile file, long offset) => offset;

    public SysResult Remove(uint sequence, SegmentKind kind, Span<byte> scratch)
    {
        if (!_taken.Remove(sequence, out int slot))
        {
            return SysResult.Fail(Errno.ENOENT);
        }

        // A slot whose header could not be wiped comes back at the next start; its frames are known
        // by their sequence number then, and nothing points to them.
        Span<byte> block = scratch[..LogFormat.BlockBytes];
        block.Clear();
        SysResult wiped = Files.WriteAt(_device, block, BaseOf(slot));
        _free.Add(slot);
        return wiped;
    }

    public ValueTask<SysResult> SyncNamesAsync(IReactor reactor) =>
        reactor.SyncAsync(_device, dataOnly: true);

    public bool GiveUpReserve()
    {
        bool had = _reservedSlots > 0;
        _reservedSlots = 0;
        return had;
    }

    public void KeepReserve() => _reservedSlots = 1;

    public void Dispose()
    {
        // The descriptor is the device's.
    }

    private long BaseOf(int slot) => SlotsStart + (slot * SegmentBytesMax);

    private SegmentFile FileOf(int slot) =>
        new(_device, BaseOf(slot), SegmentBytesMax, IsShared: true);
}
