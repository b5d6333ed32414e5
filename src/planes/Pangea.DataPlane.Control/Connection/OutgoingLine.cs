using Pangea.DataPlane.Control.Wire;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Control.Connection;

/// <summary>
/// A line on its way out. Its descriptors travel with its first byte and are closed here once the
/// kernel has taken them.
/// </summary>
internal sealed class OutgoingLine(byte[] line, DescriptorSet? descriptors) : IDisposable
{
    private readonly OwnedFd[] _descriptors = descriptors?.TakeAll() ?? [];
    private int _sentBytes;

    public bool IsSent => _sentBytes == line.Length;

    /// <summary>One sendmsg without waiting; bytes taken, or the errno.</summary>
    public SysResult SendTo(UnixSocket socket)
    {
        ReadOnlySpan<OwnedFd> passing = _sentBytes == 0 ? _descriptors : [];
        SysResult sent = socket.Send(line.AsSpan(_sentBytes), passing, wait: false);
        if (sent.IsOk)
        {
            _sentBytes += (int)sent.Value;
            Dispose();
        }

        return sent;
    }

    public void Dispose()
    {
        // SafeHandle.Dispose may be repeated.
        foreach (OwnedFd descriptor in _descriptors)
        {
            descriptor.Dispose();
        }
    }
}
