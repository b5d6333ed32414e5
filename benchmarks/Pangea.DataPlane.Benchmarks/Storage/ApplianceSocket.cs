using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>
/// One open connection to a running appliance: a client that stays, so that a call costs what the
/// appliance costs and not the start of a process.
/// </summary>
internal sealed class ApplianceSocket : IDisposable
{
    private readonly UnixSocket _socket;
    private readonly byte[] _buffer = new byte[1 << 20];
    private int _calls;

    internal ApplianceSocket(string path) => _socket = UnixSocket.Connect(path).Value;

    /// <summary>Calls and waits for the answer.</summary>
    /// <param name="method">Of the control socket.</param>
    /// <param name="parameters">A JSON object.</param>
    /// <param name="file">Passed with the call; null for none.</param>
    internal JsonElement Call(string method, string parameters, OwnedFd? file = null)
    {
        int id = ++_calls;
        string line = string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"jsonrpc":"2.0","id":{{id}},"method":"{{method}}","params":{{parameters}}}""");
        SysResult sent = _socket.Send(
            Encoding.UTF8.GetBytes(line + "\n"), file is null ? [] : [file], wait: true);
        if (!sent.IsOk)
        {
            throw new InvalidOperationException($"{method}: {sent.Errno}");
        }

        int bytes = 0;
        var descriptors = new List<OwnedFd>();
        while (bytes == 0 || _buffer[bytes - 1] != (byte)'\n')
        {
            SysResult got = _socket.Receive(_buffer.AsSpan(bytes), descriptors, wait: true);
            if (!got.IsOk || got.Value == 0)
            {
                throw new InvalidOperationException($"{method}: the appliance has gone");
            }

            bytes += (int)got.Value;
        }

        using JsonDocument answer = JsonDocument.Parse(_buffer.AsMemory(0, bytes));
        return answer.RootElement.TryGetProperty("result", out JsonElement result)
            ? result.Clone()
            : throw new InvalidOperationException($"{method}: {answer.RootElement}");
    }

    /// <summary>Milliseconds that one get into a file takes, which is emptied before.</summary>
    internal double GetMilliseconds(string name, string path)
    {
        using OwnedFd target = Files.Open(
            path, OpenFlags.Write | OpenFlags.Create | OpenFlags.Truncate).Value;
        long started = Stopwatch.GetTimestamp();
        _ = Call("object.get", $$"""{"name":"{{name}}"}""", target);
        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    }

    public void Dispose() => _socket.Dispose();
}
