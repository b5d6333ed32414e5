using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Control.Tests;

/// <summary>
/// Goal: over a real socket pair, each line gets exactly the descriptors that were sent with it,
/// whatever was queued before and however small the reads are. Method: random lines, each third
/// with descriptors that are recognised by a byte which the other end of each can read.
/// </summary>
public sealed class DescriptorPassingTests
{
    [Fact]
    public void Each_line_gets_its_own_descriptors() =>
        Prop.ForAll<int>(seed =>
        {
            var random = new Random(seed);
            (UnixSocket sender, UnixSocket receiver) = UnixSocket.Pair().Value;
            using (sender)
            using (receiver)
            using (var assembler = new LineAssembler())
            {
                int count = random.Next(1, 15);
                var tokens = new List<string>();
                for (int i = 0; i < count; i++)
                {
                    tokens.Add(SendOne(random, sender, i));
                }

                var received = new List<string>();
                var descriptors = new List<OwnedFd>();
                byte[] chunk = new byte[random.Next(1, 600)];
                while (received.Count < count)
                {
                    descriptors.Clear();
                    SysResult got = receiver.Receive(chunk, descriptors, wait: true);
                    Assert.True(got.Value > 0);
                    Assert.True(assembler.Append(chunk.AsSpan(0, (int)got.Value), descriptors));
                    while (assembler.TryTake(out ReceivedLine line))
                    {
                        received.Add(Recognise(line));
                    }
                }

                return received.SequenceEqual(tokens);
            }
        }).QuickCheckThrowOnFailure();

    /// <summary>Sends a line with 0 to 3 descriptors; returns "line: tokens".</summary>
    private static string SendOne(Random random, UnixSocket sender, int index)
    {
        int descriptors = random.Next(3) == 0 ? random.Next(1, 4) : 0;
        string text = new((char)('a' + index), random.Next(0, 400));
        var passing = new OwnedFd[descriptors];
        string tokens = "";
        for (int i = 0; i < descriptors; i++)
        {
            (UnixSocket near, UnixSocket far) = UnixSocket.Pair().Value;
            byte token = (byte)random.Next('A', 'Z');
            near.Send([token], [], wait: false);
            near.Dispose();
            passing[i] = far.Fd;
            tokens += (char)token;
        }

        byte[] line = Encoding.UTF8.GetBytes(text + "\n");
        Assert.Equal(line.Length, sender.Send(line, passing, wait: false).Value);
        Array.ForEach(passing, p => p.Dispose());
        return $"{text}: {tokens}";
    }

    private static string Recognise(ReceivedLine line)
    {
        string tokens = "";
        using DescriptorSet descriptors = line.Descriptors;
        byte[] one = new byte[1];
        foreach (OwnedFd descriptor in descriptors.TakeAll())
        {
            using UnixSocket socket = UnixSocket.Adopt(descriptor);
            Assert.Equal(1, socket.Receive(one, [], wait: false).Value);
            tokens += (char)one[0];
        }

        return $"{Encoding.UTF8.GetString(line.Bytes)}: {tokens}";
    }
}
