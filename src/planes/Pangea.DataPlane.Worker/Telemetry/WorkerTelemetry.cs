using System.Diagnostics;
using System.Text;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory.Statistics;
using Pangea.DataPlane.Reactor;
using Pangea.DataPlane.Storage;
using DeviceState = Pangea.DataPlane.Storage.DeviceState;

namespace Pangea.DataPlane.Worker.Telemetry;

/// <summary>
/// What a worker tells about itself without being asked: statistics, heartbeat and last events, in
/// memory that the supervisor owns. Lives on the loop's thread.
/// </summary>
internal sealed class WorkerTelemetry : IRpcCallObserver
{
    // Four beats a second: a loop that stands still shows within the watchdog's second.
    private static readonly TimeSpan s_beatEvery = TimeSpan.FromMilliseconds(250);

    private readonly StatisticsWriter _statistics;
    private readonly FlightRecorder _recorder;
    private readonly Dictionary<long, (long Ticks, byte[] Method)> _open = [];
    private readonly Dictionary<string, byte[]> _methods = new(StringComparer.Ordinal);
    private readonly Dictionary<int, DeviceState> _devices = [];
    private readonly byte[] _put;
    private readonly byte[] _get;
    private bool _isReady;

    private WorkerTelemetry(StatisticsSegment segment)
    {
        _statistics = new StatisticsWriter(segment, WorkerMetrics.All);
        _recorder = new FlightRecorder(segment);
        _put = NameOf(RpcMethods.ObjectPut.Name);
        _get = NameOf(RpcMethods.ObjectGet.Name);
        _recorder.Note(FlightEventKind.Start, Environment.ProcessId, 0, []);
    }

    /// <summary>
    /// Maps what came with the start; null where nothing came or it is of no use.
    /// </summary>
    public static WorkerTelemetry? Open(int? index, DescriptorSet descriptors)
    {
        Result<OwnedFd> file = index is { } given
            ? descriptors.Take(given)
            : new Fault(FaultCode.NotFound, "no statistics page came");
        Result<StatisticsSegment> segment = file.IsOk
            ? StatisticsSegment.Map(file.Value, writable: true)
            : file.Fault;
        return segment.IsOk ? new WorkerTelemetry(segment.Value) : null;
    }

    /// <summary>Beats from now on, for as long as the loop turns.</summary>
    public async void Run(IReactor reactor, StorageService service)
    {
        while (true)
        {
            _statistics.Beat();
            Set(WorkerMetric.CallsOpen, _open.Count);
            Set(WorkerMetric.Objects, service.Catalog.Count);
            Set(WorkerMetric.AllocatedBytes, GC.GetTotalAllocatedBytes(precise: false));
            Set(WorkerMetric.Collections, GC.CollectionCount(0));
            NoteDevices(service);
            if (!(await reactor.DelayAsync(s_beatEvery)).IsOk)
            {
                return;
            }
        }
    }

    /// <summary>Recovery is over: from now on devices are looked at.</summary>
    public void Ready()
    {
        _isReady = true;
        _recorder.Note(FlightEventKind.Ready, 0, 0, []);
    }

    public void Stopping() => _recorder.Note(FlightEventKind.Stop, 0, 0, []);

    public void OnCall(RpcMessage call)
    {
        if (call.IdNumber is { } id)
        {
            byte[] method = NameOf(call.Method);
            _open[id] = (Stopwatch.GetTimestamp(), method);
            _recorder.Note(FlightEventKind.CallBegan, id, 0, method);
        }
    }

    public void OnAnswer(ReadOnlySpan<byte> line)
    {
        if (!RpcOutcome.TryRead(line, out RpcOutcome outcome)
            || !_open.Remove(outcome.Id, out (long Ticks, byte[] Method) call))
        {
            return;
        }

        _recorder.Note(FlightEventKind.CallEnded, outcome.Id, outcome.Code, call.Method);
        Add(WorkerMetric.Calls, 1);
        if (outcome.Code != 0)
        {
            Add(WorkerMetric.CallFaults, 1);
            return;
        }

        long ns = (long)Stopwatch.GetElapsedTime(call.Ticks).TotalNanoseconds;
        if (ReferenceEquals(call.Method, _put))
        {
            Add(WorkerMetric.PutBytes, outcome.Bytes);
            _statistics.Observe((int)WorkerMetric.PutTime, ns);
        }
        else if (ReferenceEquals(call.Method, _get))
        {
            Add(WorkerMetric.GetBytes, outcome.Bytes);
            _statistics.Observe((int)WorkerMetric.GetTime, ns);
        }
    }

    private void NoteDevices(StorageService service)
    {
        if (_isReady)
        {
            service.RefreshDevices();
        }

        int absent = 0;

        // By index: the enumerator would be allocated, with each beat.
        IReadOnlyList<StorageDevice> devices = service.Devices.All;
        for (int i = 0; i < devices.Count; i++)
        {
            StorageDevice device = devices[i];
            absent += device.State is DeviceState.Missing or DeviceState.Failed ? 1 : 0;
            if (!_devices.TryGetValue(device.Index, out DeviceState known)
                || known != device.State)
            {
                _devices[device.Index] = device.State;
                _recorder.Note(
                    FlightEventKind.Device, device.Index, 0,
                    Encoding.UTF8.GetBytes(device.State.ToString()));
            }
        }

        Set(WorkerMetric.DevicesAbsent, absent);
    }

    private byte[] NameOf(string method)
    {
        if (!_methods.TryGetValue(method, out byte[]? name))
        {
            // Names come from the table: there are only so many.
            name = Encoding.UTF8.GetBytes(method);
            if (_methods.Count < Limits.CallsPerWorkerMax)
            {
                _methods.Add(method, name);
            }
        }

        return name;
    }

    private void Add(WorkerMetric metric, long count) => _statistics.Add((int)metric, count);

    private void Set(WorkerMetric metric, long value) => _statistics.Set((int)metric, value);
}
