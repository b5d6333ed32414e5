using FsCheck;
using FsCheck.Fluent;

namespace Pangea.DataPlane.Worker.Tests.Healing;

/// <summary>60 s x 2^n, capped; and after many failures only a change brings another try.</summary>
public sealed class HealBackoffTests
{
    private static readonly HealBackoff s_default = new(60_000, 1_920_000);

    [Fact]
    public void Doubles_from_a_minute_to_the_cap()
    {
        long[] pauses = [.. Enumerable.Range(1, 8).Select(s_default.PauseMs)];
        Assert.Equal(
            [60_000, 120_000, 240_000, 480_000, 960_000, 1_920_000, 1_920_000, 1_920_000], pauses);
    }

    [Fact]
    public void Gives_up_until_something_changes()
    {
        Assert.Equal(1000 + 60_000, s_default.NextMs(1, 1000));
        Assert.NotEqual(0, s_default.NextMs(HealBackoff.AttemptsMax - 1, 1000));
        Assert.Equal(0, s_default.NextMs(HealBackoff.AttemptsMax, 1000));
    }

    [Fact]
    public void Never_shrinks_nor_exceeds_the_cap()
    {
        Check.One(Config.QuickThrowOnFailure, Prop.ForAll(
            Arb.From(Gen.Choose(1, 1_000_000)),
            Arb.From(Gen.Choose(1, 1000)),
            (first, failures) =>
            {
                var backoff = new HealBackoff(first, 3_000_000);
                long pause = backoff.PauseMs(failures);
                return pause <= 3_000_000 && pause >= Math.Min(first, 3_000_000)
                    && backoff.PauseMs(failures + 1) >= pause;
            }));
    }
}
