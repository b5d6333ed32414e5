using System.Text;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Control.Tests.Cli;

/// <summary>
/// The other end of the control socket for tests of the command line: keeps objects in a
/// dictionary, checks every call against the method table, and fails calls on demand. One thread,
/// one connection at a time.
/// </summary>
internal sealed partial class FakeAppliance : IDisposable
{
    private readonly UnixSocket _listener;
    private readonly Thread _thread;
    private readonly SortedDictionary<string, byte[]> _objects = new(StringComparer.Ordinal);
    private readonly byte[] _chunk = new byte[64 * 1024];
    private volatile bool _stopping;

    public FakeAppliance()
    {
        Directory = System.IO.Directory.CreateTempSubdirectory("pangea-cli-").FullName;
        SocketPath = Path.Combine(Directory, "control.sock");
        _listener = UnixSocket.Listen(SocketPath, 0x180, 16).Value;
        _thread = new Thread(Serve) { IsBackground = true };
        _thread.Start();
    }

    /// <summary>A directory of this test, removed at its end.</summary>
    public string Directory { get; }

    public string SocketPath { get; }

    /// <summary>What the next object calls fail with.</summary>
    public Fault? Failure { get; set; }

    /// <summary>Bytes that object.get writes before it fails.</summary>
    public int BytesBeforeFailure { get; set; }

    /// <summary>Entries of one page of a list.</summary>
    public int PageMax { get; set; } = Limits.ListPageMax;

    public IDictionary<string, byte[]> Objects => _objects;

    public void Dispose()
    {
        _stopping = true;
        _thread.Join();
        _listener.Dispose();
        System.IO.Directory.Delete(Directory, recursive: true);
    }

    private void Serve()
    {
        while (!_stopping)
        {
            Result<UnixSocket?> accepted = _listener.Accept();
            if (accepted.IsOk && accepted.Value is { } socket)
            {
                using (socket)
                {
                    Converse(socket);
                }
            }
            else
            {
                Thread.Sleep(2);
            }
        }
    }

    private void Converse(UnixSocket socket)
    {
        using var lines = new LineAssembler();
        var received = new List<OwnedFd>();
        while (true)
        {
            received.Clear();
            SysResult got = socket.Receive(_chunk, received, wait: true);
            if (!got.IsOk
                || got.Value == 0
                || !lines.Append(_chunk.AsSpan(0, (int)got.Value), received))
            {
                return;
            }

            while (lines.TryTake(out ReceivedLine line))
            {
                using DescriptorSet descriptors = line.Descriptors;
                byte[] reply = RpcParser.TryParse(
                    line.Bytes, out RpcMessage? call, out RpcRefusal? refusal)
                    ? Answer(call, descriptors)
                    : RpcWriter.Error(refusal.Id.Span, refusal.Fault);
                socket.Send(reply, [], wait: true);
            }
        }
    }

    private byte[] Answer(RpcMessage call, DescriptorSet descriptors)
    {
        ReadOnlySpan<byte> id = call.Id.Span;
        RpcMethod? method = RpcMethods.Find(call.Method);
        Fault? fault = method is null
            ? RpcMethods.NotFound(call.Method)
            : RpcParameters.Check(method, call);
        bool mayFail = method is not null
            && (method.Scope == RpcScope.Forwarded || IsChange(method) || IsFirewall(method));
        fault ??= mayFail ? Failure : null;
        if (fault is not null)
        {
            if (call.Method == "object.get" && BytesBeforeFailure > 0)
            {
                using OwnedFd file = descriptors.Take(0).Value;
                WriteTo(file, new byte[BytesBeforeFailure]);
            }

            return RpcWriter.Error(id, fault);
        }

        return call.Method switch
        {
            "object.put" =>
                Put(id, RpcParameters.Read(RpcMethods.ObjectPut, call).Value, descriptors),
            "object.get" =>
                Get(id, RpcParameters.Read(RpcMethods.ObjectGet, call).Value, descriptors),
            "object.list" => List(id, RpcParameters.Read(RpcMethods.ObjectList, call).Value),
            "object.stat" => Stat(id, RpcParameters.Read(RpcMethods.ObjectStat, call).Value.Name),
            "object.remove" =>
                Remove(id, RpcParameters.Read(RpcMethods.ObjectRemove, call).Value.Name),
            "system.version" =>
                RpcWriter.Result(id, RpcMethods.SystemVersion, BuildIdentity.Describe()),
            "system.status" => RpcWriter.Result(id, RpcMethods.SystemStatus, SampleRecords.Status),
            "worker.list" => RpcWriter.Result(
                id,
                RpcMethods.WorkerList,
                new WorkerListResult { Workers = SampleRecords.Status.Workers }),
            _ => AnswerStorage(id, call) ?? AnswerFirewall(id, call, descriptors)
                ?? RpcWriter.ResultRaw(id, RpcDiscovery.Write("test")),
        };
    }

