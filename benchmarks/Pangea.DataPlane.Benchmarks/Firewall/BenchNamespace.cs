using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Benchmarks.Firewall;

/// <summary>
/// A thread with a network and mounts of its own; they vanish with it, and all that was made in
/// them: interfaces, routes, rules of nftables.
/// </summary>
internal sealed partial class BenchNamespace : IDisposable
{
    private const int CLONE_NEWNS = 0x20000;
    private const int CLONE_FS = 0x200;
    private const int CLONE_NEWNET = 0x40000000;

    private readonly BlockingCollection<Action> _work = [];
    private readonly Thread _thread;

    private BenchNamespace()
    {
        _thread = new Thread(Live) { IsBackground = true, Name = "namespace" };
        _thread.Start();
    }

    internal int ThreadId { get; private set; }

    /// <summary>Makes one, or says why it cannot.</summary>
    internal static Result<BenchNamespace> Make()
    {
        BenchNamespace made = new();
        bool isMade = made.Run(() =>
        {
            made.ThreadId = gettid();
            return unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_FS) == 0;
        });
        if (!isMade)
        {
            made.Dispose();
            return new Fault(FaultCode.Denied, "needs root: namespaces cannot be made here");
        }

        made.Run(() =>
        {
            Command("mount", "--make-rprivate", "/");
            Command("mount", "-t", "sysfs", "sysfs", "/sys"); // Shows the network it is mounted in.
            return 0;
        });
        return made;
    }

    /// <summary>Does something on the thread, and waits for it.</summary>
    internal T Run<T>(Func<T> function)
    {
        T result = default!;
        ExceptionDispatchInfo? failure = null;
        using ManualResetEventSlim done = new();
        _work.Add(() =>
        {
            try
            {
                result = function();
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }

            done.Set();
        });
        done.Wait();
        failure?.Throw();
        return result;
    }

    /// <summary>Does something on the thread and does not wait.</summary>
    internal void Begin(Action action) => _work.Add(action);

    /// <summary>Runs a program where this thread is; it must succeed.</summary>
    internal static void Command(string program, params string[] arguments) =>
        Feed(program, null, arguments);

    /// <summary>The same with something to read.</summary>
    internal static void Feed(string program, string? input, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            RedirectStandardInput = input is not null,
        };
        using Process process = Process.Start(start)!;
        if (input is not null)
        {
            process.StandardInput.Write(input);
            process.StandardInput.Close();
        }

        _ = process.StandardOutput.ReadToEnd();
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Invariant.Check(
            process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {errors}");
    }

    public void Dispose()
    {
        _work.CompleteAdding();
        _thread.Join();
        _work.Dispose();
    }

    private void Live()
    {
        foreach (Action action in _work.GetConsumingEnumerable())
        {
            action();
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int unshare(int flags);

    [LibraryImport("libc")]
    private static partial int gettid();
}
