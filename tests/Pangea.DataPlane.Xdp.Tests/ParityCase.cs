using FsCheck;
using FsCheck.Fluent;

namespace Pangea.DataPlane.Xdp.Tests;

/// <summary>
/// A rule set and frames, each rule and each frame from a seed of its own, so that any of them can
/// be left out without a change to the others.
/// </summary>
internal sealed record ParityCase(int SetSeed, int[] RuleSeeds, int[] FrameSeeds)
{
    internal static Gen<ParityCase> Generator(int frames) =>
        from set in s_seed
        from rules in Gen.Frequency<int>(
            (4, Gen.Choose(0, 24)), (1, Gen.Choose(80, 299)))
        from ruleSeeds in s_seed.ArrayOf(rules)
        from frameSeeds in s_seed.ArrayOf(frames)
        select new ParityCase(set, ruleSeeds, frameSeeds);

    private static readonly Gen<int> s_seed = Gen.Choose(0, int.MaxValue - 1);

    /// <summary>Without runs of frames, then of rules; halves first, single ones last.</summary>
    internal IEnumerable<ParityCase> Smaller()
    {
        foreach (int[] frames in Without(FrameSeeds))
        {
            yield return this with { FrameSeeds = frames };
        }

        foreach (int[] rules in Without(RuleSeeds))
        {
            yield return this with { RuleSeeds = rules };
        }
    }

    public override string ToString() =>
        $"set {SetSeed}, rules {string.Join(' ', RuleSeeds)}, {FrameSeeds.Length} frames"
        + (FrameSeeds.Length < 20 ? $" {string.Join(' ', FrameSeeds)}" : "");

    private static IEnumerable<int[]> Without(int[] all)
    {
        for (int run = all.Length / 2; run > 0; run /= 2)
        {
            for (int at = 0; at + run <= all.Length; at += run)
            {
                yield return [.. all[..at], .. all[(at + run)..]];
            }
        }
    }
}
