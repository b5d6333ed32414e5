using System.Globalization;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Supervisor.Configuration;
using Pangea.DataPlane.Supervisor.Devices;

namespace Pangea.DataPlane.Supervisor.Privilege;

/// <summary>
/// The steps as a dropped supervisor has them taken: by the warden, one at a time. Each is as short
/// as the step itself, so the loop waits for it as it would for its own.
/// </summary>
internal sealed class WardenClient(UnixSocket channel, int pid) : IPrivilegedSteps
{
    private readonly WardenWire _wire = new(channel);

    public bool StartedByRoot => true;

    public int? WardenPid => pid;

    /// <summary>Hangs up when the warden ends.</summary>
    public UnixSocket Channel => _wire.Channel;

    public Result<ChildProcess> Launch(
        IReadOnlyList<string> arguments, UnixSocket channel, IReadOnlyList<OwnedFd> places)
    {
        Result<(string?[] Texts, OwnedFd? Fd)> answer = Call(
            [WardenWire.Launch, .. arguments], [channel.Fd, .. places]);
        if (!answer.IsOk)
        {
            return answer.Fault;
        }

        return answer.Value is ([_, { } id], { } pidFd)
            && int.TryParse(id, CultureInfo.InvariantCulture, out int child)
            ? ChildProcess.OfOther(child, pidFd, Reap)
            : Unreadable();
    }

    public Fault? InspectDevice(string path, string stateId) =>
        Call([WardenWire.Inspect, path, stateId], []).Fault;

    public Result<OpenedPath> OpenDevice(string path)
    {
        Result<(string?[] Texts, OwnedFd? Fd)> answer = Call(
            [WardenWire.Open, path], []);
        if (!answer.IsOk)
        {
            return answer.Fault;
        }

        return answer.Value is ([_, { } kind, { } device, { } inode], { } fd)
            && Enum.TryParse(kind, out DeviceKind known)
            && ulong.TryParse(device, CultureInfo.InvariantCulture, out ulong deviceNumber)
            && ulong.TryParse(inode, CultureInfo.InvariantCulture, out ulong inodeNumber)
            ? new OpenedPath(fd, new DeviceIdentity(known, deviceNumber, inodeNumber))
            : Unreadable();
    }

    public Result<string> ReadConfiguration(string path)
    {
        // The warden knows by itself which file that is: it opens no other.
        Result<(string?[] Texts, OwnedFd? Fd)> answer = Call([WardenWire.Configuration], []);
        if (!answer.IsOk)
        {
            return answer.Fault;
        }

        using OwnedFd? file = answer.Value.Fd;
        return file is null
            ? Unreadable()
            : ConfigurationFile.ReadText(file, path);
    }

    public Result<OwnedFd> OpenPins(string stateId)
    {
        Result<(string?[] Texts, OwnedFd? Fd)> answer = Call([WardenWire.OpenPins, stateId], []);
        return !answer.IsOk ? answer.Fault
            : answer.Value.Fd is { } directory ? directory
            : Unreadable();
    }

    public Fault? RemovePins(string stateId) => Call([WardenWire.RemovePins, stateId], []).Fault;

    public Fault? DiscardPins(string stateId) =>
        Call([WardenWire.DiscardPins, stateId], []).Fault;

    public void RemoveSocket(string path) => Call([WardenWire.RemoveSocket], []);

    /// <summary>Has the warden execute the program that is installed now.</summary>
    public Fault? Renew() => Call([WardenWire.Renew], []).Fault;

    public void Dispose() => _wire.Dispose();

    private ExitStatus? Reap(int child)
    {
        Result<(string?[] Texts, OwnedFd? Fd)> answer = Call(
            [WardenWire.Reap, child.ToString(CultureInfo.InvariantCulture)], []);
        return !answer.IsOk
            ? ExitStatus.Unknown
            : answer.Value.Texts is [_, { } code, { } signal]
                && int.TryParse(code, CultureInfo.InvariantCulture, out int exit)
                && int.TryParse(signal, CultureInfo.InvariantCulture, out int number)
                ? new ExitStatus(exit, number)
                : null;
    }

    private Result<(string?[] Texts, OwnedFd? Fd)> Call(
        IEnumerable<string?> request, ReadOnlySpan<OwnedFd> descriptors)
    {
        SysResult sent = _wire.Send(request, descriptors);
        if (!sent.IsOk || _wire.Receive() is not { } line)
        {
            return new Fault(
                FaultCode.BadState,
                "the warden, which starts workers and opens devices, is gone",
                "the supervisor ends; start it again");
        }

        using DescriptorSet came = line.Descriptors;
        string?[] texts = WardenWire.Texts(line.Bytes) ?? [];
        return WardenWire.FaultOf(texts) is { } fault
            ? fault
            : (texts, came.Count > 0 ? came.Take(0).Value : null);
    }

    private static Fault Unreadable() =>
        new(FaultCode.Internal, "the warden's answer cannot be read");
}
