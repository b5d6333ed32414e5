using System.Security.Cryptography;
using System.Text;
using Pangea.DataPlane.Ces;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// What a worker does in its first second, done once beforehand, on devices and a key of no value:
/// a start, puts, gets, and a start that finds their logs and no catalog, as after kill -9.
/// Whoever takes a dead worker's place then runs code that is compiled and linked, with its
/// libraries loaded (experiment 0013: two thirds of the time without service).
/// </summary>
internal sealed class Rehearsal(DirectoryFd directory, Func<bool> isCalled)
{
    private const int DataShards = 2;
    private const int ParityShards = 1;
    private const int StripeBytes = 64 * 1024;
    private const int SegmentBytes = 1024 * 1024;
    private const int SmallBytes = 3000;

    // Several stripes, the last of them short.
    private const int LargeBytes = (3 * StripeBytes) + 1000;
    private const string KeyName = "key";

    private readonly byte[] _content = RandomNumberGenerator.GetBytes(LargeBytes);
    private readonly string _stateId = ObjectId.New().ToString();

    /// <summary>Runs it on the calling thread, which is the loop's.</summary>
    /// <param name="directory">Empty; owned from now on.</param>
    /// <param name="isCalled">Whether the real start has come: then it ends at once.</param>
    /// <returns>Null where it went to its end.</returns>
    public static Fault? Run(OwnedFd directory, Func<bool> isCalled)
    {
        Result<DirectoryFd> opened = DirectoryFd.Adopt(directory);
        if (!opened.IsOk)
        {
            return opened.Fault;
        }

        using DirectoryFd place = opened.Value;
        var rehearsal = new Rehearsal(place, isCalled);
        Fault? fault = rehearsal.Make()
            ?? rehearsal.Play("catalog", isFirst: true)
            ?? rehearsal.Play("catalog of another", isFirst: false);

        // What it left on the heap would be this process's for good.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive);
        return fault;
    }

    private Fault? Make()
    {
        for (int i = 0; i < DataShards + ParityShards; i++)
        {
            SysResult made = directory.MakeDirectory($"{i}");
            if (!made.IsOk)
            {
                return made.Errno.ToFault("make a device to rehearse on");
            }
        }

        Result<OwnedFd> file = directory.OpenFile(KeyName, OpenFlags.Write | OpenFlags.Create);
        if (!file.IsOk)
        {
            return file.Fault;
        }

        using OwnedFd key = file.Value;
        using KeyRing keys = KeyRing.Of(MasterKey.Generate());
        SysResult written = Files.WriteAt(key, Encoding.UTF8.GetBytes(keys.FormatSecrets()), 0);
        return written.IsOk ? null : written.Errno.ToFault("write a key to rehearse with");
    }

    /// <summary>One worker's life on this thread, with its supervisor on another.</summary>
    private Fault? Play(string catalog, bool isFirst)
    {
        SysResult made = directory.MakeDirectory(catalog);
        Result<(UnixSocket First, UnixSocket Second)> pair = UnixSocket.Pair();
        if (!made.IsOk || !pair.IsOk || isCalled())
        {
            return made.IsOk ? pair.Fault ?? Called() : made.Errno.ToFault("make a catalog");
        }

        Fault? fault = null;
        var supervisor = new Thread(() =>
        {
            using RpcClient client = RpcClient.Over(pair.Value.First);
            fault = Direct(client, catalog, isFirst);
        });
        supervisor.Start();
        Fault? refused = Serve(pair.Value.Second);
        supervisor.Join();
        return refused ?? fault;
    }

    private static Fault? Serve(UnixSocket channel)
    {
        using var lines = new LineAssembler();
        if (WorkerProcess.ReceiveCall(channel, lines) is not { } first)
        {
            channel.Dispose();
            return new Fault(FaultCode.WorkerLost, "the rehearsal was not started");
        }

        return WorkerProcess.RunWorker(channel, first.Call, first.Descriptors, () => []);
    }

