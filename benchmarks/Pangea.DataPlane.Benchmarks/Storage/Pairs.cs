using Pangea.DataPlane.Benchmarks.Frame;

namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>Rounds of two sides, run in turn.</summary>
/// <param name="Ours">Our rounds.</param>
/// <param name="Rival">The rival's, as many, or none where it is not installed.</param>
internal sealed record Pairs(IReadOnlyList<IoFigures> Ours, IReadOnlyList<IoFigures> Rival)
{
    /// <summary>
    /// One figure of both sides: medians, and the ratio as the median over the rounds.
    /// </summary>
    internal BenchRow Row(
        string name,
        Func<IoFigures, double> figure,
        string unit,
        double? goal,
        bool higherIsBetter,
        string? note,
        string? rivalName = null)
    {
        double[] ours = [.. Ours.Select(figure)];
        double[] rival = [.. Rival.Select(figure)];
        string spread = $"+-{PairedRun.Spread(ours):P0}/{PairedRun.Spread(rival):P0}, "
            + $"{ours.Length} rounds";
        if (rival.Length == 0)
        {
            return new BenchRow(
                name, PairedRun.Median(ours), double.NaN, unit, null, "", higherIsBetter,
                "fio is not installed");
        }

        return new BenchRow(
            name,
            PairedRun.Median(ours),
            PairedRun.Median(rival),
            unit,
            goal,
            rivalName ?? Fio.Version!,
            higherIsBetter,
            note is null ? spread : $"{note}; {spread}")
        {
            Ratio = PairedRun.Median([.. ours.Zip(rival, (mine, other) => mine / other)]),
        };
    }

    /// <summary>Runs both sides in turn, after one round of ours to warm up.</summary>
    internal static Pairs Alternate(int rounds, Func<IoFigures> ours, Func<IoFigures>? rival)
    {
        _ = ours();
        List<IoFigures> mine = [];
        List<IoFigures> other = [];
        for (int round = 0; round < rounds; round++)
        {
            bool rivalFirst = (round & 1) == 1;
            if (rivalFirst && rival is not null)
            {
                other.Add(rival());
            }

            mine.Add(ours());
            if (!rivalFirst && rival is not null)
            {
                other.Add(rival());
            }
        }

        return new Pairs(mine, other);
    }
}
