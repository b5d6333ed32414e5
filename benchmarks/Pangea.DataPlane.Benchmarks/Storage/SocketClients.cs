using System.Diagnostics;
using System.Globalization;

using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>
/// Clients of a running appliance, each with a connection of its own and one call under way: every
/// fourth puts a small object in the place of an old one, the others get one. They outlive the
/// worker: a call that fails is made again.
/// </summary>
internal sealed class SocketClients : IDisposable
{
    private readonly Thread[] _threads;
    private readonly string _socket;
    private readonly long _objects;
    private long _done;
    private long _failed;
    private volatile bool _isOver;

    internal SocketClients(string socket, int clients, long objects)
    {
        _socket = socket;
        _objects = objects;
        _threads = [.. Enumerable.Range(0, clients).Select(i => new Thread(() => Work(i)))];
        foreach (Thread thread in _threads)
        {
            thread.Start();
        }
    }

    /// <summary>Calls that were answered with a result.</summary>
    internal long Done => Volatile.Read(ref _done);

    /// <summary>Calls that were not: their worker was killed.</summary>
    internal long Failed => Volatile.Read(ref _failed);

    /// <summary>Name of the n-th object.</summary>
    internal static string Name(long number) =>
        number.ToString("'o/'00000000", CultureInfo.InvariantCulture);

    /// <summary>Milliseconds until a get is answered; where one fails, another is tried.</summary>
    internal static double MillisecondsToFirstGet(string socket, string name)
    {
        long started = Stopwatch.GetTimestamp();
        using OwnedFd target = RingThread.Must(Files.CreateMemoryFile("got"));
        using var client = new ApplianceSocket(socket);
        while (!TryCall(client, "object.get", name, target))
        {
            if (Stopwatch.GetElapsedTime(started) > TimeSpan.FromMinutes(2))
            {
                throw new InvalidOperationException($"no get of {name} within two minutes");
            }
        }

        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    }

    public void Dispose()
    {
        _isOver = true;
        foreach (Thread thread in _threads)
        {
            thread.Join();
        }
    }

    private static bool TryCall(
        ApplianceSocket client, string method, string name, OwnedFd file)
    {
        Files.SetPosition(file, 0);
        try
        {
            _ = client.Call(method, $$"""{"name":"{{name}}"}""", file);
            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    private void Work(int client)
    {
        var random = new Random(client);
        byte[] content = new byte[EngineChild.ObjectBytes];
        random.NextBytes(content);
        using OwnedFd source = RingThread.Must(Files.CreateMemoryFile("put"));
        Files.WriteAt(source, content, 0);
        using OwnedFd target = RingThread.Must(Files.CreateMemoryFile("got"));
        using var socket = new ApplianceSocket(_socket);
        for (long turn = client; !_isOver; turn++)
        {
            bool isPut = turn % 4 == 0;
            bool ok = TryCall(
                socket, isPut ? "object.put" : "object.get", Name(random.NextInt64(_objects)),
                isPut ? source : target);
            Interlocked.Increment(ref ok ? ref _done : ref _failed);
        }
    }
}
