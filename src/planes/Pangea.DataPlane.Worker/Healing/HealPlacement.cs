using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker;

/// <summary>
/// Where the shards of lost positions go: to a position's own device where that is healthy, else to
/// a healthy device that holds no position of the object. Never two positions on one device: then
/// one loss would take both, so the object rather stays degraded. Pure; devices are numbers.
/// </summary>
internal static class HealPlacement
{
    /// <summary>No device.</summary>
    public const int None = -1;

    /// <param name="holders">By position: the device that holds it now, or none.</param>
    /// <param name="wanted">Bit i: position i is to be written anew.</param>
    /// <param name="preferred">By position: the device it belongs to, or none.</param>
    /// <param name="scores">By device: the highest is chosen first; 0: takes no writes.</param>
    /// <param name="targets">By position, filled here: the device to write to, or none.</param>
    /// <returns>Bit i: position i is wanted and got a target.</returns>
    public static ulong Choose(
        ReadOnlySpan<int> holders,
        ulong wanted,
        ReadOnlySpan<int> preferred,
        ReadOnlySpan<ulong> scores,
        Span<int> targets)
    {
        Invariant.Check(scores.Length <= Limits.DevicesMax);
        Invariant.Check(holders.Length == preferred.Length && holders.Length == targets.Length);
        targets.Fill(None);
        ulong taken = 0;
        foreach (int holder in holders)
        {
            taken |= holder == None ? 0 : 1UL << holder;
        }

        ulong placed = 0;
        for (int turn = 0; turn < 2; turn++)
        {
            for (int position = 0; position < holders.Length; position++)
            {
                ulong bit = 1UL << position;
                if ((wanted & bit) == 0 || (placed & bit) != 0)
                {
                    continue;
                }

                // First everyone gets his own place; then the others choose from what is left.
                int target = turn == 0
                    ? Own(holders[position], preferred[position], scores, taken)
                    : Best(scores, taken);
                if (target != None)
                {
                    targets[position] = target;
                    taken |= 1UL << target;
                    placed |= bit;
                }
            }
        }

        return placed;
    }

    private static int Own(
        int holder, int preferred, ReadOnlySpan<ulong> scores, ulong taken)
    {
        // Damaged where it is: its own device, which nobody else of the object uses.
        if (holder != None && scores[holder] != 0)
        {
            return holder;
        }

        return preferred != None && scores[preferred] != 0 && (taken & (1UL << preferred)) == 0
            ? preferred
            : None;
    }

    private static int Best(ReadOnlySpan<ulong> scores, ulong taken)
    {
        int best = None;
        for (int device = 0; device < scores.Length; device++)
        {
            if (scores[device] != 0 && (taken & (1UL << device)) == 0
                && (best == None || scores[device] > scores[best]))
            {
                best = device;
            }
        }

        return best;
    }
}
