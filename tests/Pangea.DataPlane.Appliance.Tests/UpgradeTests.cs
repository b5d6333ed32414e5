using System.Collections.Concurrent;
using System.Text;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Appliance.Tests;

/// <summary>
/// The program is replaced under load: same process id, new program, and no client notices.
/// </summary>
public sealed class UpgradeTests
{
    private static readonly string[] s_small = ["--redundancy", "2+1"];

    /// <summary>
    /// Clients with lasting connections put, get and list without pause, others come anew for each
    /// command, while the program is replaced by the verb and by the signal.
    /// </summary>
    [Fact]
    public async Task No_request_fails_while_the_program_is_replaced()
    {
        using Appliance appliance = Appliance.Create(s_small);
        appliance.SupervisorProgram = CopyProgram(appliance, "program");
        appliance.StartSupervisor();
        appliance.WaitUntilReady();
        int supervisor = appliance.SupervisorPid;
        int worker = appliance.WorkerPid();
        using var ending = new CancellationTokenSource();
        var failures = new ConcurrentQueue<string>();
        long[] done = new long[3];
        Task[] clients =
        [
            Task.Run(() => Work(appliance, 0, failures, done, ending.Token)),
            Task.Run(() => Work(appliance, 1, failures, done, ending.Token)),
            Task.Run(() => Command(appliance, failures, done, ending.Token)),
        ];
        WaitForWork(appliance, failures, done);
        CommandResult upgraded = appliance.Run("upgrade");
        Assert.True(upgraded.ExitCode == 0, upgraded.Error + appliance.Log);
        Assert.Contains("goes on", upgraded.Output);
        Assert.DoesNotContain("failed", upgraded.Output);
        appliance.WaitUntilReady();
        WaitForWork(appliance, failures, done);
        int between = appliance.WorkerPid();
        Assert.NotEqual(worker, between);
        Appliance.Signal(supervisor, "USR2");
        appliance.WaitFor(
            "third start", () => appliance.Log.Split("supervisor.started").Length == 4);
        appliance.WaitUntilReady();
        WaitForWork(appliance, failures, done);
        await ending.CancelAsync();
        await Task.WhenAll(clients);
        Assert.True(failures.IsEmpty, string.Join('\n', failures) + appliance.Log);
        Assert.NotEqual(between, appliance.WorkerPid());
        Assert.DoesNotContain("worker.lost", appliance.Log);
        Assert.Equal(0, appliance.Stop());
    }

    [Fact]
    public void A_program_that_does_not_start_is_refused_and_the_old_one_serves()
    {
        using Appliance appliance = Appliance.Create(s_small);
        appliance.SupervisorProgram = CopyProgram(appliance, "program");
        appliance.StartSupervisor();
        appliance.WaitUntilReady();
        int worker = appliance.WorkerPid();
        string assembly = Path.ChangeExtension(appliance.SupervisorProgram, ".dll");
        File.Move(assembly, assembly + ".old");
        File.WriteAllText(assembly, "no program");
        CommandResult refused = appliance.Run("upgrade");
        Assert.NotEqual(0, refused.ExitCode);
        Assert.Contains("would not go on", refused.Error);
        Assert.Equal(worker, appliance.WorkerPid());
        Assert.Equal(0, appliance.Run("ls").ExitCode);

        // Nor one that finds the configuration wrong; and once both are well, it goes on.
        File.Move(assembly + ".old", assembly, overwrite: true);
        Assert.Equal(0, appliance.Run("upgrade").ExitCode);
        appliance.WaitFor(
            "second start", () => appliance.Log.Split("supervisor.started").Length == 3);
        appliance.WaitUntilReady();
        Assert.NotEqual(worker, appliance.WorkerPid());
    }

    private static void Work(
        Appliance appliance,
        int number,
        ConcurrentQueue<string> failures,
        long[] done,
        CancellationToken ending)
    {
        using RpcClient client = appliance.Connect();
        string path = Path.Combine(appliance.Directory, $"content{number}");
        string back = Path.Combine(appliance.Directory, $"back{number}");
        for (int i = 0; !ending.IsCancellationRequested && failures.IsEmpty; i++)
        {
            string content = $"content {number} {i}";
            File.WriteAllText(path, content);
            using OwnedFd source = Files.Open(path, OpenFlags.Read).Value;
            Fault? fault = client.Call(
                RpcMethods.ObjectPut,
                new ObjectPutParameters { Name = $"object{number}" },
                [source]).Fault;
            using OwnedFd target = Files.Open(
                back, OpenFlags.Read | OpenFlags.Write | OpenFlags.Create | OpenFlags.Truncate)
                .Value;
            fault ??= client.Call(
                RpcMethods.ObjectGet,
                new ObjectGetParameters { Name = $"object{number}" },
                [target]).Fault;
            fault ??= client.Call(RpcMethods.ObjectList, new ObjectListParameters()).Fault;
            string got = File.ReadAllText(back, Encoding.UTF8);
            if (fault is not null || got != content)
            {
                failures.Enqueue($"client {number}, round {i}: {fault} \"{got}\"");
            }

            Interlocked.Increment(ref done[number]);
        }
    }

    private static void Command(
        Appliance appliance,
        ConcurrentQueue<string> failures,
        long[] done,
        CancellationToken ending)
    {
        while (!ending.IsCancellationRequested && failures.IsEmpty)
        {
            CommandResult list = appliance.Run("ls");
            if (list.ExitCode != 0)
            {
                failures.Enqueue($"ls: {list.Error}");
            }

            Interlocked.Increment(ref done[2]);
        }
    }

    /// <summary>Every client ends two more rounds.</summary>
    private static void WaitForWork(
        Appliance appliance, ConcurrentQueue<string> failures, long[] done)
    {
        long[] before = [.. done];
        appliance.WaitFor("work of clients", () => !failures.IsEmpty
            || Enumerable.Range(0, done.Length)
                .All(i => Volatile.Read(ref done[i]) >= before[i] + 2));
        Assert.True(failures.IsEmpty, string.Join('\n', failures) + appliance.Log);
    }

    private static string CopyProgram(Appliance appliance, string name)
    {
        string copy = Path.Combine(appliance.Directory, name);
        Directory.CreateDirectory(copy);
        foreach (string file in Directory.GetFiles(Path.GetDirectoryName(Appliance.Program)!))
        {
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        }

        return Path.Combine(copy, "pangea");
    }
}
