using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Xdp.Tests;

/// <summary>
/// A thread with a network and a table of mounts of its own; both vanish with it, and all that was
/// made in them. Sockets opened there stay in that network.
/// </summary>
internal sealed partial class NamespaceThread : IDisposable
{
    private const int CLONE_NEWNS = 0x20000;
    private const int CLONE_FS = 0x200;
    private const int CLONE_NEWNET = 0x40000000;

    private readonly BlockingCollection<Action> _work = [];
    private readonly Thread _thread;
    private string? _refusal;

    internal NamespaceThread()
    {
        _thread = new Thread(Live) { IsBackground = true };
        _thread.Start();
        Run(() =>
        {
            if (unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_FS) != 0)
            {
                _refusal = "namespaces cannot be made here";
                return;
            }

            ThreadId = gettid();
            Command("mount", "--make-rprivate", "/");
            Command("ip", "link", "set", "lo", "up");
        });
    }

    internal int ThreadId { get; private set; }

    internal string? Refusal => _refusal;

    internal void Run(Action action) => Run(() =>
    {
        action();
        return 0;
    });

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

    /// <summary>
    /// Runs a program in these namespaces; it must succeed. Returns what it printed.
    /// </summary>
    internal static string Command(string program, params string[] arguments)
    {
        (int exitCode, string output) = Execute(program, arguments);
        Assert.True(exitCode == 0, $"{program} {string.Join(' ', arguments)}: {output}");
        return output;
    }

    /// <summary>Runs a program that must fail; returns what it said.</summary>
    internal static string Refused(string program, params string[] arguments)
    {
        (int exitCode, string output) = Execute(program, arguments);
        Assert.True(exitCode != 0, $"{program} {string.Join(' ', arguments)} succeeds: {output}");
        return output;
    }

    private static (int ExitCode, string Output) Execute(string program, string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output.Result + errors);
    }

    /// <summary>
    /// From now on the thread has these capabilities and no others; they are the thread's own.
    /// </summary>
    internal void KeepOnly(params int[] capabilities) => Run(() =>
    {
        const uint version3 = 0x20080522;
        ulong bits = capabilities.Aggregate(0UL, (all, one) => all | (1UL << one));
        uint[] header = [version3, 0];
        uint[] data = new uint[6];
        (data[0], data[3]) = ((uint)bits, (uint)(bits >> 32));
        (data[1], data[4]) = (data[0], data[3]);
        Assert.Equal(0, capset(header, data));
    });

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

    [LibraryImport("libc")]
    private static partial int capset(uint[] header, uint[] data);
}
