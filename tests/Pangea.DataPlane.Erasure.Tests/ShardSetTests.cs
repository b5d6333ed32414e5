namespace Pangea.DataPlane.Erasure.Tests;

public sealed class ShardSetTests
{
    [Fact]
    public void Holds_what_a_sorted_set_holds()
    {
        int seed = Environment.TickCount;
        var random = new Random(seed);
        for (int round = 0; round < 200; round++)
        {
            int[] all = [.. Enumerable.Range(0, 255)];
            random.Shuffle(all);
            int count = random.Next(0, 256);
            var expected = new SortedSet<int>(all.Take(count));
            ShardSet set = ShardSet.Of(all.AsSpan(0, count));

            List<int> members = [];
            foreach (int member in set)
            {
                members.Add(member);
            }

            Assert.True(expected.SequenceEqual(members), $"seed {seed}, round {round}");
            Assert.Equal(count, set.Count);
            Assert.Equal(count == 0, set.IsEmpty);
            int from = random.Next(0, 255);
            int next = expected.GetViewBetween(from, 255).FirstOrDefault(-1);
            Assert.Equal(next, set.Next(from));
            Assert.Equal(expected.Contains(from), set.Contains(from));
            int few = random.Next(0, 256);
            Assert.Equal(ShardSet.Of([.. expected.Take(few)]), set.Lowest(few));
        }
    }

    [Fact]
    public void Subtracts_and_intersects()
    {
        ShardSet set = ShardSet.Of(0, 63, 64, 200);

        Assert.Equal(ShardSet.Of(0, 200), set.Except(ShardSet.Range(60, 10)));
        Assert.Equal(ShardSet.Of(63, 64), set.Intersect(ShardSet.Range(60, 10)));
        Assert.Equal("{0, 63, 64, 200}", set.ToString());
        Assert.False(set.Contains(-1));
        Assert.False(set.Contains(256));
    }
}
