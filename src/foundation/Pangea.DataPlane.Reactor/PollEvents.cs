namespace Pangea.DataPlane.Reactor;

/// <summary>poll(2) event bits.</summary>
[Flags]
public enum PollEvents
{
    None = 0,
    Readable = 0x1,
    Writable = 0x4,
    Error = 0x8,
    HungUp = 0x10,

    /// <summary>The other end will send no more (POLLRDHUP).</summary>
    PeerClosed = 0x2000,
}
