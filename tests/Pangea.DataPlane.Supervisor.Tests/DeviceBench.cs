using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Supervisor.Configuration;
using Pangea.DataPlane.Supervisor.Devices;
using Pangea.DataPlane.Supervisor.Privilege;
using Pangea.DataPlane.Supervisor.State;

namespace Pangea.DataPlane.Supervisor.Tests;

/// <summary>
/// The devices of an appliance of 2+1 on a real loop, with a worker that the test plays itself.
/// </summary>
internal sealed class DeviceBench : IDisposable
{
    private readonly DirectoryInfo _directory = System.IO.Directory.CreateTempSubdirectory(
        "pangea-devices-");
    private readonly CallBench _bench = new();
    private readonly StateDirectory _state;
    private RpcClient _worker;

    /// <param name="devices">Devices of the configuration; they are directories.</param>
    internal DeviceBench(int devices = 3)
    {
        Configuration = ConfigurationSources.Load(
            ["--redundancy", "2+1", "--state", PathOf("var")], _ => null).Value with
        {
            Devices = [.. Enumerable.Range(0, devices).Select(i => MakeDirectory($"{i}"))],
            CreatesDevices = false,
            User = null,
        };
        _state = StateDirectory.Open(Configuration.StateDirectory).Value;
        Devices = new WorkerDevices(
            Configuration, _state, new DeviceTable(Configuration, _state), new OwnSteps(null));
        Changes = new DeviceChanges(
            _bench.Reactor, Configuration, _state, Devices, _bench.Calls, () => IsReady,
            _ => ValueTask.FromResult<Core.Fault?>(null));
        _bench.OnLoop(Devices.OpenAll);
        _worker = _bench.AttachWorker();
    }

    internal ApplianceConfiguration Configuration { get; }

    internal WorkerDevices Devices { get; }

    internal DeviceChanges Changes { get; }

    internal StateDirectory State => _state;

    internal bool IsReady { get; set; } = true;

    internal string PathOf(string name) => Path.Combine(_directory.FullName, name);

    internal string MakeDirectory(string name) =>
        System.IO.Directory.CreateDirectory(PathOf(name)).FullName;

    /// <summary>Begins a change on the loop; the task ends with its result.</summary>
    internal Task<Result<DeviceChangeResult>> Begin(
        Func<DeviceChanges, ValueTask<Result<DeviceChangeResult>>> change)
    {
        var done = new TaskCompletionSource<Result<DeviceChangeResult>>(
            TaskCreationOptions.RunContinuationsAsynchronously);
        _bench.OnLoop(async () => done.SetResult(await change(Changes)));
        return done.Task;
    }

    internal Task<Result<DeviceChangeResult>> Add(string path) =>
        Begin(changes => changes.AddAsync(new DeviceAddParameters { Path = path }));

    internal Task<Result<DeviceChangeResult>> Replace(string device, string path) =>
        Begin(changes => changes.ReplaceAsync(
            new DeviceReplaceParameters { Device = device, Path = path }));

    internal Task<Result<DeviceChangeResult>> Remove(string device, bool force = false) =>
        Begin(changes => changes.RemoveAsync(
            new DeviceRemoveParameters { Device = device, Force = force }));

    /// <summary>The next call that the worker gets, which must be of that method.</summary>
    internal RpcMessage Expect(RpcMethod method)
    {
        RpcMessage call = _worker.Receive().Value;
        Assert.Equal(method.Name, call.Method);
        Assert.Null(RpcParameters.Check(method, call));
        return call;
    }

    internal void Answer(RpcMessage call, DeviceChangeResult result) => _worker.Send(
        RpcWriter.Result(call.Id.Span, WorkerDeviceMethods.Add, result));

    internal void Refuse(RpcMessage call, Fault fault) =>
        _worker.Send(RpcWriter.Error(call.Id.Span, fault));

    /// <summary>The worker is lost with what it had, and another one comes.</summary>
    internal void ReplaceWorker()
    {
        _bench.DetachWorker();
        _worker.Dispose();
        _worker = _bench.AttachWorker();
    }

    internal void OnLoop(Action action) => _bench.OnLoop(action);

    /// <summary>The table as the next start of this appliance would read it.</summary>
    internal IReadOnlyList<DevicePlace> PlacesAfterRestart() =>
        new DeviceTable(Configuration, _state).Places;

    public void Dispose()
    {
        _worker.Dispose();
        _bench.Dispose();
        Devices.Dispose();
        _state.Dispose();
        _directory.Delete(recursive: true);
    }
}
