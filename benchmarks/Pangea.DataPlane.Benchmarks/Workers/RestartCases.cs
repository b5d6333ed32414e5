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
    private static readonly TimeSpan s_standbyTimeMax = TimeSpan.FromSeconds(12);

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
        Weight before = Weigh(appliance, client);
        List<double> times = KillUnderLoad(appliance, client, rounds, LoadClients, isReady: true);
        int damaged = Enumerable.Range(0, Objects).Count(i => !IsIntact(client, i));
        yield return BenchRow.Alone(
            $"{KillName}, median of {rounds}",
            damaged == 0 ? PairedRun.Median(times) : double.PositiveInfinity, "ms",
            KillGoalMilliseconds, higherIsBetter: false,
            $"{times.Min():F0} to {times.Max():F0}; {damaged} of {Objects} objects damaged; "
                + $"{LoadClients} clients");
        yield return Row(
            "the same without load", KillUnderLoad(appliance, client, 10, 0, isReady: true));
        yield return Row(
            "the same under load, again after 0.25 s: the next standby is not ready",
            KillUnderLoad(appliance, client, 10, LoadClients, isReady: false));
        rounds += 20;
        int restarts = options.Quick ? 20 : 100;
        for (int i = 0; i < restarts; i++)
        {
            Must(client.TryCall(CallClient.Line("worker.restart", """{"index":0}""")), client);
        }

        Weight after = Weigh(appliance, client);
        string note = $"{restarts} restarts and {rounds} kills";
        yield return BenchRow.Alone(
            $"{LeftName}, descriptors", after.Descriptors.Except(before.Descriptors).Count(),
            "fds", 0, higherIsBetter: false,
            string.Join(
                ", ",
                after.Descriptors.Except(before.Descriptors)
                    .Append($"{after.Descriptors.Length} of supervisor and warden; {note}")));
        yield return BenchRow.Alone(
            $"{LeftName}, processes", after.Processes - before.Processes, "processes", 0,
            higherIsBetter: false, note);
        yield return BenchRow.Alone(
            $"{LeftName}, memory of the supervisor", after.Mebibytes - before.Mebibytes, "MiB", 8,
            higherIsBetter: false, $"{after.Mebibytes:F0} MiB in all; {note}");
    }

    private static BenchRow Row(string name, List<double> times) => BenchRow.Alone(
        name, PairedRun.Median(times), "ms", null, higherIsBetter: false,
        $"{times.Min():F0} to {times.Max():F0}, median of {times.Count}");

    /// <summary>Milliseconds from the kill to the end of the first call that succeeds.</summary>
    /// <param name="appliance">Whose worker.</param>
    /// <param name="client">For the calls that are timed.</param>
    /// <param name="rounds">Kills that count; one comes before.</param>
    /// <param name="clients">That put and get all the while.</param>
    /// <param name="isReady">Whether a standby waits at each kill. A worker that dies five times in
    /// a minute is given up, so 12 s is what lies between deaths that go on.</param>
    private List<double> KillUnderLoad(
        StartedAppliance appliance, CallClient client, int rounds, int clients, bool isReady)
    {
        bool isOver = false;
        Thread[] load =
        [
            .. Enumerable.Range(0, clients)
                .Select(i => new Thread(() => Load(appliance, i, () => Volatile.Read(ref isOver)))),
        ];
        Array.ForEach(load, thread => thread.Start());
        List<double> times = [];
        for (int round = -1; round < rounds; round++)
        {
            Thread.Sleep(250);
            WaitForStandby(client, isReady ? s_standbyTimeMax : TimeSpan.Zero);
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

    /// <summary>Until one waits, or the time is over: then it is as ready as it is.</summary>
    private static void WaitForStandby(CallClient client, TimeSpan timeMax)
    {
        long deadline = Environment.TickCount64 + (long)timeMax.TotalMilliseconds;
        while (Environment.TickCount64 < deadline)
        {
            Must(client.TryCall(CallClient.Line("worker.list", "{}")), client);
            if (client.Result().GetProperty("workers")[0].TryGetProperty("standby", out var standby)
                && standby.ValueKind == System.Text.Json.JsonValueKind.Object
                && standby.GetProperty("state").GetString() == "ready")
            {
                return;
            }

            Thread.Sleep(50);
        }
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
    private static Weight Weigh(StartedAppliance appliance, CallClient client)
    {
        // What was closed just now is gone by then, and what is not needed has been given back.
        Thread.Sleep(25_000);
        int[] family = [.. ProcessFamily.Of(appliance.SupervisorPid)];
        int worker = WorkerPid(client);
        string[] descriptors =
            [.. family.Where(pid => pid != worker).SelectMany(DescriptorsOf)];
        return new Weight(
            descriptors, ProcessMemory.Read(appliance.SupervisorPid).All, family.Length);
    }

    /// <summary>
    /// Each as "process: target (which of them)", so that two lists can be subtracted. Sockets and
    /// pipes lose their numbers, for those that belong to a worker change with it. Without
    /// assemblies, which the runtime opens when it first needs them.
    /// </summary>
    private static IEnumerable<string> DescriptorsOf(int pid)
    {
        string[] verbs = File.ReadAllText($"/proc/{pid}/cmdline").Split('\0');
        string role = verbs.Length > 1 ? Path.GetFileName(verbs[1]) : "?";
        return Directory.GetFileSystemEntries($"/proc/{pid}/fd")
            .Select(path => new FileInfo(path).LinkTarget)
            .OfType<string>()
            .Where(target => !target.EndsWith(".dll", StringComparison.Ordinal))
            .Select(target => target.StartsWith('/') ? target : target.Split(':')[0])
            .GroupBy(target => target)
            .SelectMany(group => group.Select((target, i) => $"{role}: {target} ({i + 1})"));
    }

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

    /// <summary>What is held at a moment.</summary>
    private sealed record Weight(string[] Descriptors, double Mebibytes, int Processes);
}
