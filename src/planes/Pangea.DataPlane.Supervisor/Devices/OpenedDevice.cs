using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Supervisor.Devices;

/// <summary>What tells two paths to one directory or one disk from two.</summary>
/// <param name="Kind">A directory or a block device.</param>
/// <param name="Device">Number of the file system, or of the block device itself.</param>
/// <param name="Inode">Inode of the directory; 0 for a block device.</param>
internal readonly record struct DeviceIdentity(DeviceKind Kind, ulong Device, ulong Inode);

/// <summary>A directory or block device that was opened for a worker.</summary>
internal sealed record OpenedPath(OwnedFd Fd, DeviceIdentity Identity);

/// <summary>The place of one device, and what is open there.</summary>
/// <param name="Place">Index, path, and who names it.</param>
/// <param name="Opened">Null where it could not be opened.</param>
/// <param name="State">What the worker is told.</param>
/// <param name="Reason">Why it is not open.</param>
internal sealed record OpenedDevice(
    DevicePlace Place, OpenedPath? Opened, DeviceState State, string? Reason);
