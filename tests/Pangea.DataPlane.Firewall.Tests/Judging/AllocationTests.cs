using Pangea.DataPlane.Firewall.Judging;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Firewall.Tests.Generating;
using Pangea.DataPlane.Packets.Tests.Building;

namespace Pangea.DataPlane.Firewall.Tests.Judging;

public sealed class AllocationTests
{
    [Fact]
    public void A_verdict_allocates_nothing()
    {
        RuleSet set = new RuleSetGenerator(new Random(5)).Next(500);
        UserspaceFilter filter = new(TwinTests.Compile(set));
        Random random = new(6);
        FrameGenerator generator = new(random);
        byte[][] frames = [.. Enumerable.Range(0, 500).Select(_ => generator.Next())];
        long bytes = 0;
        for (int round = 0; round < 25; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            foreach (byte[] frame in frames)
            {
                filter.Judge(frame, frame.Length, 2, (ulong)round * 1000);
            }

            // The first rounds pay for the start of the code and for bans that grow their table.
            bytes += round < 5 ? 0 : GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Assert.Equal(0, bytes);
    }
}
