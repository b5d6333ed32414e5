using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Control.Tests;

/// <summary>
/// Goal: lines and their descriptors come out the same however the stream is cut.
/// </summary>
public sealed class LineAssemblerTests
{
    [Fact]
    public void Chunking_does_not_matter() =>
        Prop.ForAll<int>(seed =>
        {
            var random = new Random(seed);
            string[] lines = [.. Enumerable.Range(0, random.Next(1, 20))
                .Select(i => new string((char)('a' + (i % 26)), random.Next(0, 300)))];
            byte[] stream = Encoding.UTF8.GetBytes(string.Concat(lines.Select(l => l + "\n")));
            using var assembler = new LineAssembler(400);
            for (int at = 0; at < stream.Length;)
            {
                int bytes = Math.Min(random.Next(1, 700), stream.Length - at);
                Assert.True(assembler.Append(stream.AsSpan(at, bytes), []));
                at += bytes;
            }

            Assert.True(assembler.IsAtLineStart);
            return Drain(assembler).Select(l => l.Text).SequenceEqual(lines);
        }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData(400, true)]
    [InlineData(401, false)]
    public void The_limit_counts_the_newline(int bytes, bool fits)
    {
        using var assembler = new LineAssembler(400);
        byte[] line = Encoding.UTF8.GetBytes("ok\n" + new string('x', bytes - 1) + "\n");
        Assert.Equal(fits, assembler.Append(line, []));
        Assert.Equal(!fits, assembler.IsOverflowed);
        Assert.Equal(fits ? 2 : 1, Drain(assembler).Count);
    }

    [Fact]
    public void An_endless_line_is_noticed_at_the_limit()
    {
        using var assembler = new LineAssembler(1000);
        byte[] chunk = new byte[100];
        for (int i = 0; i < 10; i++)
        {
            Assert.True(assembler.Append(chunk, []));
        }

        Assert.False(assembler.Append(chunk, []));
    }

    [Theory]
    [InlineData("a\n", "a1")]
    [InlineData("a\nb\n", "a0 b1")]
    [InlineData("a\nb\nc", "a0 b0 c1")]
    [InlineData("\n\n", "0 1")]
    public void Descriptors_belong_to_the_last_line_that_begins_in_the_chunk(
        string chunk, string expected)
    {
        using var assembler = new LineAssembler();
        Assert.True(assembler.Append(Encoding.UTF8.GetBytes(chunk), [Open()]));
        assembler.Append("\n"u8, []);
        List<(string Text, int Count)> lines = Drain(assembler);
        if (chunk.EndsWith('\n'))
        {
            lines.RemoveAt(lines.Count - 1);
        }

        Assert.Equal(expected, string.Join(' ', lines.Select(l => l.Text + l.Count)));
    }

    [Theory]
    [InlineData("ead")]
    [InlineData("ead\n")]
    public void Descriptors_in_the_middle_of_a_line_belong_to_it(string chunk)
    {
        using var assembler = new LineAssembler();
        assembler.Append("h"u8, []);
        assembler.Append(Encoding.UTF8.GetBytes(chunk), [Open()]);
        assembler.Append("\n"u8, []);
        Assert.Equal(("head", 1), Drain(assembler)[0]);
    }

    [Fact]
    public void What_nobody_took_is_closed()
    {
        OwnedFd taken = Open();
        OwnedFd left = Open();
        OwnedFd queued = Open();
        OwnedFd partial = Open();
        var assembler = new LineAssembler();
        assembler.Append("a\n"u8, [taken, left]);
        assembler.Append("b\n"u8, [queued]);
        assembler.Append("c"u8, [partial]);
        Assert.True(assembler.TryTake(out ReceivedLine line));
        Assert.Same(taken, line.Descriptors.Take(0).Value);
        Assert.False(line.Descriptors.Take(0).IsOk);
        Assert.False(line.Descriptors.Take(2).IsOk);
        line.Descriptors.Dispose();
        assembler.Dispose();
        Assert.False(taken.IsClosed);
        Assert.True(left.IsClosed);
        Assert.True(queued.IsClosed);
        Assert.True(partial.IsClosed);
        taken.Dispose();
    }

    [Fact]
    public void A_line_that_is_too_long_keeps_no_descriptor_open()
    {
        OwnedFd fd = Open();
        var assembler = new LineAssembler(10);
        Assert.False(assembler.Append(new byte[100], [fd]));
        assembler.Dispose();
        Assert.True(fd.IsClosed);
    }

    private static OwnedFd Open()
    {
        (UnixSocket first, UnixSocket second) = UnixSocket.Pair().Value;
        second.Dispose();
        return first.Fd;
    }

    private static List<(string Text, int Count)> Drain(LineAssembler assembler)
    {
        var lines = new List<(string, int)>();
        while (assembler.TryTake(out ReceivedLine line))
        {
            lines.Add((Encoding.UTF8.GetString(line.Bytes), line.Descriptors.Count));
            line.Descriptors.Dispose();
        }

        return lines;
    }
}
