namespace Pangea.DataPlane.Benchmarks.Frame;

/// <summary>
/// One line of an area's table: a case, our figure, the rival's figure from the same run, and the
/// goal.
/// </summary>
/// <param name="Case">What was measured; unique within its area, because <c>--filter</c> selects by
/// it.</param>
/// <param name="Ours">Our figure in <paramref name="Unit"/>.</param>
/// <param name="Rival">The rival's figure in the same unit; NaN where the case has no
/// rival.</param>
/// <param name="Unit">The unit of both figures, such as <c>GB/s</c> (decimal, data bytes) or
/// <c>ms</c>.</param>
/// <param name="Goal"> The bound to reach, in the sense of <see cref="GoalIsAbsolute"/>; null where
/// the issue states none.
/// </param>
/// <param name="RivalName">Who the rival is, with its version where it is known; empty without
/// one.</param>
/// <param name="HigherIsBetter">True for rates, false for durations, memory and CPU time.</param>
/// <param name="Note">One short remark for the reader: cold or warm, spread, what was left
/// out.</param>
public sealed record BenchRow(
    string Case,
    double Ours,
    double Rival,
    string Unit,
    double? Goal,
    string RivalName,
    bool HigherIsBetter = true,
    string? Note = null)
{
    private readonly bool? _goalIsAbsolute;
    private readonly double? _ratio;

    /// <summary>
    /// True: the goal bounds <see cref="Ours"/> in <see cref="Unit"/>. False: it bounds <see
    /// cref="Ratio"/>. Unless it is set, a row with a rival has a ratio goal, one without an
    /// absolute.
    /// </summary>
    public bool GoalIsAbsolute
    {
        get => _goalIsAbsolute ?? !HasRival;
        init => _goalIsAbsolute = value;
    }

    public bool HasRival => double.IsFinite(Rival) && Rival != 0;

    /// <summary>
    /// Ours divided by the rival's, whichever direction is better ("3.9 x ISA-L", "1.15 x fio's
    /// CPU"); NaN without a rival. A paired run sets the median over its rounds, which on a noisy
    /// machine is steadier than the quotient of two medians.
    /// </summary>
    public double Ratio
    {
        get => !HasRival ? double.NaN : _ratio ?? (Ours / Rival);
        init => _ratio = value;
    }

    /// <summary>Whether the goal was reached in this run; null without a goal.</summary>
    public bool? Met
    {
        get
        {
            if (Goal is not double goal)
            {
                return null;
            }

            double measured = GoalIsAbsolute ? Ours : Ratio;
            return HigherIsBetter ? measured >= goal : measured <= goal;
        }
    }

    /// <summary>A row without a rival; its goal, if any, bounds our figure itself.</summary>
    public static BenchRow Alone(
        string caseName,
        double ours,
        string unit,
        double? goal,
        bool higherIsBetter = true,
        string? note = null) =>
        new(caseName, ours, double.NaN, unit, goal, "", higherIsBetter, note);
}
