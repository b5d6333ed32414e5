using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Worker;

/// <summary>The calls on a worker's channel about scrubbing, healing and devices.</summary>
internal sealed class HealingCalls(Healing healing, DeviceChanges changes)
{
    /// <summary>False where the call is about something else.</summary>
    public bool TryRun(RpcConnection connection, RpcMessage call, DescriptorSet descriptors)
    {
        if (call.Method == StorageMethods.ScrubStart.Name)
        {
            StartScrub(connection, call);
        }
        else if (call.Method == StorageMethods.ScrubStop.Name)
        {
            healing.Scrubber.Stop();
            Answer(connection, call, StorageMethods.ScrubStop, HealReports.Scrub(healing));
        }
        else if (call.Method == StorageMethods.ScrubStatus.Name)
        {
            Answer(connection, call, StorageMethods.ScrubStatus, HealReports.Scrub(healing));
        }
        else if (call.Method == StorageMethods.HealStart.Name)
        {
            StartHeal(connection, call);
        }
        else if (call.Method == StorageMethods.HealStatus.Name)
        {
            Answer(connection, call, StorageMethods.HealStatus, HealReports.Heal(healing));
        }
        else if (call.Method == WorkerDeviceMethods.Add.Name)
        {
            Attach(connection, call, WorkerDeviceMethods.Add, descriptors, changes.AddAsync);
        }
        else if (call.Method == WorkerDeviceMethods.Replace.Name)
        {
            Attach(
                connection, call, WorkerDeviceMethods.Replace, descriptors, changes.ReplaceAsync);
        }
        else if (call.Method == WorkerDeviceMethods.Remove.Name)
        {
            Remove(connection, call);
        }
        else
        {
            return false;
        }

        return true;
    }

    /// <summary>Ends the background work where it is; the next worker goes on.</summary>
    public ValueTask StopAsync() => healing.StopAsync();

    private void StartScrub(RpcConnection connection, RpcMessage call)
    {
        Result<ScrubStartParameters> read = RpcParameters.Read(StorageMethods.ScrubStart, call);
        if (read.IsOk)
        {
            healing.Scrubber.Start(read.Value.BytesPerSecond, read.Value.Restart);
        }

        Answer(
            connection, call, StorageMethods.ScrubStart,
            read.IsOk ? HealReports.Scrub(healing) : read.Fault);
    }

    /// <summary>
    /// Answers when all objects were looked at, so that the reply tells something.
    /// </summary>
    private async void StartHeal(RpcConnection connection, RpcMessage call)
    {
        healing.StartNow();
        await healing.Check.RunAsync();
        Answer(connection, call, StorageMethods.HealStart, HealReports.Heal(healing));
    }

    private static async void Attach(
        RpcConnection connection, RpcMessage call,
        RpcMethod<WorkerDeviceParameters, DeviceChangeResult> method,
        DescriptorSet descriptors,
        Func<WorkerDeviceParameters, OwnedFd, ValueTask<Result<DeviceChangeResult>>> run)
    {
        Result<WorkerDeviceParameters> read = RpcParameters.Read(method, call);
        Result<OwnedFd> root = read.IsOk
            ? DescriptorManifest.Take(
                descriptors, read.Value.Descriptor, "device", DescriptorKind.Directory,
                DescriptorKind.BlockDevice)
            : read.Fault;
        Answer(
            connection, call, method,
            root.IsOk ? await run(read.Value, root.Value) : root.Fault);
    }

    private async void Remove(RpcConnection connection, RpcMessage call)
    {
        Result<WorkerDeviceRemoveParameters> read =
            RpcParameters.Read(WorkerDeviceMethods.Remove, call);
        Answer(
            connection, call, WorkerDeviceMethods.Remove,
            read.IsOk ? await changes.RemoveAsync(read.Value) : read.Fault);
    }

    private static void Answer<TParameters, TResult>(
        RpcConnection connection, RpcMessage call, RpcMethod<TParameters, TResult> method,
        Result<TResult> result)
    {
        if (result.IsOk)
        {
            connection.Answer(RpcWriter.Result(call.Id.Span, method, result.Value));
        }
        else
        {
            connection.Answer(call, result.Fault);
        }
    }
}
