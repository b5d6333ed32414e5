namespace Pangea.DataPlane.Storage;

/// <summary>What a device can do at present.</summary>
public enum DeviceState
{
    /// <summary>Takes reads and writes.</summary>
    Ok,

    /// <summary>Its directory is not there.</summary>
    Missing,

    /// <summary>Its file system or directory refuses writes; reads go on.</summary>
    ReadOnly,

    /// <summary>No room left; reads go on.</summary>
    Full,

    /// <summary>It cannot be used; the reason says why.</summary>
    Failed,
}
