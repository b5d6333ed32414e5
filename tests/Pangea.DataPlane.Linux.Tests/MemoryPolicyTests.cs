using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Linux.Tests;

/// <summary>Memory of a node; this machine need have one only.</summary>
public sealed class MemoryPolicyTests
{
    [SkippableFact]
    public void A_thread_prefers_the_node_it_was_told_and_its_threads_inherit_that()
    {
        // A thread of its own, because the choice is the thread's and cannot be taken back by us.
        Result preferred = default;
        int? before = 0;
        int? after = null;
        int? inherited = null;
        var thread = new Thread(() =>
        {
            before = MemoryPolicy.Preferred();
            preferred = MemoryPolicy.Prefer(0);
            after = MemoryPolicy.Preferred();
            var child = new Thread(() => inherited = MemoryPolicy.Preferred());
            child.Start();
            child.Join();
        });
        thread.Start();
        thread.Join();
        Skip.If(preferred.Fault?.Code == FaultCode.Unsupported, "a kernel without memory nodes");
        Assert.True(preferred.IsOk, preferred.Fault?.ToString());
        Assert.Null(before);
        Assert.Equal((0, 0), (after, inherited));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1023)]
    [InlineData(900)]
    public void A_node_that_does_not_exist_is_refused(int node) =>
        Assert.False(MemoryPolicy.Prefer(node).IsOk);
}
