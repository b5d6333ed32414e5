using System.Globalization;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Supervisor.Configuration;
using Pangea.DataPlane.Supervisor.State;

namespace Pangea.DataPlane.Supervisor.Devices;

/// <summary>The place of one device.</summary>
/// <param name="Index">Its number, kept over restarts.</param>
/// <param name="Path">Full path.</param>
/// <param name="Source">Whether the configuration or a change at run time names it.</param>
/// <param name="Draining">Whether it leaves once its shards are elsewhere.</param>
internal sealed record DevicePlace(int Index, string Path, DeviceSource Source, bool Draining);

/// <summary>
/// Which devices there are: those of the configuration, and over them the changes that were made at
/// run time, which the state directory keeps in the file <c>device-changes</c>. One line a change:
/// <c>12 use PATH</c>, <c>12 drain PATH</c> or <c>12 none</c>.
/// </summary>
internal sealed class DeviceTable
{
    private const string Use = "use";
    private const string Drain = "drain";
    private const string None = "none";

    private ApplianceConfiguration _configuration;
    private readonly StateDirectory _state;
    private SortedDictionary<int, (string Verb, string Path)> _changes = [];

    public DeviceTable(ApplianceConfiguration configuration, StateDirectory state)
    {
        _configuration = configuration;
        _state = state;
        foreach (string line in state.DeviceChanges.Where(IsChange))
        {
            string[] parts = line.Split(' ', 3);
            _changes[int.Parse(parts[0], CultureInfo.InvariantCulture)] =
                (parts[1], parts.Length == 3 ? parts[2] : "");
        }

        Places = Merge(_changes);
    }

    /// <summary>By index, ascending; an index that has no device is left out.</summary>
    public IReadOnlyList<DevicePlace> Places { get; private set; }

    /// <summary>The lowest index without a device; null where all are taken.</summary>
    public int? FreeIndex => Enumerable.Range(0, Limits.DevicesMax).Cast<int?>()
        .FirstOrDefault(index => Places.All(place => place.Index != index));

    /// <summary>From now on the devices of this configuration, and the changes over them.</summary>
    public void Follow(ApplianceConfiguration configuration)
    {
        _configuration = configuration;
        Places = Merge(_changes);
    }

    /// <summary>Whether a line of the file <c>device-changes</c> is one of ours.</summary>
    public static bool IsChange(string line)
    {
        string[] parts = line.Split(' ', 3);
        return parts.Length >= 2
            && int.TryParse(
                parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int index)
            && index < Limits.DevicesMax
            && parts[1] switch
            {
                Use or Drain => parts.Length == 3 && DeviceOpener.CheckPath(parts[2]) is null,
                None => parts.Length == 2,
                _ => false,
            };
    }

    /// <summary>The device that a user names by its index or its path.</summary>
    public Result<DevicePlace> Find(string device)
    {
        bool isIndex = int.TryParse(
            device, NumberStyles.None, CultureInfo.InvariantCulture, out int index);
        DevicePlace? place = Places.FirstOrDefault(
            known => isIndex ? known.Index == index : known.Path == device);
        return place is not null
            ? place
            : new Fault(
                FaultCode.NotFound,
                $"there is no device {device}",
                "pangea device list shows their indices and paths",
                "device");
    }

    /// <summary>
    /// From now on and after each restart that path is the device of the index. Durable on return;
    /// after a fault nothing has changed.
    /// </summary>
    public Fault? Put(int index, string path) => Change(index, (Use, path));

    /// <summary>Notes that the device is to be emptied, or no longer is.</summary>
    public Fault? SetDraining(DevicePlace place, bool draining) =>
        Change(place.Index, (draining ? Drain : Use, place.Path));

    /// <summary>The index has no device any more.</summary>
    public Fault? Remove(int index) => Change(index, (None, ""));

    private Fault? Change(int index, (string Verb, string Path) change)
    {
        var changes = new SortedDictionary<int, (string Verb, string Path)>(_changes)
        {
            [index] = change,
        };

        // What the configuration says anyway is no change: an operator who brings it up to date
        // rules again.
        string? configured = ConfiguredPath(index);
        if ((change.Verb == Use && change.Path == configured)
            || (change.Verb == None && configured is null))
        {
            changes.Remove(index);
        }

        Fault? fault = _state.WriteDeviceChanges(changes.Select(entry =>
            string.Create(
                CultureInfo.InvariantCulture,
                $"{entry.Key} {entry.Value.Verb} {entry.Value.Path}").TrimEnd(' ')));
        if (fault is null)
        {
            _changes = changes;
            Places = Merge(changes);
        }

        return fault;
    }

    private string? ConfiguredPath(int index) =>
        index < _configuration.Devices.Count ? _configuration.Devices[index] : null;

    private List<DevicePlace> Merge(SortedDictionary<int, (string Verb, string Path)> changes)
    {
        var places = new List<DevicePlace>();
        for (int index = 0; index < Limits.DevicesMax; index++)
        {
            string? configured = ConfiguredPath(index);
            bool isChanged = changes.TryGetValue(index, out (string Verb, string Path) change);
            if (isChanged && change.Verb != None)
            {
                places.Add(new DevicePlace(
                    index,
                    change.Path,
                    change.Path == configured ? DeviceSource.Configuration : DeviceSource.State,
                    change.Verb == Drain));
            }
            else if (!isChanged && configured is not null
                && !changes.Values.Any(other => other.Path == configured))
            {
                // A path that a change has put at another index is not opened a second time here.
                places.Add(new DevicePlace(
                    index, configured, DeviceSource.Configuration, Draining: false));
            }
        }

        return places;
    }
}
