using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Pangea.DataPlane.Benchmarks.Appliance;
using Pangea.DataPlane.Benchmarks.Frame;

namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>
/// A device is lost and replaced under a running appliance: how fast its shards are made anew, what
/// of the disk that takes, and what gets notice of it.
/// </summary>
/// <remarks>
/// All twelve devices lie on one disk here, so a byte that is written anew has cost nine that were
/// read (one more than k): the rival is fio moving reads and writes in that proportion.
/// </remarks>
internal sealed class RebuildCases(BenchOptions options, string folder)
{
    private const string Case = "refilling a replaced device";
    private const int HotObjects = 16;
    private const int HotBytes = 1024 * 1024;
    private const int ColdBytes = 256 * 1024 * 1024;

    private readonly int _coldObjects = options.Quick ? 4 : 16;
    private readonly int _baseGets = options.Quick ? 500 : 3000;

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

        Rebuild alone = Replace(appliance, socket, 3, null);
        double[] quiet = Gets(socket, target);
        Rebuild served = Replace(appliance, socket, 5, target);
        File.Delete(target);
        double disk = MixedDisk();
        double traffic = alone.Bytes * 10.0 / alone.Seconds;
        string size = $"{alone.Bytes / 1e6:F0} MB of shards in {alone.Seconds:F1} s";
        yield return BenchRow.Alone(
            Case, alone.Bytes / 1e6 / alone.Seconds, "MB/s", 500, note: size);
        yield return new BenchRow(
            $"{Case}: disk traffic", traffic / 1e6, disk / 1e6, "MB/s", 0.8,
            Fio.Version ?? "fio", Note: "9 read for 1 written; the goal is this or the row above");
        yield return new BenchRow(
            $"{Case}: get of 1 MiB, p99", Percentile(served.Gets, 0.99), Percentile(quiet, 0.99),
            "ms", 1.5, "without it", HigherIsBetter: false,
            Note: $"{served.Gets.Length} gets during, {quiet.Length} before; medians "
                + $"{Percentile(served.Gets, 0.5):F1} and {Percentile(quiet, 0.5):F1} ms; "
                + $"rebuilt at {served.Bytes / 1e6 / served.Seconds:F0} MB/s meanwhile");
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
        double[] times = new double[_baseGets];
        for (int i = 0; i < times.Length; i++)
        {
            times[i] = socket.GetMilliseconds($"hot{i % HotObjects}", target);
        }

        return times;
    }

    /// <summary>Replaces a device; with a target, gets go on until it is full.</summary>
    private Rebuild Replace(
        RunningAppliance appliance, ApplianceSocket socket, int index, string? target)
    {
        string path = Directory.CreateDirectory(
            Path.Combine(appliance.StateDirectory, $"new{index}")).FullName;
        long before = BytesWritten(socket);
        long started = Stopwatch.GetTimestamp();
        _ = socket.Call(
            "device.replace", $$"""{"device":"{{index}}","path":"{{path}}"}""");
        var gets = new List<double>();
        double seconds = 0;
        long bytes = 0;
        for (int turn = 0; ; turn++)
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

            // A worker that was started anew for its new device counts from zero.
            long written = BytesWritten(socket);
            before = Math.Min(before, written);
            long now = written - before;
            seconds = now == bytes ? seconds : Stopwatch.GetElapsedTime(started).TotalSeconds;
            bytes = now;
            if (bytes > 0 && IsFull(socket, index))
            {
                return new Rebuild(bytes, seconds, [.. gets]);
            }
        }
    }

    private static long BytesWritten(ApplianceSocket socket) =>
        socket.Call("heal.status", "{}").GetProperty("bytesWritten").GetInt64();

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

    /// <summary>Bytes a second that the disk moves, nine read for one written.</summary>
    private double MixedDisk()
    {
        long bytes = options.Quick ? 512L << 20 : 2L << 30;
        string file = Path.Combine(folder, "mixed.dat");
        (int code, string output, TimeSpan _) = RunningAppliance.Execute(
            "fio",
            [
                "--name=rival", $"--filename={file}",
                $"--size={bytes.ToString(CultureInfo.InvariantCulture)}",
                "--ioengine=io_uring", "--direct=1", "--rw=randrw", "--rwmixread=90",
                "--bs=132k", "--iodepth=36", "--time_based", "--runtime=5s",
                "--output-format=json",
            ]);
        File.Delete(file);
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
    /// <param name="Seconds">From the call to the last of them.</param>
    /// <param name="Gets">Milliseconds of the gets meanwhile.</param>
    private sealed record Rebuild(long Bytes, double Seconds, double[] Gets);
}
