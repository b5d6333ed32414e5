using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Pangea.DataPlane.Benchmarks.Appliance;
using Pangea.DataPlane.Benchmarks.Frame;

namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>
/// A device is lost and replaced under a running appliance: how fast its shards are made anew, what
/// of the disk that takes, and what gets notice of it. In alternating rounds with the rival.
/// </summary>
/// <remarks>
/// "MB/s of shard data" counts what is written to the new device: frames of one shard each, 4 KiB
/// of headers and the payload. All twelve devices lie on one disk here, and for a lost shard of 8+4
/// eight others are read; so the disk moves nine times as much, and "80 % of the disk" is the sum
/// of what the worker read and wrote (as the kernel counts it) beside what fio moves, eight reads
/// for a write, in blocks as long as a frame.
/// </remarks>
internal sealed class RebuildCases(BenchOptions options, string folder)
{
    private const string Case = "refilling a replaced device";
    private const int HotObjects = 16;
    private const int HotBytes = 1024 * 1024;
    private const int ColdBytes = 256 * 1024 * 1024;
    private static readonly TimeSpan s_refillMax = TimeSpan.FromMinutes(2);

    private readonly int _coldObjects = options.Quick ? 4 : 16;
    private readonly int _gets = options.Quick ? 300 : 1500;
    private readonly int _rounds = options.Quick ? 1 : 3;

    internal IEnumerable<BenchRow> Run()
    {
        if (!options.Wants(Case))
        {
            yield break;
        }

        string executable = Environment.GetEnvironmentVariable("PANGEA_EXECUTABLE") ?? "pangea";
        using RunningAppliance appliance = RunningAppliance.Start(executable, folder);
        using var socket = new ApplianceSocket(Path.Combine(folder, "control.sock"));
        string target = Path.Combine("/dev/shm", $"pangea-bench-{Environment.ProcessId}");
        Fill(appliance);

        var alone = new List<Refill>();
        var served = new List<Refill>();
        var disks = new List<double>();
        var quiet = new List<double[]>();
        for (int round = 0; round < _rounds; round++)
        {
            disks.Add(MixedDisk());
            alone.Add(Replace(appliance, socket, 2 * round, null));
            quiet.Add(Gets(socket, target));
            served.Add(Replace(appliance, socket, (2 * round) + 1, target));
        }

        File.Delete(target);
        foreach (BenchRow row in Rows(alone, disks, quiet, served))
        {
            yield return row;
        }
    }

    private static IEnumerable<BenchRow> Rows(
        List<Refill> alone, List<double> disks, List<double[]> quiet, List<Refill> served)
    {
        Refill typical = alone.OrderBy(refill => refill.BytesPerSecond)
            .ElementAt(alone.Count / 2);
        yield return BenchRow.Alone(
            Case, typical.BytesPerSecond / 1e6, "MB/s", 500,
            note: $"{typical.Bytes / 1e6:F0} MB of shards written and "
                + $"{typical.BytesRead / 1e6:F0} MB read in {typical.Seconds:F1} s, which began "
                + $"{typical.SecondsBefore:F1} s after the call; median of {alone.Count}");
        double[] shares =
            [.. alone.Zip(disks, (refill, disk) => refill.Traffic / disk).Order()];
        double share = shares[shares.Length / 2];
        yield return new BenchRow(
            $"{Case}: disk traffic", typical.Traffic / 1e6, typical.Traffic / share / 1e6, "MB/s",
            0.8, Fio.Version ?? "fio",
            Note: $"8 reads for 1 write, 132 KiB; ratios {shares[0]:F2} to {shares[^1]:F2}; the "
                + "goal is this or the row above");
        double[] ratios = [.. served.Zip(quiet, (refill, gets) =>
            Percentile(refill.Gets, 0.99) / Percentile(gets, 0.99)).Order()];
        double[] during = [.. served.SelectMany(refill => refill.Gets)];
        double[] before = [.. quiet.SelectMany(gets => gets)];
        double rate = served.Sum(refill => refill.Bytes) / served.Sum(refill => refill.Seconds);
        yield return new BenchRow(
            $"{Case}: get of 1 MiB, p99", Percentile(during, 0.99), Percentile(before, 0.99),
            "ms", 1.5, "without it", HigherIsBetter: false,
            Note: $"{during.Length} gets during, {before.Length} before, rounds "
                + $"{ratios[0]:F2} to {ratios[^1]:F2}; medians {Percentile(during, 0.5):F1} and "
                + $"{Percentile(before, 0.5):F1} ms; refilled at {rate / 1e6:F0} MB/s meanwhile");
    }

    private void Fill(RunningAppliance appliance)
    {
        string source = Path.Combine(folder, "cold");
        var random = new Random(1);
        byte[] bytes = new byte[ColdBytes];
        random.NextBytes(bytes);
        File.WriteAllBytes(source, bytes);
        for (int i = 0; i < _coldObjects; i++)
        {
            appliance.MustRun("put", source, "--name", $"cold{i}", "--json");
        }

        File.WriteAllBytes(source, bytes.AsSpan(0, HotBytes).ToArray());
        for (int i = 0; i < HotObjects; i++)
        {
            appliance.MustRun("put", source, "--name", $"hot{i}", "--json");
        }

        File.Delete(source);
    }

