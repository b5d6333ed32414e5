using System.Security.Cryptography;
using System.Text;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Erasure;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Turns the parameters and descriptors of <c>worker.start</c> into the parts of a storage worker.
/// Each descriptor is checked for what it is said to be before it is used.
/// </summary>
internal sealed class WorkerStart : IDisposable
{
    private WorkerStart(BufferPool pool, IReactor reactor, StorageService service)
    {
        Pool = pool;
        Reactor = reactor;
        Service = service;
    }

    public BufferPool Pool { get; }

    public IReactor Reactor { get; }

    public StorageService Service { get; }

    public static Result<WorkerStart> Prepare(RpcMessage call, DescriptorSet descriptors)
    {
        if (call.Method != WorkerMethods.Start.Name)
        {
            return new Fault(
                FaultCode.BadState,
                $"a new worker knows {WorkerMethods.Start.Name} only, not {call.Method}",
                "start it first");
        }

        Result<WorkerStartParameters> read = RpcParameters.Read(WorkerMethods.Start, call);
        if (!read.IsOk)
        {
            return read.Fault;
        }

        // Asked for here, where a name that this CPU cannot serve is a fault and not a crash.
        string? forced = Environment.GetEnvironmentVariable(ErasureKernels.Variable);
        if (!ErasureKernels.TrySelect(forced, out _, out string? error))
        {
            return new Fault(
                FaultCode.Unsupported,
                    error!, $"unset {ErasureKernels.Variable} or choose another");
        }

        WorkerStartParameters start = read.Value;
        Result<Dictionary<string, ObjectClass>> classes = ReadClasses(start);
        Result<int> slabBytes = classes.IsOk ? SlabBytesFor(start, classes.Value) : classes.Fault;
        Result<KeyRing> keys =
            slabBytes.IsOk ? ReadKeys(start.Keys, descriptors) : slabBytes.Fault;
        Result<ComputeThreads> threads =
            keys.IsOk ? ComputeThreads.Start(start.Threads ?? 0) : keys.Fault;
        if (!threads.IsOk)
        {
            return threads.Fault;
        }

        if (start.Core is { } core)
        {
            _ = CoreAffinity.Set(core); // Where it is refused, the jail's mask still holds.
        }

        Result<BufferPool> pool = BufferPool.Create(
            slabBytes.Value, StorageService.SlabsNeeded);
        if (!pool.IsOk)
        {
            return pool.Fault;
        }

        Result<IReactor> reactor = Reactors.Create(pool.Value, new ReactorOptions());
        if (!reactor.IsOk)
        {
            return reactor.Fault;
        }

        var devices = OpenDevices(start, descriptors);
        var service = new StorageService(
            reactor.Value, pool.Value, devices, keys.Value, threads.Value, classes.Value,
            slabBytes.Value);
        return new WorkerStart(pool.Value, reactor.Value, service);
    }

    public WorkerStartResult Describe(IReadOnlyList<string> remarks) => new()
    {
        Pid = Environment.ProcessId,
        Ring = Reactor.Kind,
        RingReason = Reactor.Reason,
        ErasureKernel = ErasureKernels.Name(ErasureKernels.Active),
        ErasureKernelReason = ErasureKernels.ActiveReason,
        DevicesInUse =
            [.. Service.Devices.All.Where(device => device.IsOpen).Select(device => device.Path)],
        Remarks = remarks,
    };

    public void Dispose()
    {
        Service.Dispose();
        Reactor.Dispose();
        Pool.Dispose();
    }

    private static Result<Dictionary<string, ObjectClass>> ReadClasses(WorkerStartParameters start)
    {
        var classes = new Dictionary<string, ObjectClass>(StringComparer.Ordinal);
        var defaults = new StartClass
        {
            Name = ObjectClass.DefaultName,
            Redundancy = start.Redundancy,
            StripeBytes = start.StripeBytes,
            Compression = start.Compression,
        };
        foreach (StartClass each in (start.Classes ?? []).Prepend(defaults))
        {
            Result<ObjectClass> kind = ReadClass(each, start.Devices.Count);
            if (!kind.IsOk)
            {
                return kind.Fault;
            }

            if (!classes.TryAdd(each.Name, kind.Value))
            {
                return Fault.InvalidParameter("classes", $"class \"{each.Name}\" is named twice");
            }
        }

        return classes;
    }

