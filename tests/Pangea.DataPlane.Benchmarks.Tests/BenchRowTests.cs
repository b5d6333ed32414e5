using Pangea.DataPlane.Benchmarks.Frame;

namespace Pangea.DataPlane.Benchmarks.Tests;

public class BenchRowTests
{
    [Theory]
    [InlineData(30, 10, true, 3.0, true)]
    [InlineData(30, 10, true, 3.1, false)]
    [InlineData(11, 10, false, 1.15, true)]
    [InlineData(12, 10, false, 1.15, false)]
    public void With_a_rival_the_goal_bounds_the_ratio(
        double ours, double rival, bool higherIsBetter, double goal, bool met)
    {
        BenchRow row = new("case", ours, rival, "GB/s", goal, "them", higherIsBetter);

        Assert.Equal(ours / rival, row.Ratio, 1e-12);
        Assert.Equal(met, row.Met);
    }

    [Theory]
    [InlineData(290, true)]
    [InlineData(310, false)]
    public void Without_a_rival_the_goal_bounds_the_figure(double ours, bool met)
    {
        BenchRow row = BenchRow.Alone("case", ours, "ms", 300, higherIsBetter: false);

        Assert.False(row.HasRival);
        Assert.True(double.IsNaN(row.Ratio));
        Assert.Equal(met, row.Met);
    }

    [Fact]
    public void A_row_with_a_rival_can_have_an_absolute_goal()
    {
        BenchRow row = new("case", 4, 5, "GB/s", 3.3, "them") { GoalIsAbsolute = true };

        Assert.True(row.Met);
        Assert.Equal(0.8, row.Ratio, 1e-12);
    }

    [Fact]
    public void Without_a_goal_nothing_is_met_or_missed()
    {
        Assert.Null(new BenchRow("case", 1, 2, "s", null, "them").Met);
    }

    [Fact]
    public void A_measured_ratio_replaces_the_quotient()
    {
        BenchRow row = new("case", 10, 5, "s", 2.4, "them") { Ratio = 2.5 };

        Assert.Equal(2.5, row.Ratio);
        Assert.True(row.Met);
    }

    /// <summary>A rival that could not be measured must not look infinitely slow.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void A_rival_without_a_figure_is_none(double rival)
    {
        Assert.False(new BenchRow("case", 1, rival, "s", null, "them").HasRival);
    }
}
