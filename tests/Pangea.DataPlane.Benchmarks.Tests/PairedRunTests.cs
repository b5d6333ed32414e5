using Pangea.DataPlane.Benchmarks.Frame;

namespace Pangea.DataPlane.Benchmarks.Tests;

public class PairedRunTests
{
    [Theory]
    [InlineData(new double[] { 3, 1, 2 }, 0.5, 2)]
    [InlineData(new double[] { 4, 1, 2, 3 }, 0.5, 2.5)]
    [InlineData(new double[] { 1, 2, 3, 4, 5 }, 0.25, 2)]
    [InlineData(new double[] { 7 }, 0.75, 7)]
    public void Quantiles_interpolate_between_neighbours(
        double[] values, double part, double expected)
    {
        Assert.Equal(expected, PairedRun.Quantile(values, part), 1e-12);
    }

    [Fact]
    public void The_median_of_nothing_is_no_number()
    {
        Assert.True(double.IsNaN(PairedRun.Median([])));
    }

    /// <summary>
    /// Four times the work must show as a ratio well above one, whatever else the machine does; how
    /// far above is the machine's business.
    /// </summary>
    [Fact]
    public void More_work_shows_as_a_larger_ratio()
    {
        PairedResult result = PairedRun.MeasureBatches(
            new BenchOptions(Quick: true), count => Spin(4 * count), Spin);

        Assert.True(result.TimeRatio > 1.5, $"ratio {result.TimeRatio}");
        Assert.True(result.Rounds >= 7, $"{result.Rounds} rounds");
        BenchRow row = result.Duration("case", "ns", null, "less work");
        Assert.Equal(result.TimeRatio, row.Ratio);
    }

    [Fact]
    public void Alone_there_is_no_rival()
    {
        PairedResult result = PairedRun.MeasureBatches(new BenchOptions(Quick: true), Spin, null);

        Assert.False(result.Rate("case", 1, null, "").HasRival);
        Assert.True(result.OursNs > 0);
    }

    private static void Spin(int count)
    {
        for (int i = 0; i < count; i++)
        {
            Thread.SpinWait(20);
        }
    }
}
