using Pangea.DataPlane.Control.Schema;

namespace Pangea.DataPlane.Supervisor.Devices;

/// <summary>
/// Brings together what the worker knows about each device and what only the supervisor does.
/// </summary>
internal static class DeviceReports
{
    /// <param name="devices">As they are open here.</param>
    /// <param name="changes">For what became of attempts to empty one.</param>
    /// <param name="storage">The worker's own view; null while none answers.</param>
    public static IReadOnlyList<DeviceStatus> Describe(
        WorkerDevices devices, DeviceChanges changes, StorageStatusResult? storage)
    {
        var reports = new List<DeviceStatus>();
        foreach (OpenedDevice device in devices.All)
        {
            DeviceStatus? known = storage?.Devices.FirstOrDefault(
                each => each.Index == device.Place.Index);
            DeviceStatus report = known ?? new DeviceStatus
            {
                Index = device.Place.Index,
                Path = device.Place.Path,
                State = device.State,
                Reason = device.Reason,
            };
            reports.Add(report with
            {
                Path = device.Place.Path,
                Kind = device.Opened?.Identity.Kind,
                Source = device.Place.Source,
                Draining = device.Place.Draining ? true : null,
                Reason = report.Reason ?? changes.RemarkOn(device.Place.Index),
            });
        }

        return reports;
    }
}
