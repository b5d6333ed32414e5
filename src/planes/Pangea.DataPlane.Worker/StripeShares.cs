using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// How many stripes each transfer may have under way. One that is alone gets many, because a disk
/// is at its best with much under way; what every other transfer needs to move at all is kept for
/// it, so that whoever has a permit never waits for memory. Loop thread only.
/// </summary>
internal sealed class StripeShares
{
    /// <summary>Stripes of all transfers together: their slabs in the pool.</summary>
    public const int All = 20;

    /// <summary>One being read, one being computed, one on its way to the devices.</summary>
    public const int Least = 3;

    /// <summary>Between eight and twelve, where little is gained any more (experiment 0011).
    /// </summary>
    public const int Most = 10;

    private int _free = All;
    private int _transfers;

    /// <summary>For one who has a permit; is given back.</summary>
    public int Take()
    {
        Invariant.Check(_transfers < Limits.TransfersMax, "a permit comes first");
        _transfers++;
        int kept = (Limits.TransfersMax - _transfers) * Least;
        int share = Math.Min(Most, _free - kept);
        Invariant.Check(share >= Least);
        _free -= share;
        return share;
    }

    public void Return(int share)
    {
        _transfers--;
        _free += share;
        Invariant.Check(_transfers >= 0);
        Invariant.Check(_free <= All);
    }
}
