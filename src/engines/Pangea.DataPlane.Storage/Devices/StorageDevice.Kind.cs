namespace Pangea.DataPlane.Storage;

/// <content>What the device is.</content>
public sealed partial class StorageDevice
{
    /// <summary>True for a raw block device, false for a directory.</summary>
    public bool IsBlockDevice => _block is not null;
}
