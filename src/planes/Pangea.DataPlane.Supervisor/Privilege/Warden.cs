using System.Globalization;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Supervisor.Devices;

namespace Pangea.DataPlane.Supervisor.Privilege;

/// <summary>The warden's requests and what it does about each.</summary>
/// <param name="wire">To the supervisor.</param>
/// <param name="user">Whom every worker becomes.</param>
/// <param name="socket">The control socket, to remove at the end.</param>
/// <param name="configuration">The one file that may be read; null without.</param>
/// <param name="places">Where devices may lie.</param>
/// <param name="arguments">Its own, to execute itself again.</param>
internal sealed class Warden(
    WardenWire wire,
    UserAccount user,
    string socket,
    string? configuration,
    AllowedPlaces places,
    string[] arguments)
{
    private readonly OwnSteps _steps = new(user, places);
    private readonly Dictionary<int, ChildProcess> _children = [];

    public void Serve()
    {
        while (wire.Receive() is { } line)
        {
            using DescriptorSet descriptors = line.Descriptors;
            Answer(WardenWire.Texts(line.Bytes) ?? [], descriptors);
        }
    }

    private void Answer(string?[] request, DescriptorSet descriptors)
    {
        switch (request)
        {
            case [WardenWire.Launch, .. { } command]:
                Launch([.. command.OfType<string>()], descriptors);
                break;
            case [WardenWire.Reap, { } pid]
                when int.TryParse(pid, CultureInfo.InvariantCulture, out int child):
                Reap(child);
                break;
            case [WardenWire.Inspect, { } path, { } stateId]:
                Send(DeviceOpener.CheckPath(path) ?? places.Check(path)
                    ?? _steps.InspectDevice(path, stateId));
                break;
            case [WardenWire.Open, { } path]:
                Open(path);
                break;
            case [WardenWire.Configuration]:
                OpenConfiguration();
                break;
            case [WardenWire.OpenPins, { } stateId]:
                OpenPins(stateId);
                break;
            case [WardenWire.RemovePins, { } stateId]:
                Send(_steps.RemovePins(stateId));
                break;
            case [WardenWire.DiscardPins, { } stateId]:
                Send(_steps.DiscardPins(stateId));
                break;
            case [WardenWire.RemoveSocket]:
                _steps.RemoveSocket(socket);
                Send(null);
                break;
            case [WardenWire.Renew]:
                Send(Renew());
                break;
            default:
                Refuse($"no step \"{request.FirstOrDefault()}\"");
                break;
        }
    }

    /// <summary>
    /// Only ever the jail that becomes the workers' user: whoever has taken over the supervisor
    /// gets no other program and no other user from here.
    /// </summary>
    private void Launch(string[] command, DescriptorSet descriptors)
    {
        if (!IsJail(command) || descriptors.Count == 0)
        {
            Refuse("to start anything but a worker in its jail");
            return;
        }

        OwnedFd[] all = descriptors.TakeAll();
        try
        {
            Result<ChildProcess> started = _steps.Launch(
                command, UnixSocket.Adopt(all[0]), all[1..]);
            if (!started.IsOk)
            {
                Send(started.Fault);
                return;
            }

            ChildProcess child = started.Value;
            _children[child.Pid] = child;
            wire.Send(
                [WardenWire.Done, child.Pid.ToString(CultureInfo.InvariantCulture)],
                [child.PidFd]);
        }
        finally
        {
            Array.ForEach(all, each => each.Dispose());
        }
    }

    private bool IsJail(string[] command)
    {
        int end = Array.IndexOf(command, "--");
        if (end < 0 || command[0] != JailVerb.Verb || end % 2 == 0
            || !command.AsSpan(end + 1).SequenceEqual(WorkerVerb.Command))
        {
            return false;
        }

        string[] users =
        [
            .. Enumerable.Range(0, end / 2)
                .Where(pair => command[1 + (2 * pair)] == JailVerb.UserOption)
                .Select(pair => command[2 + (2 * pair)]),
        ];
        return users is [{ } only] && only == $"{user.Uid}:{user.Gid}";
    }

    private void Reap(int pid)
    {
        if (!_children.TryGetValue(pid, out ChildProcess? child))
        {
            // Started by the program that this process ran before. Of a process that is nobody's
            // child here, the kernel tells nothing.
            Result<ChildProcess> earlier = ChildProcess.OfEarlierProgram(pid);
            if (!earlier.IsOk)
            {
                Send(earlier.Fault);
                return;
            }

            _children[pid] = child = earlier.Value;
        }

        if (child.TryReap() is not { } status)
        {
            Send(null);
            return;
        }

        _children.Remove(pid);
        child.Dispose();
        wire.Send(
            [
                WardenWire.Done,
                status.Code.ToString(CultureInfo.InvariantCulture),
                status.Signal.ToString(CultureInfo.InvariantCulture),
            ],
            []);
    }

    private void Open(string path)
    {
        Result<OpenedPath> opened = DeviceOpener.CheckPath(path) is { } malformed
            ? malformed
            : _steps.OpenDevice(path);
        if (!opened.IsOk)
        {
            Send(opened.Fault);
            return;
        }

        using OwnedFd fd = opened.Value.Fd;
        DeviceIdentity identity = opened.Value.Identity;
        wire.Send(
            [
                WardenWire.Done,
                identity.Kind.ToString(),
                identity.Device.ToString(CultureInfo.InvariantCulture),
                identity.Inode.ToString(CultureInfo.InvariantCulture),
            ],
            [fd]);
    }

    private void OpenConfiguration()
    {
        Result<OwnedFd> opened = configuration is null
            ? new Fault(FaultCode.NotFound, "the appliance was started without a file")
            : Files.Open(configuration, OpenFlags.Read | OpenFlags.NonBlocking);
        if (!opened.IsOk)
        {
            Send(opened.Fault);
            return;
        }

        using OwnedFd file = opened.Value;
        wire.Send([WardenWire.Done], [file]);
    }

    private void OpenPins(string stateId)
    {
        Result<OwnedFd> opened = _steps.OpenPins(stateId);
        if (!opened.IsOk)
        {
            Send(opened.Fault);
            return;
        }

        using OwnedFd directory = opened.Value;
        wire.Send([WardenWire.Done], [directory]);
    }

    /// <summary>
    /// Executes the program that is installed now; its own path, no other. Returns only with the
    /// reason why that did not work, and then goes on as before.
    /// </summary>
    private Fault Renew() => WardenVerb.Execute(
        wire.Channel.Fd,
        [
            .. arguments.Where(each => each != WardenVerb.RenewedOption),
            WardenVerb.RenewedOption,
        ]);

    private void Send(Fault? fault) =>
        wire.Send(fault is null ? [WardenWire.Done] : WardenWire.Fields(fault), []);

    private void Refuse(string what)
    {
        EventLog.Write("warden.refused", ("what", what));
        Send(new Fault(FaultCode.Denied, $"the warden refuses: {what}"));
    }
}
