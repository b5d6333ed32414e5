using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Supervisor.Processes;

namespace Pangea.DataPlane.Supervisor.Tests;

/// <summary>What is read about processes, and when a worker has died too often.</summary>
public sealed class ProcessFactsTests
{
    [Fact]
    public void Facts_of_this_process_are_what_it_knows_itself()
    {
        ProcessFacts? facts = ProcessFacts.Read(Environment.ProcessId);
        Assert.NotNull(facts);
        Assert.Equal(Linux.UserAccount.Current.Uid, facts.Uid);
        Assert.True(facts.RssBytes > 1024 * 1024);
        Assert.True(facts.Threads > 1);
        Assert.Equal(
            Linux.CoreAffinity.Get().Value, CoreList.Parse(facts.Cores));
        var kinds = ProcessFacts.Descriptors(Environment.ProcessId)!;
        Assert.Contains(kinds, each => each.Kind == "file" && each.Count > 0);
    }

    [Fact]
    public void A_process_that_does_not_exist_has_no_facts()
    {
        Assert.Null(ProcessFacts.Read(int.MaxValue));
        Assert.Null(ProcessFacts.Descriptors(int.MaxValue));
    }

    [Theory]
    [InlineData("0", "0")]
    [InlineData("0-3", "0-3")]
    [InlineData("0,1,2,5,7-8", "0-2,5,7-8")]
    [InlineData("", "")]
    [InlineData("x,2-,5-4,7", "7")]
    public void Core_lists_are_read_and_written(string text, string again) =>
        Assert.Equal(again, CoreList.Format(CoreList.Parse(text)));

    [Fact]
    public void Five_deaths_in_a_minute_are_too_many_and_slower_ones_are_not()
    {
        var breaker = new RestartBreaker(5);
        for (int i = 0; i < 4; i++)
        {
            Assert.False(breaker.Note(1000 + i));
        }

        Assert.True(breaker.Note(60_999));
        breaker.Reset();
        for (int i = 0; i < 100; i++)
        {
            Assert.False(breaker.Note(i * 15_000L));
        }
    }

    [Fact]
    public void A_loop_that_stands_still_is_told_from_one_that_is_starved()
    {
        // No beat: asleep or stopped is stuck, and so is running all the time.
        var asleep = new StallWatch(3);
        Assert.Equal([false, false, false, true], Looks(asleep, false, 0));
        var spinning = new StallWatch(3);
        Assert.Equal([false, false, false, true], Looks(spinning, true, 100));

        // Ready to run without a processor is not; a beat begins the count anew.
        var starved = new StallWatch(3);
        Assert.Equal([false, false, false, false], Looks(starved, true, 0));
        Assert.False(asleep.Look(2, isRunnable: false, 0));
        Assert.Equal(0, asleep.Still);
    }

    [Fact]
    public void The_state_of_a_thread_is_read()
    {
        (_, long ticks) = StallWatch.Read(Environment.ProcessId);
        Assert.True(ticks >= 0);
        Assert.Equal((false, 0L), StallWatch.Read(int.MaxValue));
    }

    private static IEnumerable<bool> Looks(StallWatch watch, bool isRunnable, long ticksEach) =>
        [.. Enumerable.Range(0, 4).Select(i => watch.Look(1, isRunnable, i * ticksEach))];
}
