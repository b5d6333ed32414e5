namespace Pangea.DataPlane.Ces.Tests;

/// <summary>
/// A simulated put: input that arrives at one rate, compression whose rate depends on the level,
/// output that drains at a third. Goal: the put takes about as long as its slowest neighbour asks
/// for.
/// </summary>
public sealed class CompressionGovernorTests
{
    // MB/s of one core by libzstd level, as measured on mixed data; 0 is the skip path.
    private static readonly Dictionary<int, double> s_rates = new()
    {
        [0] = 3000,
        [1] = 500,
        [3] = 300,
        [6] = 100,
        [9] = 50,
    };

    [Theory]
    [InlineData(2000, 2000, 0, 1)]
    [InlineData(400, 4000, 1, 1)]
    [InlineData(150, 4000, 3, 6)]
    [InlineData(20, 4000, 9, 9)]
    [InlineData(4000, 20, 9, 9)]
    [InlineData(4000, 80, 6, 6)]
    public void Settles_where_compression_is_not_the_narrow_place(
        double input, double output, int levelMin, int levelMax)
    {
        int[] levels = Simulate(input, output, stripes: 600, out double slowdown);

        double average = levels.Skip(200).Average(level => level);
        Assert.InRange(average, levelMin - 0.9, levelMax + 1.5);
        Assert.True(slowdown < 1.6, $"{slowdown:F2} times slower than input and output ask for");
    }

    [Fact]
    public void Never_exceeds_what_is_wanted()
    {
        var governor = new CompressionGovernor();
        for (int i = 0; i < 100; i++)
        {
            governor.Observe(isInputWaiting: false, isOutputIdle: true);
            Assert.Equal(CompressionLevel.Fast, governor.Limit(CompressionLevel.Fast));
            Assert.Equal(CompressionLevel.Skip, governor.Limit(CompressionLevel.Skip));
        }
    }

    private static int[] Simulate(double input, double output, int stripes, out double slowdown)
    {
        var governor = new CompressionGovernor();
        int[] levels = new int[stripes];
        double compressed = 0;
        double written = 0;
        for (int i = 0; i < stripes; i++)
        {
            levels[i] = governor.Limit(CompressionLevel.Dense).Zstd;

            // A stripe may be read while eight before it are under way, and as many wait for the
            // disk.
            double arrived = (i + 1) / input;
            double start = Math.Max(arrived, compressed);
            start = Math.Max(start, written - (8 / output));
            compressed = start + (1 / s_rates[levels[i]]);
            bool isOutputIdle = written <= compressed;
            written = Math.Max(written, compressed) + (1 / output);
            governor.Observe((i + 2) / input <= compressed, isOutputIdle);
        }

        slowdown = written / (stripes / Math.Min(input, output));
        return levels;
    }
}
