using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Benchmarks.Workers;

/// <summary>
/// One client on one connection that sends lines made beforehand and looks at no more of an answer
/// than it has to, so that what is timed is the appliance.
/// </summary>
internal sealed class CallClient(string path) : IDisposable
{
    private readonly UnixSocket _socket = UnixSocket.Connect(path).Value;
    private readonly byte[] _answer = new byte[1 << 20];
    private readonly List<OwnedFd> _received = [];

    internal static byte[] Line(string method, string parameters) => Encoding.UTF8.GetBytes(
        $$"""{"jsonrpc":"2.0","id":1,"method":"{{method}}","params":{{parameters}}}""" + "\n");

    /// <summary>Sends the line and waits for the answer; false where it is an error.</summary>
    internal bool TryCall(byte[] line, OwnedFd? file = null)
    {
        SysResult sent = _socket.Send(line, file is null ? [] : [file], wait: true);
        Must(sent.IsOk);
        int bytes = 0;
        while (bytes == 0 || _answer[bytes - 1] != (byte)'\n')
        {
            SysResult got = _socket.Receive(_answer.AsSpan(bytes), _received, wait: true);
            Must(got.IsOk && got.Value > 0);
            bytes += (int)got.Value;
        }

        Answer = _answer.AsMemory(0, bytes);
        return Answer.Span.IndexOf("\"error\""u8) < 0;
    }

    /// <summary>The last answer; valid until the next call.</summary>
    internal ReadOnlyMemory<byte> Answer { get; private set; }

    /// <summary>Its result, for calls outside what is timed.</summary>
    internal JsonElement Result()
    {
        using JsonDocument answer = JsonDocument.Parse(Answer);
        return answer.RootElement.GetProperty("result").Clone();
    }

    /// <summary>Calls over and over, and tells how long each call took, in microseconds.</summary>
    internal double[] Time(byte[] line, int calls)
    {
        var times = new double[calls];
        for (int i = 0; i < calls; i++)
        {
            long started = Stopwatch.GetTimestamp();
            Must(TryCall(line));
            times[i] = Stopwatch.GetElapsedTime(started).TotalMicroseconds;
        }

        return times;
    }

    public void Dispose() => _socket.Dispose();

    private void Must(bool condition)
    {
        if (!condition)
        {
            throw new InvalidOperationException(
                $"the appliance has gone or refused: {Encoding.UTF8.GetString(Answer.Span)}");
        }
    }
}