    private byte[] Put(ReadOnlySpan<byte> id, ObjectPutParameters put, DescriptorSet descriptors)
    {
        using OwnedFd file = descriptors.Take(0).Value;
        byte[] content = ReadAll(file);
        bool replaced = _objects.ContainsKey(put.Name);
        if (replaced && put.NoClobber)
        {
            return RpcWriter.Error(id, new Fault(FaultCode.Exists, $"object '{put.Name}' exists"));
        }

        _objects[put.Name] = content;
        return RpcWriter.Result(id, RpcMethods.ObjectPut, new ObjectPutResult
        {
            Name = put.Name,
            Id = SampleRecords.Id,
            Bytes = content.Length,
            StoredBytes = content.Length * 3 / 2,
            Stripes = 1,
            Sha256 = SampleRecords.Sha256,
            Replaced = replaced,
            DevicesCommitted = 12,
            DevicesTotal = 12,
            Expires = put.TtlSeconds is { } seconds
                ? SampleRecords.Created.AddSeconds(seconds)
                : null,
        });
    }

    private static byte[] ReadAll(OwnedFd file)
    {
        using var content = new MemoryStream();
        byte[] buffer = new byte[4096];
        while (Files.Read(file, buffer) is { IsOk: true, Value: > 0 } got)
        {
            content.Write(buffer, 0, (int)got.Value);
        }

        return content.ToArray();
    }

    /// <summary>As a worker does with what is no whole number of blocks.</summary>
    private static void WriteTo(OwnedFd file, ReadOnlySpan<byte> content)
    {
        Assert.True(Files.SetDirect(file, isDirect: false).IsOk);
        Assert.Equal(content.Length, Files.Write(file, content).Value);
    }

    private byte[] Get(ReadOnlySpan<byte> id, ObjectGetParameters get, DescriptorSet descriptors)
    {
        using OwnedFd file = descriptors.Take(0).Value;
        if (!_objects.TryGetValue(get.Name, out byte[]? content))
        {
            return RpcWriter.Error(id, SampleRecords.NoObject(get.Name));
        }

        int from = (int)(get.Offset is < 0 ? content.Length + get.Offset : get.Offset ?? 0);
        int length = (int)Math.Min(content.Length - from, get.Length ?? content.Length);
        WriteTo(file, content.AsSpan(from, length));
        return RpcWriter.Result(id, RpcMethods.ObjectGet, new ObjectGetResult
        {
            Name = get.Name,
            Id = SampleRecords.Id,
            Bytes = content.Length,
            Sha256 = SampleRecords.Sha256,
            Stripes = 1,
            StripesRepaired = 0,
            ShardsLost = 0,
            Offset = get.Offset is null && get.Length is null ? null : from,
            Length = get.Offset is null && get.Length is null ? null : length,
        });
    }

    private byte[] List(ReadOnlySpan<byte> id, ObjectListParameters list)
    {
        var page = new ObjectListPage(PageMax);
        foreach ((string name, byte[] content) in _objects)
        {
            if (name.StartsWith(list.Prefix ?? "", StringComparison.Ordinal)
                && (list.After is null || string.CompareOrdinal(name, list.After) > 0)
                && !page.TryAdd(SampleRecords.Entry(name, content.Length)))
            {
                break;
            }
        }

        return RpcWriter.Result(id, RpcMethods.ObjectList, page.Build());
    }

    private byte[] Stat(ReadOnlySpan<byte> id, string name) => _objects.ContainsKey(name)
        ? RpcWriter.Result(id, RpcMethods.ObjectStat, SampleRecords.Stat with { Name = name })
        : RpcWriter.Error(id, SampleRecords.NoObject(name));

    private byte[] Remove(ReadOnlySpan<byte> id, string name) =>
        _objects.Remove(name, out byte[]? content)
        ? RpcWriter.Result(id, RpcMethods.ObjectRemove, new ObjectRemoveResult
        {
            Name = name,
            Id = SampleRecords.Id,
            Bytes = content.Length,
        })
        : RpcWriter.Error(id, SampleRecords.NoObject(name));
}
