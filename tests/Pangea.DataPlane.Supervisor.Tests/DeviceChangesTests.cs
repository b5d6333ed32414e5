using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Supervisor.Devices;

namespace Pangea.DataPlane.Supervisor.Tests;

/// <summary>
/// Goal: a change of devices is made by supervisor and worker together or not at all, and what was
/// made survives restarts. The worker is played by the test.
/// </summary>
public sealed class DeviceChangesTests : IDisposable
{
    private static readonly DeviceChangeResult s_taken = new()
    {
        Index = 0,
        Path = "",
        State = DeviceState.Ok,
        Id = "00112233445566778899aabbccddeeff",
        Formatted = true,
    };

    private readonly DeviceBench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Fact]
    public async Task An_added_device_gets_the_next_index_and_stays()
    {
        string path = _bench.MakeDirectory("new");
        Task<Result<DeviceChangeResult>> adding = _bench.Add(path);
        RpcMessage call = _bench.Expect(WorkerDeviceMethods.Add);
        WorkerDeviceParameters asked = RpcParameters.Read(WorkerDeviceMethods.Add, call).Value;
        Assert.Equal((3, path, 0), (asked.Index, asked.Path, asked.Descriptor));
        Assert.True(asked.MayFormat);
        Assert.Equal(3, _bench.PlacesAfterRestart().Count); // Not before the worker has it.
        _bench.Answer(call, s_taken);

        Result<DeviceChangeResult> added = await adding;
        Assert.True(added.IsOk, added.Fault?.ToString());
        Assert.Equal((3, path, s_taken.Id), (added.Value.Index, added.Value.Path, added.Value.Id));
        Assert.Equal(
            new DevicePlace(3, path, DeviceSource.State, false), _bench.PlacesAfterRestart()[3]);
        Assert.NotNull(_bench.Devices.At(3)?.Opened);
        Assert.Contains(path, _bench.State.DevicesInUse);
    }

    [Fact]
    public async Task What_the_worker_refuses_has_not_happened()
    {
        string path = _bench.MakeDirectory("foreign");
        Task<Result<DeviceChangeResult>> adding = _bench.Add(path);
        _bench.Refuse(
            _bench.Expect(WorkerDeviceMethods.Add), new Fault(FaultCode.Denied, "another's"));
        Assert.Equal(FaultCode.Denied, (await adding).Fault?.Code);

        adding = _bench.Add(path);
        _bench.Expect(WorkerDeviceMethods.Add);
        _bench.ReplaceWorker();
        Assert.Equal(FaultCode.WorkerLost, (await adding).Fault?.Code);
        Assert.Equal(3, _bench.PlacesAfterRestart().Count);
        Assert.Null(_bench.Devices.At(3));

        // And nothing is left that would be in the way of the same call again.
        adding = _bench.Add(path);
        _bench.Answer(_bench.Expect(WorkerDeviceMethods.Add), s_taken);
        Assert.True((await adding).IsOk);
    }

    [Theory]
    [InlineData("relative", FaultCode.InvalidParameters)]
    [InlineData("/no\nline", FaultCode.InvalidParameters)]
    [InlineData("/nowhere/at/all", FaultCode.NotFound)]
    [InlineData("/dev/null", FaultCode.InvalidParameters)]
    [InlineData("/etc/passwd", FaultCode.InvalidParameters)]
    public async Task A_path_that_is_no_device_is_refused(string path, FaultCode code) =>
        Assert.Equal(code, (await _bench.Add(path)).Fault?.Code);

    /// <summary>
    /// The worker is not asked: to reach a new directory it would be restarted, which a mistake in
    /// a path must not cause.
    /// </summary>
    [Fact]
    public async Task What_is_seen_to_be_no_device_of_ours_never_reaches_the_worker()
    {
        string path = _bench.MakeDirectory("place");
        string superblock = Path.Combine(path, "pangea-device.json");
        foreach ((string text, FaultCode code) in new (string, FaultCode)[]
        {
            ("{\"format\":2,\"device\":\"1\",\"state\":\"another\"}", FaultCode.Denied),
            ("{\"format\":2}", FaultCode.Corrupt),
            ("{\"state\":7}", FaultCode.Corrupt),
            ("[]", FaultCode.Corrupt),
            ("", FaultCode.Corrupt),
            ("{\"state\":", FaultCode.Corrupt),
        })
        {
            File.WriteAllText(superblock, text);
            Assert.Equal(code, (await _bench.Add(path)).Fault?.Code);
            Assert.Equal(code, (await _bench.Replace("0", path)).Fault?.Code);
        }

        File.Move(superblock, Path.Combine(path, "letter"));
        Result<DeviceChangeResult> refused = await _bench.Add(path);
        Assert.Equal(FaultCode.Exists, refused.Fault?.Code);
        Assert.Contains("letter", refused.Fault?.Message);

        // What a file system puts there by itself is nobody's.
        File.Delete(Path.Combine(path, "letter"));
        Directory.CreateDirectory(Path.Combine(path, "lost+found"));
        Task<Result<DeviceChangeResult>> adding = _bench.Add(path);
        _bench.Answer(_bench.Expect(WorkerDeviceMethods.Add), s_taken);
        Assert.True((await adding).IsOk);
    }

    [Fact]
    public async Task Whatever_stands_in_a_superblock_is_judged_without_harm()
    {
        int seed = Environment.TickCount;
        var random = new Random(seed);
        string path = _bench.MakeDirectory("place");
        string[] pieces =
            ["{", "}", "[", "\"state\"", ":", ",", "\"x\"", "1", "null", "\0", "\u00ff", "\\u"];
        for (int i = 0; i < 500; i++)
        {
            string text = "{" + string.Concat(Enumerable.Range(0, random.Next(12))
                .Select(_ => pieces[random.Next(pieces.Length)]));
            File.WriteAllText(Path.Combine(path, "pangea-device.json"), text);
            Result<DeviceChangeResult> added = await _bench.Add(path);
            Assert.True(
                added.Fault?.Code is FaultCode.Corrupt or FaultCode.Denied,
                $"seed {seed}: {text}: {added.Fault}");
        }
    }

    [Fact]
    public async Task One_directory_is_one_device_whatever_it_is_called()
    {
        string link = _bench.PathOf("link");
        Directory.CreateSymbolicLink(link, _bench.Configuration.Devices[1]);
        string[] names =
        [
            _bench.Configuration.Devices[1], link, _bench.Configuration.Devices[1] + "/../1",
        ];
        foreach (string name in names)
        {
            Result<DeviceChangeResult> added = await _bench.Add(name);
            Assert.Equal(FaultCode.Exists, added.Fault?.Code);
            Assert.Contains("device 1", added.Fault?.Message);
            Assert.Equal(FaultCode.Exists, (await _bench.Replace("0", name)).Fault?.Code);
        }
    }

    [Fact]
    public async Task A_removal_that_leaves_too_few_devices_is_refused()
    {
        Result<DeviceChangeResult> removed = await _bench.Remove("2");
        Assert.Equal(FaultCode.Unavailable, removed.Fault?.Code);
        Assert.Contains("2 devices would remain", removed.Fault?.Message);
        Assert.Equal(
            FaultCode.Unavailable, (await _bench.Remove("2", force: true)).Fault?.Code);
        Assert.Equal(FaultCode.NotFound, (await _bench.Remove("3")).Fault?.Code);
        Assert.Equal(FaultCode.NotFound, (await _bench.Remove("/none")).Fault?.Code);
        Assert.Equal(FaultCode.NotFound, (await _bench.Replace("-1", "/tmp")).Fault?.Code);
    }

    [Fact]
    public async Task A_device_is_emptied_before_it_goes_and_its_index_is_free_then()
    {
        using DeviceBench bench = new(devices: 4);
        string path = bench.Configuration.Devices[1];
        Task<Result<DeviceChangeResult>> removing = bench.Remove(path);
        RpcMessage call = bench.Expect(WorkerDeviceMethods.Remove);
        Assert.True((await removing).Value.Draining);
        Assert.True(bench.PlacesAfterRestart()[1].Draining);

        // One that is on its way out does not count for the next removal, and asking again is idle.
        Assert.Equal(FaultCode.Unavailable, (await bench.Remove("0")).Fault?.Code);
        Assert.True((await bench.Remove("1")).Value.Draining);
        Assert.Equal(FaultCode.BadState, (await bench.Replace("1", "/tmp")).Fault?.Code);

        // The worker ends in the middle: the next one is told again.
        bench.ReplaceWorker();
        bench.OnLoop(bench.Changes.OnWorkerReady);
        call = bench.Expect(WorkerDeviceMethods.Remove);
        Assert.Equal(1, RpcParameters.Read(WorkerDeviceMethods.Remove, call).Value.Index);
        bench.Answer(call, s_taken);
        WaitFor(() => bench.Devices.At(1) is null);
        Assert.Equal([0, 2, 3], bench.PlacesAfterRestart().Select(place => place.Index));

        Task<Result<DeviceChangeResult>> adding = bench.Add(path);
        bench.Answer(bench.Expect(WorkerDeviceMethods.Add), s_taken);
        Assert.Equal(1, (await adding).Value.Index);
        Assert.Equal(DeviceSource.Configuration, bench.PlacesAfterRestart()[1].Source);
    }

    [Fact]
    public async Task A_device_that_cannot_be_emptied_stays_and_says_why()
    {
        using DeviceBench bench = new(devices: 4);
        Task<Result<DeviceChangeResult>> removing = bench.Remove("3");
        bench.Refuse(
            bench.Expect(WorkerDeviceMethods.Remove), new Fault(FaultCode.NoSpace, "no room"));
        Assert.Equal(FaultCode.NoSpace, (await removing).Fault?.Code);
        Assert.Equal(4, bench.PlacesAfterRestart().Count);
        Assert.All(bench.PlacesAfterRestart(), place => Assert.False(place.Draining));
        DeviceStatus status = DeviceReports.Describe(bench.Devices, bench.Changes, null)[3];
        Assert.Contains("no room", status.Reason);
        Assert.Null(status.Draining);
    }

    [Fact]
    public async Task Force_takes_a_device_out_while_it_is_being_emptied()
    {
        using DeviceBench bench = new(devices: 4);
        Task<Result<DeviceChangeResult>> removing = bench.Remove("0");
        RpcMessage gentle = bench.Expect(WorkerDeviceMethods.Remove);
        Assert.True((await removing).IsOk);
        Task<Result<DeviceChangeResult>> forcing = bench.Remove("0", force: true);
        RpcMessage call = bench.Expect(WorkerDeviceMethods.Remove);
        Assert.True(RpcParameters.Read(WorkerDeviceMethods.Remove, call).Value.Force);
        bench.Answer(call, s_taken);
        Assert.False((await forcing).Value.Draining);
        bench.Refuse(gentle, new Fault(FaultCode.Canceled, "forced out"));
        Assert.Equal([1, 2, 3], bench.PlacesAfterRestart().Select(place => place.Index));
    }

    [Fact]
    public async Task A_replacement_takes_the_index_of_the_old_device()
    {
        string path = _bench.MakeDirectory("new");
        string before = _bench.Configuration.Devices[2];
        Assert.Null(_bench.State.NoteDevicesInUse([before]));
        Task<Result<DeviceChangeResult>> replacing = _bench.Replace("2", path);
        RpcMessage call = _bench.Expect(WorkerDeviceMethods.Replace);
        Assert.Equal(2, RpcParameters.Read(WorkerDeviceMethods.Replace, call).Value.Index);
        _bench.Answer(call, s_taken);
        Assert.Equal(2, (await replacing).Value.Index);
        Assert.Equal(
            new DevicePlace(2, path, DeviceSource.State, false), _bench.PlacesAfterRestart()[2]);
        Assert.DoesNotContain(before, _bench.State.DevicesInUse);
    }

    [Fact]
    public async Task A_missing_device_can_be_replaced_at_its_own_path()
    {
        string path = _bench.Configuration.Devices[1];
        Assert.Null(_bench.State.NoteDevicesInUse([path]));
        Directory.Delete(path);
        _bench.OnLoop(_bench.Devices.OpenAll);
        Directory.CreateDirectory(path);
        Task<Result<DeviceChangeResult>> replacing = _bench.Replace("1", path);
        RpcMessage call = _bench.Expect(WorkerDeviceMethods.Replace);
        Assert.True(RpcParameters.Read(WorkerDeviceMethods.Replace, call).Value.MayFormat);
        _bench.Answer(call, s_taken);
        Assert.True((await replacing).IsOk);
        Assert.Equal(DeviceSource.Configuration, _bench.PlacesAfterRestart()[1].Source);
        Assert.Contains(path, _bench.State.DevicesInUse);
    }

    [Fact]
    public async Task Nothing_changes_without_a_ready_worker_or_during_another_change()
    {
        string path = _bench.MakeDirectory("new");
        Task<Result<DeviceChangeResult>> adding = _bench.Add(path);
        RpcMessage call = _bench.Expect(WorkerDeviceMethods.Add);
        Result<DeviceChangeResult> second = await _bench.Add(_bench.MakeDirectory("newer"));
        Assert.True(second.Fault?.IsRetryable, second.Fault?.ToString());
        _bench.Answer(call, s_taken);
        Assert.True((await adding).IsOk);
        _bench.IsReady = false;
        second = await _bench.Add(_bench.PathOf("newer"));
        Assert.Equal(FaultCode.Busy, second.Fault?.Code);
    }

    private static void WaitFor(Func<bool> condition) =>
        Assert.True(SpinWait.SpinUntil(condition, TimeSpan.FromSeconds(30)));
}
