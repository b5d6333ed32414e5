using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Pangea.DataPlane.Benchmarks.Frame;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Benchmarks.Workers;

/// <summary>A worker is killed under load, again and again.</summary>
internal sealed class RestartCases(BenchOptions options, string folder)
{
    private const string KillName = "worker killed with -9 under load, serving again";
    private const string LeftName = "left over after restarts";
    private const double KillGoalMilliseconds = 300;
    private const int Objects = 64;
    private const int ObjectBytes = 256 * 1024;
    private const int LoadClients = 3;

    private readonly byte[][] _contents =
        [.. Enumerable.Range(0, Objects).Select(_ => RandomNumberGenerator.GetBytes(ObjectBytes))];

    internal IEnumerable<BenchRow> Run()
    {
        if (!options.Wants(KillName) && !options.Wants(LeftName))
        {
            yield break;
        }

        string state = Directory.CreateDirectory(Path.Combine(folder, "restarts")).FullName;
        using StartedAppliance appliance = StartedAppliance.Start(
            state, "--deaths-per-minute", "10000");
        using var client = new CallClient(appliance.SocketPath);
        for (int i = 0; i < Objects; i++)
        {
            using OwnedFd source = Files.CreateMemoryFile("source").Value;
            Files.WriteAt(source, _contents[i], 0);
            Must(client.TryCall(CallClient.Line("object.put", Named(i)), source), client);
        }

        // Once before what is compared: a worker that has recovered holds more than a new one.
        Must(client.TryCall(CallClient.Line("worker.restart", """{"index":0}""")), client);
        int rounds = options.Quick ? 10 : 50;
        (int Descriptors, double Mebibytes, int Processes) before = Weigh(appliance, client);
        List<double> times = KillUnderLoad(appliance, client, rounds);
        int damaged = Enumerable.Range(0, Objects).Count(i => !IsIntact(client, i));
        yield return BenchRow.Alone(
            $"{KillName}, median of {rounds}",
            damaged == 0 ? PairedRun.Median(times) : double.PositiveInfinity, "ms",
            KillGoalMilliseconds, higherIsBetter: false,
            $"{times.Min():F0} to {times.Max():F0}; {damaged} of {Objects} objects damaged; "
                + $"{LoadClients} clients");
        int restarts = options.Quick ? 20 : 100;
        for (int i = 0; i < restarts; i++)
        {
            Must(client.TryCall(CallClient.Line("worker.restart", """{"index":0}""")), client);
        }

        (int Descriptors, double Mebibytes, int Processes) after = Weigh(appliance, client);
        string note = $"{restarts} restarts and {rounds} kills";
        yield return BenchRow.Alone(
            $"{LeftName}, descriptors", after.Descriptors - before.Descriptors, "fds", 0,
            higherIsBetter: false, $"of supervisor and warden; {note}");
        yield return BenchRow.Alone(
            $"{LeftName}, processes", after.Processes - before.Processes, "processes", 0,
            higherIsBetter: false, note);
        yield return BenchRow.Alone(
            $"{LeftName}, memory of the supervisor", after.Mebibytes - before.Mebibytes, "MiB", 8,
            higherIsBetter: false, $"{after.Mebibytes:F0} MiB in all; {note}");
    }

    /// <summary>Milliseconds from the kill to the end of the first call that succeeds.</summary>
    private List<double> KillUnderLoad(
        StartedAppliance appliance, CallClient client, int rounds)
    {
        bool isOver = false;
        Thread[] load =
        [
            .. Enumerable.Range(0, LoadClients)
                .Select(i => new Thread(() => Load(appliance, i, () => Volatile.Read(ref isOver)))),
        ];
        Array.ForEach(load, thread => thread.Start());
        List<double> times = [];
        for (int round = -1; round < rounds; round++)
        {
            Thread.Sleep(250);
            int worker = WorkerPid(client);
            long started = Stopwatch.GetTimestamp();
            Signals.Send(worker, Signals.Kill);
            while (WorkerPid(client) == worker || !IsIntact(client, Math.Abs(round) % Objects))
            {
                Thread.Sleep(1);
            }

            if (round >= 0)
            {
                times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            }
        }

        Volatile.Write(ref isOver, true);
        Array.ForEach(load, thread => thread.Join());
        return times;
    }

    /// <summary>Gets and puts until it is over; what a killed worker leaves is an error.</summary>
    private void Load(StartedAppliance appliance, int number, Func<bool> isOver)
    {
        using var client = new CallClient(appliance.SocketPath);
        using OwnedFd source = Files.CreateMemoryFile("source").Value;
        Files.WriteAt(source, _contents[number], 0);
        using OwnedFd target = Files.CreateMemoryFile("target").Value;
        byte[] put = CallClient.Line("object.put", $$"""{"name":"load/{{number}}"}""");
        for (int i = 0; !isOver(); i++)
        {
            Files.SetPosition(source, 0);
            Files.SetPosition(target, 0);
            _ = i % 4 == 0
                ? client.TryCall(put, source)
                : client.TryCall(
                    CallClient.Line("object.get", Named(((i * 7) + number) % Objects)), target);
        }
    }

    private bool IsIntact(CallClient client, int number)
    {
        using OwnedFd target = Files.CreateMemoryFile("target").Value;
        if (!client.TryCall(CallClient.Line("object.get", Named(number)), target))
        {
            return false;
        }

        var bytes = new byte[ObjectBytes + 1];
        SysResult read = Files.ReadAt(target, bytes, 0);
        return read is { IsOk: true, Value: ObjectBytes }
            && bytes.AsSpan(0, ObjectBytes).SequenceEqual(_contents[number]);
    }

    /// <summary>
    /// Descriptors of all but the worker, which is a new process each time and has its devices'
    /// files open.
    /// </summary>
    private static (int Descriptors, double Mebibytes, int Processes) Weigh(
        StartedAppliance appliance, CallClient client)
    {
        // What was closed just now is gone by then, and what is not needed has been given back.
        Thread.Sleep(25_000);
        int[] family = [.. ProcessFamily.Of(appliance.SupervisorPid)];
        int worker = WorkerPid(client);
        return (family.Where(pid => pid != worker).Sum(CountDescriptors),
            ProcessMemory.Read(appliance.SupervisorPid).All, family.Length);
    }

    /// <summary>Without assemblies, which the runtime opens when it first needs them.</summary>
    private static int CountDescriptors(int pid) =>
        Directory.GetFileSystemEntries($"/proc/{pid}/fd")
            .Count(path => new FileInfo(path).LinkTarget?.EndsWith(".dll") == false);

    private static int WorkerPid(CallClient client)
    {
        Must(client.TryCall(CallClient.Line("worker.list", "{}")), client);
        return client.Result().GetProperty("workers")[0].TryGetProperty("pid", out var pid)
            && pid.ValueKind == System.Text.Json.JsonValueKind.Number
            ? pid.GetInt32()
            : 0;
    }

    private static string Named(int number) =>
        string.Create(CultureInfo.InvariantCulture, $$"""{"name":"kept/{{number}}"}""");

    private static void Must(bool condition, CallClient client)
    {
        if (!condition)
        {
            throw new InvalidOperationException(
                System.Text.Encoding.UTF8.GetString(client.Answer.Span));
        }
    }
}