    /// <summary>Room for a stripe of whichever class or earlier geometry needs most.</summary>
    private static Result<int> SlabBytesFor(
        WorkerStartParameters start, Dictionary<string, ObjectClass> classes)
    {
        int bytes = StorageService.SlabBytesFor(classes.Values.Select(kind => kind.Geometry));
        foreach (StartGeometry earlier in start.EarlierGeometries ?? [])
        {
            Result<StripeGeometry> geometry = GeometryOf(earlier.Redundancy, earlier.StripeBytes);
            if (!geometry.IsOk)
            {
                return geometry.Fault;
            }

            bytes = Math.Max(bytes, StorageService.SlabBytesFor([geometry.Value]));
        }

        return bytes;
    }

    private static Result<StripeGeometry> GeometryOf(RedundancyRecord record, int stripeBytes)
    {
        Result<Redundancy> redundancy = Redundancy.Create(record.DataShards, record.ParityShards);
        return redundancy.IsOk
            ? StripeGeometry.Create(redundancy.Value, stripeBytes, ShardFile.BlockBytes)
            : redundancy.Fault;
    }

    private static Result<ObjectClass> ReadClass(StartClass start, int devices)
    {
        Result<StripeGeometry> geometry = GeometryOf(start.Redundancy, start.StripeBytes);
        if (!geometry.IsOk)
        {
            return geometry.Fault;
        }

        Redundancy redundancy = geometry.Value.Redundancy;
        if (devices < redundancy.TotalShards || devices > Limits.DevicesMax)
        {
            return Fault.InvalidParameter(
                "devices",
                $"class \"{start.Name}\" with {redundancy} needs {redundancy.TotalShards} devices "
                    + $"at least, and {Limits.DevicesMax} are possible; {devices} are configured",
                "add devices or choose a smaller redundancy");
        }

        Result<CompressionMode> compression = CompressionPolicy.Parse(start.Compression);
        return compression.IsOk
            ? new ObjectClass(geometry.Value, compression.Value)
            : compression.Fault;
    }

    /// <summary>Reads the one key file that came with a call.</summary>
    public static Result<KeyRing> ReadKeys(
        IReadOnlyList<StartKey> files, DescriptorSet descriptors)
    {
        if (files.Count != 1)
        {
            return Fault.InvalidParameter("keys", $"one key file is needed, {files.Count} came");
        }

        Result<OwnedFd> descriptor = descriptors.Take(files[0].Descriptor);
        if (!descriptor.IsOk)
        {
            return descriptor.Fault;
        }

        using OwnedFd file = descriptor.Value;
        var bytes = new byte[KeyRing.TextBytesMax];
        SysResult read = Files.ReadAt(file, bytes, 0);
        if (!read.IsOk)
        {
            return read.Errno.ToFault("read the key file");
        }

        char[] text = Encoding.UTF8.GetChars(bytes, 0, (int)read.Value);
        Result<KeyRing> keys = KeyRing.Parse(text);
        CryptographicOperations.ZeroMemory(bytes);
        Array.Clear(text);
        return keys;
    }

    private static DeviceSet OpenDevices(WorkerStartParameters start, DescriptorSet descriptors)
    {
        var devices = new List<StorageDevice>(start.Devices.Count);
        foreach (StartDevice device in start.Devices)
        {
            Fault? fault = null;
            OwnedFd? root = null;
            if (device.Descriptor is { } index)
            {
                Result<OwnedFd> taken = descriptors.Take(index);
                root = taken.IsOk ? taken.Value : null;
                fault = taken.Fault;
            }

            devices.Add(StorageDevice.Open(
                devices.Count, device.Path, root, start.StateId, fault?.Message ?? device.Reason,
                device.MayFormat));
        }

        return new DeviceSet(devices);
    }
}
