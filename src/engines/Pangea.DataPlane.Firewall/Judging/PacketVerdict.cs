using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Packets;

namespace Pangea.DataPlane.Firewall.Judging;

/// <summary>What becomes of a packet, and why.</summary>
/// <param name="Dropped">False: it passes.</param>
/// <param name="Reason">Which test decided.</param>
/// <param name="Monitored">It would drop, but monitor mode lets it pass.</param>
/// <param name="Malformed">The kind, where that is the reason.</param>
/// <param name="Slot">Of the rule or pin that decided, or <see
/// cref="PolicyConstants.SlotNone"/>.</param>
public readonly record struct PacketVerdict(
    bool Dropped, PolicyReason Reason, bool Monitored, MalformedKind Malformed, uint Slot);

/// <summary>Judges packets; one thread at a time.</summary>
public interface IPacketFilter
{
    /// <summary>The verdict on a frame. Allocates nothing and reads nothing outside the
    /// head.</summary>
    /// <param name="head">Captured bytes, from the destination MAC address on.</param>
    /// <param name="frameBytes">Length of the whole frame, at least that of the head.</param>
    /// <param name="interfaceIndex">Where it came in.</param>
    /// <param name="nowNs">A clock that only moves on, in nanoseconds.</param>
    PacketVerdict Judge(
        ReadOnlySpan<byte> head, int frameBytes, uint interfaceIndex, ulong nowNs);
}
