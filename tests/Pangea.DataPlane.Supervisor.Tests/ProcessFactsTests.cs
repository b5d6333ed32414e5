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
    [InlineData("x,2-", "")]
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
}
