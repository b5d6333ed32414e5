using System.Numerics;
using FsCheck;
using FsCheck.Fluent;

namespace Pangea.DataPlane.Worker.Tests.Healing;

/// <summary>Where lost shards go: never two positions of an object onto one device.</summary>
public sealed class HealPlacementTests
{
    private readonly record struct Case(
        int[] Holders, ulong Wanted, int[] Preferred, ulong[] Scores);

    [Fact]
    public void No_device_gets_two_positions_and_none_that_could_go_stays()
    {
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(2000), Prop.ForAll(
            Arb.From(Gen.Choose(0, int.MaxValue).Select(seed => seed)),
            seed =>
            {
                Case given = CaseOf(new Random(seed));
                int[] targets = new int[given.Holders.Length];
                ulong placed = HealPlacement.Choose(
                    given.Holders, given.Wanted, given.Preferred, given.Scores, targets);
                return IsRight(given, placed, targets);
            }));
    }

    [Fact]
    public void A_damaged_position_stays_where_it_is()
    {
        int[] targets = new int[3];
        ulong placed = HealPlacement.Choose(
            [0, 1, 2], 0b010, [-1, -1, -1], [1, 1, 1, 99], targets);
        Assert.Equal(0b010UL, placed);
        Assert.Equal([-1, 1, -1], targets);
    }

    [Fact]
    public void A_replaced_device_gets_back_what_was_in_its_place()
    {
        int[] targets = new int[3];
        ulong placed = HealPlacement.Choose(
            [0, -1, 2], 0b010, [-1, 3, -1], [1, 9, 1, 5, 9], targets);
        Assert.Equal(0b010UL, placed);
        Assert.Equal(3, targets[1]);
    }

    [Fact]
    public void Without_a_free_device_it_stays_degraded()
    {
        int[] targets = new int[3];
        Assert.Equal(0UL, HealPlacement.Choose(
            [0, -1, 2], 0b010, [-1, -1, -1], [1, 0, 1], targets));
        Assert.Equal([-1, -1, -1], targets);
    }

    [Fact]
    public void A_device_that_takes_no_writes_hands_its_position_on()
    {
        int[] targets = new int[2];
        Assert.Equal(0b01UL, HealPlacement.Choose(
            [0, 1], 0b01, [-1, -1], [0, 1, 7, 3], targets));
        Assert.Equal(2, targets[0]);
    }

    private static Case CaseOf(Random random)
    {
        int positions = random.Next(1, 13);
        int devices = random.Next(1, 17);
        int[] order = [.. Enumerable.Range(0, devices)];
        random.Shuffle(order);
        int[] holders = [.. Enumerable.Range(0, positions).Select(
            i => i < devices && random.Next(3) > 0 ? order[i] : -1)];
        int[] preferred = [.. Enumerable.Range(0, positions).Select(
            _ => random.Next(4) == 0 ? random.Next(devices) : -1)];
        ulong[] scores = [.. Enumerable.Range(0, devices).Select(
            _ => random.Next(4) == 0 ? 0UL : (ulong)random.Next(1, 1000))];
        return new Case(
            holders, (ulong)random.NextInt64() & ((1UL << positions) - 1), preferred, scores);
    }

    private static bool IsRight(Case given, ulong placed, int[] targets)
    {
        var used = new HashSet<int>();
        int free = Enumerable.Range(0, given.Scores.Length)
            .Count(device => given.Scores[device] != 0 && !given.Holders.Contains(device));
        int homeless = 0;
        for (int position = 0; position < targets.Length; position++)
        {
            bool isWanted = (given.Wanted & (1UL << position)) != 0;
            bool isPlaced = (placed & (1UL << position)) != 0;
            int target = targets[position];
            bool keeps = target >= 0 && target == given.Holders[position];
            if (isPlaced != target >= 0 || (isPlaced && !isWanted))
            {
                return false;
            }

            if (isPlaced && (given.Scores[target] == 0 || !used.Add(target)
                || (!keeps && given.Holders.Contains(target))))
            {
                return false;
            }

            free -= isPlaced && !keeps ? 1 : 0;
            homeless += isWanted && !isPlaced ? 1 : 0;
        }

        return BitOperations.PopCount(placed & ~given.Wanted) == 0
            && (homeless == 0 || free == 0);
    }
}
