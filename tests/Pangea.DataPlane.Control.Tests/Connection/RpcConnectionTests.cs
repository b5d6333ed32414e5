using System.Net.Sockets;
using System.Text;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Control.Tests.Connection;

/// <summary>
/// Goal: a connection serves good peers, bounds bad ones and leaks nothing, on both executors.
/// Method: a real reactor and a real socket pair.
/// </summary>
public sealed class RpcConnectionTests
{
    public static TheoryData<ReactorChoice> Reactors =>
        [ReactorChoice.Plain, ReactorChoice.IoUring];

    [SkippableTheory]
    [MemberData(nameof(Reactors))]
    public void Answers_calls_in_any_number(ReactorChoice choice)
    {
        using var server = new TestServer(
            choice, (c, m, _) => c.Answer(RpcWriter.ResultRaw(m.Id.Span, m.Id.Span)));
        using RpcClient client = RpcClient.Over(Duplicate(server));
        for (int i = 1; i <= 500; i++)
        {
            Assert.Equal(i.ToString(), Text(client.CallRaw("a.b", default).Value.Body));
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Reactors))]
    public void Many_lines_in_one_send_are_answered_in_order(ReactorChoice choice)
    {
        using var server = new TestServer(
            choice, (c, m, _) => c.Answer(RpcWriter.ResultRaw(m.Id.Span, "1"u8)));
        using RpcClient client = RpcClient.Over(Duplicate(server));
        string lines = string.Concat(Enumerable.Range(0, 300)
            .Select(i => $"{{\"jsonrpc\":\"2.0\",\"id\":{i},\"method\":\"a.b\"}}\n"));
        Assert.True(client.Send(Encoding.UTF8.GetBytes(lines)).IsOk);
        for (int i = 0; i < 300; i++)
        {
            Assert.Equal(i, client.Receive().Value.IdNumber);
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Reactors))]
    public void Descriptors_that_are_not_taken_are_closed(ReactorChoice choice)
    {
        using var server = new TestServer(choice);
        using RpcClient client = RpcClient.Over(Duplicate(server));
        (UnixSocket kept, UnixSocket passed) = UnixSocket.Pair().Value;
        using (kept)
        {
            Assert.True(client.CallRaw("a.b", default, [passed.Fd]).IsOk);
            passed.Dispose();

            // The server had the only other copy: our end now sees the end of the stream.
            Assert.Equal(0, kept.Receive(new byte[1], [], wait: true).Value);
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Reactors))]
    public void Sends_descriptors_and_closes_its_own_copy(ReactorChoice choice)
    {
        (UnixSocket kept, UnixSocket passed) = UnixSocket.Pair().Value;
        using var server = new TestServer(choice);
        using (kept)
        {
            server.OnLoop(() => server.Connection.Send(
                RpcWriter.RequestRaw("1"u8, "a.b", default), new DescriptorSet([passed.Fd])));
            var received = new List<OwnedFd>();
            Assert.True(server.Client.Receive(new byte[1000], received, wait: true).Value > 0);
            Assert.True(passed.Fd.IsClosed);
            using OwnedFd only = Assert.Single(received);
            only.Dispose();
            Assert.Equal(0, kept.Receive(new byte[1], [], wait: true).Value);
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Reactors))]
    public void A_line_that_is_no_message_is_answered_and_the_next_one_served(ReactorChoice choice)
    {
        using var server = new TestServer(choice);
        using RpcClient client = RpcClient.Over(Duplicate(server));
        client.Send("nonsense\n"u8);
        Fault fault = RpcErrors.Read(client.Receive().Value)!;
        Assert.Equal(FaultCode.ParseError, fault.Code);
        Assert.True(client.CallRaw("a.b", default).IsOk);
        Assert.Single(server.Refusals);
    }

    [SkippableTheory]
    [MemberData(nameof(Reactors))]
    public void A_line_over_the_limit_is_refused_and_the_connection_closed(ReactorChoice choice)
    {
        using var server = new TestServer(choice);
        using RpcClient client = RpcClient.Over(Duplicate(server));
        byte[] endless = new byte[3 * Limits.RpcLineBytesMax];
        endless.AsSpan().Fill((byte)' ');
        client.Send(endless);
        RpcMessage reply = client.Receive().Value;
        Assert.Equal("null", Text(reply.Id));
        Assert.Equal(FaultCode.InvalidRequest, RpcErrors.Read(reply)!.Code);
        Assert.False(client.Receive().IsOk);
        server.WaitClosed();
    }

    [SkippableTheory]
    [MemberData(nameof(Reactors))]
    public void A_peer_that_does_not_read_is_closed(ReactorChoice choice)
    {
        byte[] large = Encoding.UTF8.GetBytes($"\"{new string('x', 100_000)}\"");
        using var server = new TestServer(
            choice, (c, m, _) => c.Answer(RpcWriter.ResultRaw(m.Id.Span, large)));
        SysResult sent = new(1);
        for (int i = 0; i < 200 && sent.IsOk; i++)
        {
            sent = server.Client.Send(
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a.b\"}\n"u8, [], wait: true);
        }

        server.WaitClosed();
        Assert.Equal(FaultCode.Busy, server.ClosedFault?.Code);
    }

    [SkippableTheory]
    [MemberData(nameof(Reactors))]
    public void A_full_queue_refuses_a_line_without_closing(ReactorChoice choice)
    {
        using var server = new TestServer(choice);
        byte[] line = new byte[Limits.RpcLineBytesMax];
        line[^1] = (byte)'\n';
        int taken = 0;
        server.OnLoop(() =>
        {
            while (server.Connection.TrySend(line))
            {
                taken++;
            }

            Assert.False(server.Connection.IsClosed);
        });
        Assert.InRange(taken, 4, 6);

        // Everything that was taken arrives once the peer reads.
        long bytes = 0;
        byte[] chunk = new byte[64 * 1024];
        while (bytes < (long)taken * line.Length)
        {
            bytes += server.Client.Receive(chunk, [], wait: true).Value;
        }

        server.OnLoop(() => Assert.True(server.Connection.TrySend("\n"u8.ToArray())));
    }

    [SkippableTheory]
    [MemberData(nameof(Reactors))]
    public void Too_many_calls_at_once_are_told_to_wait(ReactorChoice choice)
    {
        var waiting = new List<RpcMessage>();
        using var server = new TestServer(choice, (_, m, _) => waiting.Add(m), callsMax: 4);
        using RpcClient client = RpcClient.Over(Duplicate(server));
        for (int i = 1; i <= 5; i++)
        {
            client.Send(RpcWriter.RequestRaw(RpcIds.Write(i), "a.b", default));
        }

        RpcMessage refused = client.Receive().Value;
        Assert.Equal(5, refused.IdNumber);
        Assert.Equal(FaultCode.Busy, RpcErrors.Read(refused)!.Code);
        server.OnLoop(
            () => server.Connection.Answer(RpcWriter.ResultRaw(waiting[0].Id.Span, "1"u8)));
        Assert.Equal(1, client.Receive().Value.IdNumber);
        client.Send(RpcWriter.RequestRaw("6"u8, "a.b", default));
        SpinWait.SpinUntil(() => Volatile.Read(ref waiting).Count == 5, TimeSpan.FromSeconds(30));
        server.OnLoop(() => Assert.Equal(4, server.Connection.CallsOpen));
    }

    [SkippableTheory]
    [MemberData(nameof(Reactors))]
    public void A_peer_that_only_ends_its_sending_still_gets_its_replies(ReactorChoice choice)
    {
        RpcMessage? call = null;
        using var arrived = new ManualResetEventSlim();
        using var server = new TestServer(choice, (_, m, _) =>
        {
            call = m;
            arrived.Set();
        });
        server.Client.Send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a.b\"}\n"u8, [], wait: true);
        using (var handle = new SafeSocketHandle(server.Client.Fd.Number, ownsHandle: false))
        using (var socket = new Socket(handle))
        {
            socket.Shutdown(SocketShutdown.Send);
        }

        Assert.True(arrived.Wait(TimeSpan.FromSeconds(30)));
        server.OnLoop(() => server.Connection.Answer(RpcWriter.ResultRaw(call!.Id.Span, "1"u8)));
        byte[] reply = new byte[1000];
        long bytes = server.Client.Receive(reply, [], wait: true).Value;
        Assert.Equal(
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}\n",
            Encoding.UTF8.GetString(reply, 0, (int)bytes));
        server.WaitClosed();
        Assert.Null(server.ClosedFault);
    }

    [SkippableTheory]
    [MemberData(nameof(Reactors))]
    public void A_peer_that_leaves_in_the_middle_of_a_call_is_noticed(ReactorChoice choice)
    {
        using var arrived = new ManualResetEventSlim();
        using var server = new TestServer(choice, (_, _, _) => arrived.Set());
        server.Client.Send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a.b\"}\n"u8, [], wait: true);
        Assert.True(arrived.Wait(TimeSpan.FromSeconds(30)));
        server.Client.Dispose();
        server.WaitClosed();
        Assert.Null(server.ClosedFault);
    }

    [SkippableTheory]
    [MemberData(nameof(Reactors))]
    public void A_handler_may_close_the_connection(ReactorChoice choice)
    {
        var fault = new Fault(FaultCode.BadState, "no more");
        using var server = new TestServer(choice, (c, _, _) => c.Close(fault));
        server.Client.Send(
            [.. RpcWriter.RequestRaw("1"u8, "a.b", []), .. RpcWriter.RequestRaw("2"u8, "a.b", [])],
            [],
            wait: true);
        server.WaitClosed();
        Assert.Same(fault, server.ClosedFault);
    }

    [SkippableTheory]
    [MemberData(nameof(Reactors))]
    public void Connections_leave_no_descriptor_behind(ReactorChoice choice)
    {
        // Once before counting: the first one opens what the process keeps.
        Converse(choice);
        int before = 0;
        int after = int.MaxValue;

        // Other tests of this process open descriptors too; a leak of ours shows in every try.
        for (int attempt = 0; attempt < 20 && after >= before + 10; attempt++)
        {
            before = Directory.GetFileSystemEntries("/proc/self/fd").Length;
            for (int i = 0; i < 10; i++)
            {
                Converse(choice);
            }

            after = Directory.GetFileSystemEntries("/proc/self/fd").Length;
        }

        Assert.True(
            after < before + 10, $"{before} descriptors before, {after} after ten connections");
    }

    private static void Converse(ReactorChoice choice)
    {
        using var server = new TestServer(choice);
        using RpcClient client = RpcClient.Over(Duplicate(server));
        (UnixSocket kept, UnixSocket passed) = UnixSocket.Pair().Value;
        Assert.True(client.CallRaw("a.b", default, [passed.Fd]).IsOk);
        kept.Dispose();
        passed.Dispose();
    }

    private static UnixSocket Duplicate(TestServer server) =>
        UnixSocket.Adopt(Files.Duplicate(server.Client.Fd).Value);

    private static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);
}
