namespace Pangea.DataPlane.Memory.Statistics;

/// <summary>Statistics of a storage worker that its supervisor acts upon.</summary>
public static class StorageMetrics
{
    /// <summary>A gauge: devices that the worker cannot use.</summary>
    public const string DevicesAbsent = "pangea_storage_devices_absent";
}
