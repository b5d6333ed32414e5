using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Control.Tests.Cli;

/// <content>Devices, scrub, heal and catalog. Background work takes a few questions.</content>
internal sealed partial class FakeAppliance
{
    private int _questions;

    /// <summary>Questions for progress after which background work is over.</summary>
    public int QuestionsUntilDone { get; set; } = 2;

    /// <summary>What device.list says of device 3 when it was not emptied after all.</summary>
    public string? NotDrained { get; set; }

    /// <summary>Parameters of the last call about devices.</summary>
    public string LastParameters { get; private set; } = "";

    private static bool IsChange(RpcMethod method) =>
        method.Name is "device.add" or "device.remove" or "device.replace";

    private byte[]? AnswerStorage(ReadOnlySpan<byte> id, RpcMessage call)
    {
        if (IsChange(RpcMethods.Find(call.Method)!))
        {
            LastParameters = System.Text.Encoding.UTF8.GetString(call.Parameters.Span);
        }

        return call.Method switch
        {
            "device.list" => RpcWriter.Result(id, StorageMethods.DeviceList, Devices()),
            "device.add" => Changed(
                id, RpcParameters.Read(StorageMethods.DeviceAdd, call).Value.Path, null),
            "device.remove" => Changed(
                id,
                "/dev/sdq",
                !RpcParameters.Read(StorageMethods.DeviceRemove, call).Value.Force),
            "device.replace" => Changed(
                id, RpcParameters.Read(StorageMethods.DeviceReplace, call).Value.Path, null),
            "scrub.start" or "scrub.stop" or "scrub.status" => RpcWriter.Result(
                id,
                StorageMethods.ScrubStatus,
                SampleRecords.Scrub with { Running = ++_questions <= QuestionsUntilDone }),
            "heal.start" or "heal.status" => RpcWriter.Result(
                id, StorageMethods.HealStatus, SampleRecords.Heal),
            "catalog.rebuild" => RpcWriter.Result(
                id,
                StorageMethods.CatalogRebuild,
                new CatalogRebuildResult
                {
                    Objects = 12_345,
                    BytesRead = 1 << 20,
                    Milliseconds = 9,
                }),
            _ => null,
        };
    }

    private static byte[] Changed(ReadOnlySpan<byte> id, string path, bool? draining) =>
        RpcWriter.Result(id, StorageMethods.DeviceAdd, new DeviceChangeResult
        {
            Index = 3,
            Path = path,
            State = draining is null ? DeviceState.Ok : null,
            Id = SampleRecords.Id,
            Formatted = draining is null ? true : null,
            Draining = draining,
        });

    private DeviceListResult Devices()
    {
        bool over = ++_questions > QuestionsUntilDone;
        IEnumerable<DeviceStatus> devices = SampleRecords.Devices.Devices;
        if (over)
        {
            devices = NotDrained is null
                ? devices.Where(device => device.Index != 3)
                : devices.Select(device => device.Index == 3
                    ? device with { Draining = null, Reason = NotDrained }
                    : device);
        }

        return new DeviceListResult { Devices = [.. devices] };
    }
}
