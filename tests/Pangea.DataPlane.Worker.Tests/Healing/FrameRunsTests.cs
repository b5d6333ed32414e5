using FsCheck;
using FsCheck.Fluent;
using Pangea.DataPlane.Storage;

namespace Pangea.DataPlane.Worker.Tests.Healing;

/// <summary>Stripes end in any order; the extents tell where each of them is.</summary>
public sealed class FrameRunsTests
{
    [Fact]
    public void Every_stripe_is_found_in_the_extents_in_whichever_order_they_came()
    {
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(
            Arb.From(Gen.Choose(0, int.MaxValue)),
            seed =>
            {
                var random = new Random(seed);
                LogAddress[] frames = FramesOf(random);
                uint[] order = [.. Enumerable.Range(0, frames.Length).Select(i => (uint)i)];
                random.Shuffle(order);
                int cut = random.Next(frames.Length + 1);
                var runs = new FrameRuns();
                foreach (uint stripe in order.Where(stripe => stripe < cut))
                {
                    runs.Add(stripe, frames[stripe]);
                }

                // As after a restart.
                runs = new FrameRuns(runs.Stripes, runs.Extents);
                foreach (uint stripe in order.Where(stripe => stripe >= cut))
                {
                    runs.Add(stripe, frames[stripe]);
                }

                return runs.Stripes == frames.Length && Expand(runs, frames).SequenceEqual(frames);
            }));
    }

    private static LogAddress[] FramesOf(Random random)
    {
        var frames = new LogAddress[random.Next(1, 40)];
        uint offset = 4096;
        for (int i = 0; i < frames.Length; i++)
        {
            offset += random.Next(3) == 0 ? 8192u : 0u;
            uint bytes = 4096u * (uint)random.Next(1, 4);
            frames[i] = new LogAddress((uint)(1 + (i / 16)), offset, bytes);
            offset += bytes;
        }

        return frames;
    }

    private static IEnumerable<LogAddress> Expand(FrameRuns runs, LogAddress[] frames)
    {
        foreach (Extent extent in runs.Extents)
        {
            uint offset = extent.Offset;
            for (uint i = 0; i < extent.Stripes; i++)
            {
                uint bytes = frames[extent.FirstStripe + i].Bytes;
                yield return new LogAddress(extent.Segment, offset, bytes);
                offset += bytes;
            }
        }
    }
}