    /// <summary>The supervisor's part: what it sends, and what it expects.</summary>
    private Fault? Direct(RpcClient client, string catalog, bool isFirst)
    {
        Fault? fault = Start(client, catalog);
        (string Name, int Bytes)[] objects = [("small", SmallBytes), ("large", LargeBytes)];
        foreach ((string name, int bytes) in objects)
        {
            fault ??= isCalled() ? Called() : null;
            fault ??= isFirst ? Put(client, name, bytes) : null;
            fault ??= Get(client, name, bytes);
        }

        fault ??= client.Call(WorkerMethods.StorageStatus, Nothing.Value).Fault;
        return fault ?? client.Call(WorkerMethods.Ping, Nothing.Value).Fault;
    }

    private Fault? Start(RpcClient client, string catalog)
    {
        List<OwnedFd> descriptors = [];
        try
        {
            string[] names =
                [.. Enumerable.Range(0, DataShards + ParityShards).Select(i => $"{i}"), catalog];
            foreach (string name in names)
            {
                Result<DirectoryFd> opened = directory.OpenDirectory(name);
                if (!opened.IsOk)
                {
                    return opened.Fault;
                }

                descriptors.Add(opened.Value.Fd);
            }

            Result<OwnedFd> key = directory.OpenFile(KeyName, OpenFlags.Read);
            if (!key.IsOk)
            {
                return key.Fault;
            }

            descriptors.Add(key.Value);
            return client.Call(
                WorkerMethods.Start, Parameters(), [.. descriptors]).Fault;
        }
        finally
        {
            descriptors.ForEach(each => each.Dispose());
        }
    }

    private WorkerStartParameters Parameters()
    {
        const int devices = DataShards + ParityShards;
        return new WorkerStartParameters
        {
            Role = "storage",
            Index = 0,
            StateId = _stateId,
            Redundancy = new RedundancyRecord
            {
                DataShards = DataShards,
                ParityShards = ParityShards,
            },
            StripeBytes = StripeBytes,
            Compression = "balanced",
            Threads = 1,
            Devices =
            [
                .. Enumerable.Range(0, devices).Select(i => new StartDevice
                {
                    Index = i,
                    Path = $"{i}",
                    State = DeviceState.Ok,
                    Descriptor = i,
                    MayFormat = true,
                }),
            ],
            Catalog = new StartCatalog { Descriptor = devices },
            Keys = [new StartKey { Descriptor = devices + 1 }],
            Storage = StorageSettings.Default with { SegmentBytes = SegmentBytes },
            Manifest =
            [
                .. Enumerable.Range(0, devices).Select(
                    i => DescriptorClaim.Of($"device {i}", DescriptorKind.Directory)),
                DescriptorClaim.Of("catalog", DescriptorKind.Directory),
                DescriptorClaim.Of("key", DescriptorKind.File),
            ],
        };
    }

    private Fault? Put(RpcClient client, string name, int bytes)
    {
        Result<OwnedFd> made = Files.CreateMemoryFile(name);
        if (!made.IsOk)
        {
            return made.Fault;
        }

        using OwnedFd source = made.Value;
        Files.WriteAt(source, _content.AsSpan(0, bytes), 0);
        return client.Call(
            RpcMethods.ObjectPut, new ObjectPutParameters { Name = name }, [source]).Fault;
    }

    private Fault? Get(RpcClient client, string name, int bytes)
    {
        Result<OwnedFd> made = Files.CreateMemoryFile(name);
        if (!made.IsOk)
        {
            return made.Fault;
        }

        using OwnedFd target = made.Value;
        Result<ObjectGetResult> got = client.Call(
            RpcMethods.ObjectGet, new ObjectGetParameters { Name = name }, [target]);
        var content = new byte[bytes];
        bool isSame = got.IsOk && Files.ReadAt(target, content, 0).IsOk
            && content.AsSpan().SequenceEqual(_content.AsSpan(0, bytes));
        return !got.IsOk ? got.Fault
            : isSame ? null
            : new Fault(FaultCode.Corrupt, $"the rehearsal's object {name} came back changed");
    }

    private static Fault Called() =>
        new(FaultCode.Canceled, "the start came before the rehearsal's end");
}
