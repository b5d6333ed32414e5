using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Supervisor.Configuration;
using Pangea.DataPlane.Supervisor.Privilege;
using Pangea.DataPlane.Supervisor.State;

namespace Pangea.DataPlane.Supervisor.Devices;

/// <summary>
/// The devices as they are open for the present worker. The supervisor keeps its own descriptors:
/// an exclusive open must not end in the moment in which a worker is replaced by the next.
/// </summary>
internal sealed class WorkerDevices : IDisposable
{
    private ApplianceConfiguration _configuration;
    private readonly StateDirectory _state;
    private readonly SortedDictionary<int, OpenedDevice> _devices = [];

    public WorkerDevices(
        ApplianceConfiguration configuration,
        StateDirectory state,
        DeviceTable table,
        IPrivilegedSteps steps)
    {
        _configuration = configuration;
        _state = state;
        Table = table;
        Steps = steps;
    }

    /// <summary>Who opens them.</summary>
    public IPrivilegedSteps Steps { get; }

    public DeviceTable Table { get; }

    /// <summary>By index, ascending.</summary>
    public IReadOnlyCollection<OpenedDevice> All => _devices.Values;

    public OpenedDevice? At(int index) => _devices.GetValueOrDefault(index);

    /// <summary>From now on this configuration; it opens with the next start.</summary>
    public void Use(ApplianceConfiguration configuration)
    {
        _configuration = configuration;
        Table.Follow(configuration);
    }

    /// <summary>Opens every place of the table anew.</summary>
    public void OpenAll()
    {
        Dispose();
        foreach (DevicePlace place in Table.Places)
        {
            Result<OpenedPath> opened = Open(place);
            Put(opened.IsOk
                ? new OpenedDevice(place, opened.Value, DeviceState.Ok, null)
                : new OpenedDevice(
                    place,
                    null,
                    opened.Fault.Code == FaultCode.NotFound
                        ? DeviceState.Missing
                        : DeviceState.Failed,
                    opened.Fault.Message));
        }
    }

    /// <summary>
    /// Opens one place. The embedded default's directories are made where they are missing: a
    /// device that was lost comes back empty, as after a change of disks.
    /// </summary>
    public Result<OpenedPath> Open(DevicePlace place)
    {
        if (IsMadeHere(place) && _state.MakeDevice(place.Path) is { } fault)
        {
            return fault;
        }

        return Steps.OpenDevice(place.Path);
    }

    /// <summary>
    /// Whether an empty place there is a new device. Where one was in use before, it is a file
    /// system that is not mounted.
    /// </summary>
    public bool MayFormat(DevicePlace place) =>
        IsMadeHere(place) || !_state.DevicesInUse.Contains(place.Path);

    /// <summary>The devices as <c>worker.start</c> takes them.</summary>
    /// <param name="descriptors">Gets a view of each open descriptor, in order.</param>
    public List<StartDevice> ForStart(List<OwnedFd> descriptors)
    {
        var devices = new List<StartDevice>(_devices.Count);
        foreach (OpenedDevice device in _devices.Values)
        {
            devices.Add(new StartDevice
            {
                Index = device.Place.Index,
                Path = device.Place.Path,
                State = device.State,
                Descriptor = device.Opened is null ? null : descriptors.Count,
                Reason = device.Reason,
                MayFormat = MayFormat(device.Place),
                Draining = device.Place.Draining,
            });
            if (device.Opened is not null)
            {
                descriptors.Add(OwnedFd.Borrow(device.Opened.Fd.Number));
            }
        }

        return devices;
    }

    /// <summary>The open device that the identity belongs to, or null.</summary>
    public OpenedDevice? Find(DeviceIdentity identity) =>
        _devices.Values.FirstOrDefault(device => device.Opened?.Identity == identity);

    /// <summary>Takes the device; what was at its index before is closed.</summary>
    public void Put(OpenedDevice device)
    {
        OpenedDevice? before = At(device.Place.Index);
        if (before is not null && !ReferenceEquals(before.Opened, device.Opened))
        {
            before.Opened?.Fd.Dispose();
        }

        _devices[device.Place.Index] = device;
    }

    public void Remove(int index)
    {
        At(index)?.Opened?.Fd.Dispose();
        _devices.Remove(index);
    }

    public void Dispose()
    {
        foreach (OpenedDevice device in _devices.Values)
        {
            device.Opened?.Fd.Dispose();
        }

        _devices.Clear();
    }

    private bool IsMadeHere(DevicePlace place) =>
        _configuration.CreatesDevices && place.Source == DeviceSource.Configuration;
}
