using System.Runtime.ExceptionServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Memory;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Storage.Tests.Log;

/// <summary>
/// One device with its log on a real loop; a scenario runs on that loop. Afterwards nothing may be
/// left: no lease, no operation in flight.
/// </summary>
internal sealed class LogRig
{
    internal const string StateId = "state-1";
    private static readonly TimeSpan s_hangs = TimeSpan.FromSeconds(120);

    private LogRig(IReactor reactor, BufferPool pool, StorageDevice device)
    {
        Reactor = reactor;
        Pool = pool;
        Device = device;
    }

    public static IEnumerable<object[]> Reactors { get; } =
        [[ReactorChoice.Plain], [ReactorChoice.IoUring]];

    internal IReactor Reactor { get; }

    internal BufferPool Pool { get; }

    internal StorageDevice Device { get; }

    internal DeviceLog Log => Device.Log!;

    internal static DeviceLogOptions SmallSegments { get; } = new()
    {
        SegmentBytesFirst = 512 * 1024,
        SegmentBytesMax = 1024 * 1024,
    };

    /// <summary>A directory that goes with the test.</summary>
    internal static TestDirectory NewDirectory() => new();

    internal static void Run(
        string path,
        Func<LogRig, Task> scenario,
        ReactorChoice choice = ReactorChoice.Plain,
        Func<ReactorCall, InjectedFault>? plan = null,
        DeviceLogOptions? options = null,
        Func<IReactor, IReactor>? wrap = null,
        bool crash = false)
    {
        BufferPool pool = BufferPool.Create(
            DeviceLog.SlabBytes, DeviceLog.SlabsPerDevice + 13,
            new BufferPoolOptions(TryHugePages: false, Checked: true)).Value;
        Result<IReactor> made = DataPlane.Reactor.Reactors.Create(
            pool, new ReactorOptions { Choice = choice });
        Skip.If(!made.IsOk, made.Fault?.ToString());
        IReactor reactor = plan is null
            ? made.Value
            : new FaultInjectingReactor(made.Value, plan);
        reactor = wrap is null ? reactor : wrap(reactor);
        Result<OwnedFd> root = OpenRoot(path);
        StorageDevice device = StorageDevice.Open(
            0, path, root.IsOk ? root.Value : null, StateId, reactor, pool,
            options: options ?? SmallSegments);
        OnLoop(reactor, async () =>
        {
            await scenario(new LogRig(reactor, pool, device));
            if (!crash)
            {
                await device.CloseAsync();
            }
        });
        device.Dispose();
        Assert.Equal(0, pool.FlightCount);
        reactor.Dispose();
        // Not by a using: its complaint about leases would hide what the scenario threw.
        pool.Dispose();
    }

    private static Result<OwnedFd> OpenRoot(string path) => Directory.Exists(path)
        ? Files.Open(path, OpenFlags.Read | OpenFlags.Directory)
        : Files.Open(path, OpenFlags.Read | OpenFlags.Write | OpenFlags.Direct);

    private static void OnLoop(IReactor reactor, Func<Task> job)
    {
        Exception? thrown = null;
        var thread = new Thread(() =>
        {
            reactor.Post(async () =>
            {
                try
                {
                    await job();
                }
                catch (Exception e)
                {
                    thrown = e;
                }
                finally
                {
                    reactor.Stop();
                }
            });
            reactor.Run();
        })
        {
            IsBackground = true,
        };
        thread.Start();
        Assert.True(thread.Join(s_hangs), "the scenario hangs");
        if (thrown is not null)
        {
            ExceptionDispatchInfo.Throw(thrown);
        }
    }

    /// <summary>Everything the journal says, from a position on.</summary>
    internal async Task<List<SeenEntry>> ReplayAsync(LogPosition from = default)
    {
        var seen = new List<SeenEntry>();
        Result<ReplayReport> report = await Log.ReplayAsync(
            from, (in LogEntryView entry) => seen.Add(new SeenEntry(entry)));
        Assert.True(report.IsOk, report.Fault?.ToString());
        LastReplay = report.Value;
        return seen;
    }

    internal ReplayReport LastReplay { get; private set; }

    internal BufferLease Rent()
    {
        Assert.True(Pool.TryRent(out BufferLease lease));
        return lease;
    }

    /// <summary>Appends a shard of so many payload bytes filled with one value.</summary>
    internal async Task<Result<LogAddress>> AppendShardAsync(ObjectId id, int bytes, byte fill)
    {
        BufferLease lease = Rent();
        Pool.Span(lease).Fill(fill);
        Result<LogAddress> address = await Log.AppendShardAsync(
            id, lease.Slice(0, 4096), lease.Slice(4096, bytes));
        Pool.Return(lease);
        return address;
    }

    internal async Task<byte[]> ReadShardAsync(LogAddress address)
    {
        BufferLease lease = Rent();
        int payload = (int)address.Bytes - 4096;
        SysResult read = await Log.ReadShardAsync(
            address, lease.Slice(0, 4096), lease.Slice(4096, payload));
        byte[] bytes = read.IsOk ? Pool.Span(lease).Slice(4096, payload).ToArray() : [];
        Pool.Return(lease);
        Assert.True(read.IsOk, read.ToString());
        return bytes;
    }

    internal static CommitEntry Commit(ObjectId id, params Extent[] extents) =>
        new(id, 3, 8, 4, 1_700_000_000_000, 0, 0, extents);
}

/// <summary>An entry met by a replay, copied.</summary>
internal sealed record SeenEntry(
    LogEntryKind Kind, LogAddress Address, ObjectId Id, long TimeMs, string Name, byte[] Manifest,
    byte[] Inline, Extent[] Extents)
{
    internal SeenEntry(in LogEntryView entry)
        : this(
            entry.Kind, entry.Address, entry.Id, entry.TimeMs, entry.NameText,
            entry.Kind == LogEntryKind.Commit ? entry.Manifest.ToArray() : [],
            entry.Kind == LogEntryKind.Commit ? entry.InlineShard.ToArray() : [],
            entry.Kind == LogEntryKind.Commit ? entry.ToCommit().Extents.ToArray() : [])
    {
    }
}

/// <summary>A directory that is removed at the end.</summary>
internal sealed class TestDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("pangea-log-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
