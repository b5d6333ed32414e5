using System.Runtime.InteropServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Linux.Bpf;

namespace Pangea.DataPlane.Xdp;

/// <summary>
/// The samples of drops, at most one in a jiffy for the whole machine. One reader: a second one
/// takes records away from the first.
/// </summary>
public sealed class FilterEvents : IDisposable
{
    private readonly BpfRing _ring;

    private FilterEvents(BpfRing ring) => _ring = ring;

    public static Result<FilterEvents> Open(XdpFilter filter)
    {
        Result<BpfRing> ring = BpfRing.Open(filter.Maps["events"]);
        return ring.IsOk ? new FilterEvents(ring.Value) : ring.Fault;
    }

    /// <summary>The next sample; false where there is none.</summary>
    public bool TryRead(out PolicyEvent sample)
    {
        sample = default;
        int bytes = _ring.TryRead(MemoryMarshal.AsBytes(new Span<PolicyEvent>(ref sample)));
        return bytes == Marshal.SizeOf<PolicyEvent>();
    }

    public void Dispose() => _ring.Dispose();
}
