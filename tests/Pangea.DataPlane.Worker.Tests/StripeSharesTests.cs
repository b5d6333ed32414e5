using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker.Tests;

/// <summary>Goal: whoever has a permit gets its share, whoever came before it.</summary>
public sealed class StripeSharesTests
{
    [Fact]
    public void One_alone_gets_the_most_and_everybody_the_least()
    {
        var shares = new StripeShares();

        int first = shares.Take();
        int[] others = [.. Enumerable.Range(1, Limits.TransfersMax - 1).Select(_ => shares.Take())];

        Assert.Equal(StripeShares.Most, first);
        Assert.All(others, share => Assert.True(share >= StripeShares.Least));
        Assert.True(first + others.Sum() <= StripeShares.All);
    }

    [Fact]
    public void Whatever_comes_and_goes_never_more_are_out_than_there_are()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        var shares = new StripeShares();
        var taken = new List<int>();
        for (int turn = 0; turn < 10_000; turn++)
        {
            bool takes = taken.Count == 0
                || (taken.Count < Limits.TransfersMax && random.Next(2) == 0);
            if (takes)
            {
                taken.Add(shares.Take());
            }
            else
            {
                int which = random.Next(taken.Count);
                shares.Return(taken[which]);
                taken.RemoveAt(which);
            }

            Assert.True(taken.Sum() <= StripeShares.All, $"seed {seed}, turn {turn}");
            Assert.All(taken, share => Assert.InRange(
                share, StripeShares.Least, StripeShares.Most));
        }
    }
}