    private double[] Gets(ApplianceSocket socket, string target)
    {
        double[] times = new double[_gets];
        for (int i = 0; i < times.Length; i++)
        {
            times[i] = socket.GetMilliseconds($"hot{i % HotObjects}", target);
        }

        return times;
    }

    /// <summary>Replaces a device; with a target, gets go on until it is full.</summary>
    private static Refill Replace(
        RunningAppliance appliance, ApplianceSocket socket, int index, string? target)
    {
        string path = Directory.CreateDirectory(
            Path.Combine(appliance.StateDirectory, $"new{index}")).FullName;
        int workerBefore = appliance.WorkerPid();
        long before = BytesWritten(socket);
        long called = Stopwatch.GetTimestamp();
        _ = socket.Call(
            "device.replace", $$"""{"device":"{{index}}","path":"{{path}}"}""");
        double secondsBefore = Stopwatch.GetElapsedTime(called).TotalSeconds;
        long started = Stopwatch.GetTimestamp();
        int worker = appliance.WorkerPid();
        // One that was started anew for its new device counts from zero.
        before = worker == workerBefore ? before : 0;
        (long Read, long Written) io = worker == workerBefore ? DiskBytes(worker) : default;
        var gets = new List<double>();
        double seconds = 0;
        long bytes = 0;
        for (int turn = 0; Stopwatch.GetElapsedTime(started) < s_refillMax; turn++)
        {
            if (target is not null)
            {
                gets.Add(socket.GetMilliseconds($"hot{turn % HotObjects}", target));
            }
            else
            {
                Thread.Sleep(10);
            }

            if (target is not null && turn % 20 != 0)
            {
                continue;
            }

            long now = BytesWritten(socket) - before;
            seconds = now == bytes ? seconds : Stopwatch.GetElapsedTime(started).TotalSeconds;
            bytes = now;
            if (bytes > 0 && IsFull(socket, index))
            {
                (long Read, long Written) after = DiskBytes(worker);
                return new Refill(
                    bytes, after.Read - io.Read, after.Written - io.Written, secondsBefore,
                    seconds, [.. gets]);
            }
        }

        throw new InvalidOperationException(
            $"device {index} was not full after {s_refillMax}: {socket.Call("heal.status", "{}")}");
    }

    private static long BytesWritten(ApplianceSocket socket) =>
        socket.Call("heal.status", "{}").GetProperty("bytesWritten").GetInt64();

    /// <summary>What a process has had from and sent to disks, as the kernel counts it.</summary>
    private static (long Read, long Written) DiskBytes(int pid)
    {
        string[] lines = File.ReadAllLines($"/proc/{pid}/io");
        return (Of("read_bytes: "), Of("write_bytes: "));

        long Of(string name) => long.Parse(
            lines.First(line => line.StartsWith(name, StringComparison.Ordinal))[name.Length..],
            CultureInfo.InvariantCulture);
    }

    private static bool IsFull(ApplianceSocket socket, int index)
    {
        foreach (JsonElement device in
            socket.Call("device.list", "{}").GetProperty("devices").EnumerateArray())
        {
            if (device.GetProperty("index").GetInt32() == index)
            {
                return !device.TryGetProperty("healing", out JsonElement healing)
                    || healing.ValueKind == JsonValueKind.Null;
            }
        }

        return false;
    }

    /// <summary>Bytes a second that the disk moves, eight read for one written.</summary>
    private double MixedDisk()
    {
        long bytes = options.Quick ? 512L << 20 : 2L << 30;
        string file = Path.Combine(folder, "mixed.dat");
        (int code, string output, TimeSpan _) = RunningAppliance.Execute(
            "fio",
            [
                "--name=rival", $"--filename={file}",
                $"--size={bytes.ToString(CultureInfo.InvariantCulture)}",
                "--ioengine=io_uring", "--direct=1", "--rw=randrw", "--rwmixread=89",
                "--bs=132k", "--iodepth=64", "--time_based", "--runtime=4s",
                "--output-format=json",
            ]);
        if (code != 0)
        {
            throw new InvalidOperationException($"fio ended with {code}: {output}");
        }

        using JsonDocument document = JsonDocument.Parse(output[output.IndexOf('{')..]);
        JsonElement job = document.RootElement.GetProperty("jobs")[0];
        return job.GetProperty("read").GetProperty("bw_bytes").GetDouble()
            + job.GetProperty("write").GetProperty("bw_bytes").GetDouble();
    }

    private static double Percentile(double[] values, double share)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0
            ? double.NaN
            : sorted[(int)Math.Min(sorted.Length - 1, Math.Ceiling(share * sorted.Length) - 1)];
    }

    /// <param name="Bytes">Of shards written.</param>
    /// <param name="BytesRead">That the worker had from the disk meanwhile.</param>
    /// <param name="BytesWritten">That the worker sent to it.</param>
    /// <param name="SecondsBefore">That the call took; it starts the worker anew.</param>
    /// <param name="Seconds">From its answer to the last shard.</param>
    /// <param name="Gets">Milliseconds of the gets meanwhile.</param>
    private sealed record Refill(
        long Bytes, long BytesRead, long BytesWritten, double SecondsBefore, double Seconds,
        double[] Gets)
    {
        internal double BytesPerSecond => Bytes / Seconds;

        internal double Traffic => (BytesRead + BytesWritten) / Seconds;
    }
}
