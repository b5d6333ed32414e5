using FsCheck;
using FsCheck.Fluent;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Worker.Tests.Healing;

/// <summary>The order in which objects are healed, and what a full queue leaves out.</summary>
public sealed class HealQueueTests
{
    private static readonly Gen<HealItem> s_items =
        from id in Gen.Choose(0, 30)
        from spare in Gen.Choose(-2, 4)
        from since in Gen.Choose(0, 5)
        from bad in Gen.Choose(0, 15)
        select new HealItem(new ObjectId((UInt128)(id + 1)), spare, since, (ulong)bad);

    [Fact]
    public void The_closest_to_loss_comes_first_then_the_oldest()
    {
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(
            Arb.From(Gen.ListOf(s_items).Select(items => items.ToArray())),
            items =>
            {
                var queue = new HealQueue();
                Array.ForEach(items, queue.Add);
                int distinct = items.Select(item => item.Id).Distinct().Count();
                var taken = new List<HealItem>();
                bool counts = queue.Count == distinct;
                while (queue.TryTake(out HealItem item))
                {
                    taken.Add(item);
                }

                return counts
                    && taken.Count == distinct
                    && taken.Zip(taken.Skip(1)).All(pair => pair.First.CompareTo(pair.Second) < 0)
                    && taken.Select(item => item.Id).Distinct().Count() == distinct;
            }));
    }

    [Fact]
    public void What_is_known_of_an_object_adds_up()
    {
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(
            Arb.From(Gen.NonEmptyListOf(s_items).Select(items => items.ToArray())),
            items =>
            {
                var queue = new HealQueue();
                Array.ForEach(items, queue.Add);
                return items.GroupBy(item => item.Id).All(group =>
                    queue.TryFind(group.Key, out HealItem item)
                    && item.SinceMs == group.Min(each => each.SinceMs)
                    && item.Spare == group.Last().Spare
                    && item.BadPositions == group.Aggregate(0UL, (all, e) => all | e.BadPositions));
            }));
    }

    [Fact]
    public void A_full_queue_keeps_the_most_urgent_and_says_that_it_dropped_some()
    {
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(
            Arb.From(Gen.Choose(1, 40)),
            bound =>
            {
                var queue = new HealQueue(bound);
                HealItem[] items = [.. Enumerable.Range(0, 40)
                    .Select(i => new HealItem(new ObjectId((UInt128)(i + 1)), i % 5, i, 0))];
                var random = new Random(bound);
                random.Shuffle(items);
                Array.ForEach(items, queue.Add);
                HealItem[] expected = [.. items.Order().Take(bound)];
                var taken = new List<HealItem>();
                while (queue.TryTake(out HealItem item))
                {
                    taken.Add(item);
                }

                return taken.SequenceEqual(expected) && queue.HasDropped == bound < 40;
            }));
    }

    [Fact]
    public void Counts_those_that_are_critical()
    {
        var queue = new HealQueue();
        for (int i = 0; i < 10; i++)
        {
            queue.Add(new HealItem(ObjectId.New(), i % 5, i, 0));
        }

        Assert.Equal(2, queue.CountUpTo(0));
        Assert.Equal(4, queue.CountUpTo(1));
        Assert.Equal(10, queue.CountUpTo(4));
    }
}
