using System.Text;
using Microsoft.Win32.SafeHandles;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Linux.Tests;

public sealed class UnixSocketTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("pangea-socket-");

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public void Carries_bytes_both_ways()
    {
        using Pairing pair = new();
        Assert.Equal(3, pair.First.Send("abc"u8, [], wait: false).Value);
        Assert.Equal("abc", ReceiveText(pair.Second));
        Assert.Equal(2, pair.Second.Send("de"u8, [], wait: false).Value);
        Assert.Equal("de", ReceiveText(pair.First));
    }

    [Fact]
    public void Would_block_is_eagain_and_the_end_is_zero()
    {
        using Pairing pair = new();
        byte[] buffer = new byte[16];
        Assert.Equal(Errno.EAGAIN, pair.Second.Receive(buffer, [], wait: false).Errno);
        pair.First.Dispose();
        Assert.Equal(0, pair.Second.Receive(buffer, [], wait: false).Value);
        Assert.Equal(Errno.EPIPE, pair.Second.Send("x"u8, [], wait: false).Errno);
    }

    [Fact]
    public void A_passed_descriptor_is_the_same_open_file_and_close_on_exec()
    {
        string path = Path.Combine(_directory.FullName, "content");
        File.WriteAllText(path, "the content");
        using Pairing pair = new();
        using (SafeFileHandle file = File.OpenHandle(path))
        using (OwnedFd borrowed = OwnedFd.Borrow((int)file.DangerousGetHandle()))
        {
            Assert.Equal(2, pair.First.Send("{}"u8, [borrowed], wait: false).Value);
        }

        List<OwnedFd> received = [];
        byte[] buffer = new byte[16];
        Assert.Equal(2, pair.Second.Receive(buffer, received, wait: false).Value);
        using OwnedFd fd = Assert.Single(received);
        Assert.NotEqual(0, FlagsOf(fd) & 0x80000); // O_CLOEXEC
        using var stream = new FileStream(
            new SafeFileHandle(fd.Number, ownsHandle: false), FileAccess.Read);
        Assert.Equal("the content", new StreamReader(stream).ReadToEnd());
    }

    /// <summary>
    /// What the framing of lines relies on: a receive never runs past the beginning of a send that
    /// carries descriptors.
    /// </summary>
    [Fact]
    public void A_receive_ends_before_the_next_send_with_descriptors()
    {
        using Pairing pair = new();
        using OwnedFd input = OwnedFd.Borrow(0);
        pair.First.Send("one\n"u8, [], wait: false);
        pair.First.Send("two\n"u8, [input], wait: false);
        pair.First.Send("three\n"u8, [input], wait: false);

        List<OwnedFd> received = [];
        byte[] buffer = new byte[64];
        var chunks = new List<(string Text, int Descriptors)>();
        while (true)
        {
            received.Clear();
            SysResult result = pair.Second.Receive(buffer, received, wait: false);
            if (!result.IsOk)
            {
                break;
            }

            chunks.Add((Encoding.UTF8.GetString(buffer, 0, (int)result.Value), received.Count));
            received.ForEach(fd => fd.Dispose());
        }

        Assert.Equal("one\ntwo\nthree\n", string.Concat(chunks.Select(chunk => chunk.Text)));
        Assert.Equal(2, chunks.Sum(chunk => chunk.Descriptors));
        Assert.All(chunks, chunk => Assert.True(chunk.Descriptors <= 1));
        Assert.EndsWith("two\n", chunks.First(chunk => chunk.Descriptors == 1).Text);
    }

    [Fact]
    public void As_many_descriptors_as_the_limit_arrive_and_more_end_the_trust()
    {
        using Pairing pair = new();
        using OwnedFd input = OwnedFd.Borrow(0);
        OwnedFd[] most = Enumerable.Repeat(input, Limits.RpcDescriptorsMax).ToArray();
        List<OwnedFd> received = [];
        byte[] buffer = new byte[16];
        Assert.Equal(1, pair.First.Send("x"u8, most, wait: false).Value);
        Assert.Equal(1, pair.Second.Receive(buffer, received, wait: false).Value);
        Assert.Equal(most.Length, received.Count);
        received.ForEach(fd => fd.Dispose());
        received.Clear();

        // Our own Send refuses to, so a peer of another make plays the offender.
        string path = Path.Combine(_directory.FullName, "sent");
        using OwnedFd file = Files.Open(
            path, OpenFlags.Write | OpenFlags.Create, Convert.ToInt32("600", 8)).Value;
        TestLibC.SendDescriptors(
            pair.First.Fd.Number, file.Number, Limits.RpcDescriptorsMax + 8);
        Assert.Equal(Errno.EMSGSIZE, pair.Second.Receive(buffer, received, wait: false).Errno);
        Assert.Empty(received);
        Assert.Equal(1, DescriptorsOf(path));
    }

    [Fact]
    public void Listens_privately_accepts_and_knows_the_peer()
    {
        string path = Path.Combine(_directory.FullName, "s");
        using UnixSocket listener = UnixSocket.Listen(path, Convert.ToInt32("600", 8), 16).Value;
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        Assert.Null(listener.Accept().Value);
        using UnixSocket client = UnixSocket.Connect(path).Value;
        using UnixSocket? server = listener.Accept().Value;
        Assert.NotNull(server);
        Assert.Equal(Environment.ProcessId, server.Peer.Pid);
        Assert.Equal(Environment.ProcessId, client.Peer.Pid);
    }

    [Fact]
    public void A_path_over_the_address_length_is_reached_through_its_directory()
    {
        string deep = Path.Combine(_directory.FullName, new string('d', 90), new string('e', 90));
        Directory.CreateDirectory(deep);
        string path = Path.Combine(deep, "control.sock");
        using UnixSocket listener = UnixSocket.Listen(path, 0x180, 16).Value;
        Assert.True(File.Exists(path));
        using UnixSocket client = UnixSocket.Connect(path).Value;
        using UnixSocket? server = listener.Accept().Value;
        Assert.NotNull(server);
    }

    [Fact]
    public void A_file_name_that_cannot_fit_is_refused_clearly()
    {
        string path = Path.Combine(_directory.FullName, new string('n', 120));
        Fault? fault = UnixSocket.Listen(path, 0x180, 16).Fault;
        Assert.Equal(FaultCode.InvalidParameters, fault?.Code);
        Assert.Contains("107", fault?.Message);
    }

    [Fact]
    public void Nobody_listening_is_not_found_with_the_next_step()
    {
        string path = Path.Combine(_directory.FullName, "none");
        Fault? missing = UnixSocket.Connect(path).Fault;
        Assert.Equal(FaultCode.NotFound, missing?.Code);
        Assert.Contains("pangea supervise", missing?.Hint);

        UnixSocket.Listen(path, 0x180, 1).Value.Dispose();
        Fault? left = UnixSocket.Connect(path).Fault;
        Assert.Equal((FaultCode.NotFound, Errno.ECONNREFUSED.Value), (left?.Code, left?.Errno));
        Assert.Equal(FaultCode.Exists, UnixSocket.Listen(path, 0x180, 1).Fault?.Code);
    }

    [Fact]
    public void A_full_socket_takes_a_part_and_then_would_block()
    {
        using Pairing pair = new();
        byte[] block = new byte[1 << 20];
        long sent = 0;
        SysResult result;
        while ((result = pair.First.Send(block, [], wait: false)).IsOk)
        {
            sent += result.Value;
        }

        Assert.Equal(Errno.EAGAIN, result.Errno);
        Assert.True(sent > 0);
    }

    private static string ReceiveText(UnixSocket socket)
    {
        byte[] buffer = new byte[64];
        SysResult result = socket.Receive(buffer, [], wait: true);
        return Encoding.UTF8.GetString(buffer, 0, (int)result.Value);
    }

    private static int FlagsOf(OwnedFd fd)
    {
        string line = File.ReadLines($"/proc/self/fdinfo/{fd.Number}").First(
            line => line.StartsWith("flags:"));
        return Convert.ToInt32(line["flags:".Length..].Trim(), 8);
    }

    /// <summary>Of one file: other tests of this process open and close what they like.</summary>
    private static int DescriptorsOf(string path) =>
        Directory.GetFileSystemEntries("/proc/self/fd")
            .Count(each => new FileInfo(each).LinkTarget == path);

    private sealed class Pairing : IDisposable
    {
        internal Pairing() => (First, Second) = UnixSocket.Pair().Value;

        internal UnixSocket First { get; }

        internal UnixSocket Second { get; }

        public void Dispose()
        {
            First.Dispose();
            Second.Dispose();
        }
    }
}
