using Pangea.DataPlane.Firewall.Image;

namespace Pangea.DataPlane.Firewall.Judging;

/// <summary>
/// The generic cell rate algorithm (ITU-T I.371), the arithmetic of <c>struct policy_limit</c> in
/// bpf/policy.h to the last bit.
/// </summary>
internal static class Gcra
{
    /// <summary>Charges a packet; false, and nothing charged, if it is over the limit.</summary>
    public static bool TryCharge(
        ref RateState state, in PolicyLimit limit, uint frameBytes, ulong nowNs)
    {
        ulong packets = state.PacketsTatNs;
        ulong bytes = state.BytesTatNs;
        if (limit.PacketCostNs != 0 && !Fits(
            ref packets, limit.PacketCostNs, limit.PacketBurstNs, nowNs))
        {
            return false;
        }

        if (limit.ByteCostQ20 != 0 && !Fits(
            ref bytes, (frameBytes * limit.ByteCostQ20) >> 20, limit.ByteBurstNs, nowNs))
        {
            return false;
        }

        state.PacketsTatNs = packets;
        state.BytesTatNs = bytes;
        return true;
    }

    private static bool Fits(ref ulong tat, ulong costNs, ulong burstNs, ulong nowNs)
    {
        // An arrival time beyond the burst is from a clock that jumped back or an older, slower
        // limit: such a bucket starts anew instead of blocking for ever.
        ulong theirs = tat < nowNs || tat - nowNs > burstNs ? nowNs : tat;
        if (theirs + costNs - nowNs > burstNs)
        {
            return false;
        }

        tat = theirs + costNs;
        return true;
    }
}
