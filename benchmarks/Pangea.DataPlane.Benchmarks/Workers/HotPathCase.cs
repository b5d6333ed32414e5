using System.IO.Pipes;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using Pangea.DataPlane.Benchmarks.Frame;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Benchmarks.Workers;

/// <summary>
/// What a busy worker leaves to its collector: one long put out of a pipe that is always full, then
/// one long get into a pipe that is always emptied, read from the worker's own statistics.
/// </summary>
internal sealed class HotPathCase(BenchOptions options, string folder)
{
    private const string Name = "hot path of a busy worker";
    private const int ChunkBytes = 1 << 20;

    // What of each MiB does not shrink, so that a minute of puts does not fill the disk. It stands
    // at the end: a stream that begins with it is taken for one that does not shrink at all.
    private const int RandomBytes = 32 * 1024;

    internal IEnumerable<BenchRow> Run()
    {
        int seconds = options.Quick ? 10 : 60;
        if (!options.Wants(Name))
        {
            yield break;
        }

        string state = Directory.CreateDirectory(Path.Combine(folder, "hot")).FullName;
        using StartedAppliance appliance = StartedAppliance.Start(state);
        using var statistics = new CallClient(appliance.SocketPath);
        // Without work, to tell what is of the transfers and what of the background.
        Thread.Sleep(15_000);
        (long idleAllocated, long idleCollections) = Read(statistics);
        Thread.Sleep(TimeSpan.FromSeconds(seconds));
        (long idleAllocatedAfter, long idleCollectionsAfter) = Read(statistics);
        yield return BenchRow.Alone(
            $"{Name}, idle, {seconds} s, allocated", idleAllocatedAfter - idleAllocated, "B", 0,
            higherIsBetter: false, $"{idleCollectionsAfter - idleCollections} collections");
        foreach (bool isPut in (bool[])[true, false])
        {
            string verb = isPut ? "put" : "get";
            (long bytes, long collections, long moved, string? error) =
                Measure(appliance, statistics, isPut, TimeSpan.FromSeconds(seconds));
            string note = error ?? $"{moved / 1e6 / seconds:F0} MB/s";
            yield return BenchRow.Alone(
                $"{Name}, {verb}, {seconds} s, allocated", bytes, "B", 0,
                higherIsBetter: false, note);
            yield return BenchRow.Alone(
                $"{Name}, {verb}, {seconds} s, collections", collections, "runs", 0,
                higherIsBetter: false, note);
        }
    }

    private static (long Bytes, long Collections, long Moved, string? Error) Measure(
        StartedAppliance appliance, CallClient statistics, bool isPut, TimeSpan time)
    {
        // A warm worker: code is compiled, pools are filled.
        var pipe = new AnonymousPipeServerStream(PipeDirection.Out);
        OwnedFd read = Files.Duplicate(Borrow(pipe.ClientSafePipeHandle)).Value;
        OwnedFd write = Files.Duplicate(Borrow(pipe.SafePipeHandle)).Value;
        pipe.DisposeLocalCopyOfClientHandle();
        pipe.Dispose();
        long moved = 0;
        bool isOver = false;
        string? error = null;
        OwnedFd theirs = isPut ? read : write;
        OwnedFd ours = isPut ? write : read;
        Thread pump = new(() => Pump(ours, isPut, ref isOver, ref moved));
        Thread call = new(() =>
        {
            using var client = new CallClient(appliance.SocketPath);
            string verb = isPut ? "object.put" : "object.get";
            if (!client.TryCall(CallClient.Line(verb, """{"name":"hot"}"""), theirs))
            {
                error = System.Text.Encoding.UTF8.GetString(client.Answer.Span);
            }
        });
        call.Start();
        Thread.Sleep(100);
        theirs.Dispose();
        pump.Start();
        Thread.Sleep(TimeSpan.FromSeconds(3));
        (long allocated, long collections) = Read(statistics);
        long before = Volatile.Read(ref moved);
        Thread.Sleep(time);
        (long allocatedAfter, long collectionsAfter) = Read(statistics);
        long after = Volatile.Read(ref moved);
        error = call.IsAlive ? error : error ?? "the transfer ended too soon";
        Volatile.Write(ref isOver, true);
        pump.Join();
        call.Join();
        return (
            allocatedAfter - allocated, collectionsAfter - collections, after - before,
            isPut ? error : null);
    }

    private static OwnedFd Borrow(SafePipeHandle handle) =>
        OwnedFd.Borrow((int)handle.DangerousGetHandle());

    private static void Pump(OwnedFd pipe, bool isPut, ref bool isOver, ref long moved)
    {
        var chunk = new byte[ChunkBytes];
        new Random(3).NextBytes(chunk.AsSpan(ChunkBytes - RandomBytes));
        using (pipe)
        {
            while (!Volatile.Read(ref isOver))
            {
                SysResult result = isPut ? Files.Write(pipe, chunk) : Files.Read(pipe, chunk);
                if (!result.IsOk || result.Value == 0)
                {
                    break;
                }

                Volatile.Write(ref moved, moved + result.Value);
            }
        }
    }

    private static (long Allocated, long Collections) Read(CallClient client)
    {
        // The worker writes its values four times a second.
        Thread.Sleep(300);
        client.TryCall(CallClient.Line("stats.read", "{}"));
        JsonElement worker = client.Result().GetProperty("processes").EnumerateArray()
            .Single(process => process.GetProperty("role").GetString() == "storage");
        long Value(string name) => worker.GetProperty("metrics").EnumerateArray()
            .Single(metric => metric.GetProperty("name").GetString() == name)
            .GetProperty("value").GetInt64();
        return (Value("pangea_worker_allocated_bytes_total"),
            Value("pangea_worker_collections_total"));
    }
}
