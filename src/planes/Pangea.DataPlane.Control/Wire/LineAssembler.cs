using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Control.Wire;

/// <summary>
/// One received line without its newline, with the descriptors that came with it.
/// </summary>
/// <param name="Bytes">An array of its own.</param>
/// <param name="Descriptors">Owned by whoever took the line.</param>
public readonly record struct ReceivedLine(byte[] Bytes, DescriptorSet Descriptors);

/// <summary>
/// Turns received chunks into lines. Descriptors of a chunk belong to the last line that begins in
/// it: a sender passes them with the sendmsg that begins the line, and the kernel ends a recvmsg
/// after the send that carried descriptors (net/unix/af_unix.c, unix_stream_read_generic). Where no
/// line begins in the chunk, they belong to the line under way.
/// </summary>
public sealed class LineAssembler : IDisposable
{
    private readonly int _lineBytesMax;
    private readonly Queue<ReceivedLine> _lines = new();
    private byte[] _partial = [];
    private int _partialBytes;
    private DescriptorSet _partialDescriptors = new();

    /// <param name="lineBytesMax">Longest line, newline included.</param>
    public LineAssembler(int lineBytesMax = Limits.RpcLineBytesMax) => _lineBytesMax = lineBytesMax;

    /// <summary>
    /// True once a line exceeded its bound; nothing further can be told apart then.
    /// </summary>
    public bool IsOverflowed { get; private set; }

    /// <summary>True when the stream stands at the beginning of a line.</summary>
    public bool IsAtLineStart => _partialBytes == 0;

    /// <summary>
    /// Takes one chunk as recvmsg returned it, with its descriptors, which are owned from now on.
    /// False when a line is too long: lines completed before remain to be taken.
    /// </summary>
    public bool Append(ReadOnlySpan<byte> chunk, IReadOnlyList<OwnedFd> descriptors)
    {
        Invariant.Check(!IsOverflowed);

        // Where the last line of the chunk begins; 0 when the only line was under way or begins
        // here.
        int lastStart = chunk[..Math.Max(0, chunk.Length - 1)].LastIndexOf((byte)'\n') + 1;
        int at = 0;
        while (at < chunk.Length)
        {
            ReadOnlySpan<byte> rest = chunk[at..];
            if (at == lastStart)
            {
                _partialDescriptors.Add(descriptors);
                descriptors = [];
            }

            int newline = rest.IndexOf((byte)'\n');
            int bytes = newline < 0 ? rest.Length : newline + 1;
            if (_partialBytes + bytes > _lineBytesMax)
            {
                IsOverflowed = true;
                new DescriptorSet(descriptors).Dispose();
                return false;
            }

            if (newline < 0)
            {
                Keep(rest);
            }
            else
            {
                Complete(rest[..newline]);
            }

            at += bytes;
        }

        Invariant.Check(descriptors.Count == 0 || chunk.IsEmpty);
        return true;
    }

    /// <summary>Moves the oldest complete line to the caller.</summary>
    public bool TryTake(out ReceivedLine line) => _lines.TryDequeue(out line);

    public void Dispose()
    {
        while (_lines.TryDequeue(out ReceivedLine line))
        {
            line.Descriptors.Dispose();
        }

        _partialDescriptors.Dispose();
    }

    private void Keep(ReadOnlySpan<byte> bytes)
    {
        if (_partialBytes + bytes.Length > _partial.Length)
        {
            // Doubling, so that a long line that comes in small chunks is copied twice at most on
            // average.
            int capacity = Math.Max(
                _partialBytes + bytes.Length, Math.Min(_lineBytesMax, _partial.Length * 2));
            Array.Resize(ref _partial, Math.Max(capacity, 256));
        }

        bytes.CopyTo(_partial.AsSpan(_partialBytes));
        _partialBytes += bytes.Length;
    }

    private void Complete(ReadOnlySpan<byte> end)
    {
        byte[] line = [.. _partial.AsSpan(0, _partialBytes), .. end];
        _lines.Enqueue(new ReceivedLine(line, _partialDescriptors));
        _partialDescriptors = new DescriptorSet();
        _partialBytes = 0;
        if (_partial.Length > 64 * 1024)
        {
            // One long line must not cost its connection a megabyte for ever.
            _partial = [];
        }
    }
}
