namespace Pangea.DataPlane.Reactor.Tests;

public sealed class TimerHeapTests
{
    [Fact]
    public void Gives_deadlines_in_order_whatever_was_removed()
    {
        // Goal: random adds and removals; the first is always the least of a plain list's.
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        IReactor reactor = Reactors.Create(
            null, new ReactorOptions { Choice = ReactorChoice.Plain }).Value;
        using IReactor _ = reactor;
        var heap = new TimerHeap(300);
        var inside = new List<Operation>();
        for (int step = 0; step < 20_000; step++)
        {
            if (inside.Count < 300 && (inside.Count == 0 || random.Next(5) < 3))
            {
                var operation = new Operation((LoopReactor)reactor, step)
                {
                    Deadline = random.Next(1000),
                };
                heap.Add(operation);
                inside.Add(operation);
            }
            else
            {
                Operation leaving = random.Next(2) == 0
                    ? heap.First
                    : inside[random.Next(inside.Count)];
                heap.Remove(leaving);
                inside.Remove(leaving);
                Assert.Equal(-1, leaving.SetIndex);
            }

            Assert.Equal(inside.Count, heap.Count);
            if (inside.Count > 0)
            {
                bool isLeast = inside.Min(o => o.Deadline) == heap.First.Deadline;
                Assert.True(isLeast, $"seed {seed}, step {step}");
            }
        }
    }
}
