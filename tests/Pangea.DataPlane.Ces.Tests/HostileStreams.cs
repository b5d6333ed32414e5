namespace Pangea.DataPlane.Ces.Tests;

/// <summary>A stream whose bytes from <paramref name="start"/> to <paramref name="end"/> cannot be
/// read, as on a disk with bad sectors.</summary>
internal sealed class ScratchedStream(byte[] content, long start, long end)
    : MemoryStream(content)
{
    public override int Read(Span<byte> buffer)
    {
        if (Position < end && Position + buffer.Length > start)
        {
            throw new IOException("Input/output error");
        }

        return base.Read(buffer);
    }

    public override ValueTask<int> ReadAsync(
        Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        new(Read(buffer.Span));
}

/// <summary>A source in whose middle something happens to its user.</summary>
internal sealed class EventfulStream(byte[] content, long when, Action what) : MemoryStream(content)
{
    private bool _happened;

    public override int Read(Span<byte> buffer)
    {
        if (!_happened && Position >= when)
        {
            _happened = true;
            what();
        }

        return base.Read(buffer);
    }

    public override ValueTask<int> ReadAsync(
        Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        new(Read(buffer.Span));
}

/// <summary>A source that lets its reader wait for every read.</summary>
internal sealed class SlowStream(byte[] content) : MemoryStream(content)
{
    public override async ValueTask<int> ReadAsync(
        Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        await Task.Delay(30, cancellationToken);
        return base.Read(buffer.Span);
    }
}
