namespace Pangea.DataPlane.Benchmarks.Frame;

/// <summary>What the caller of <c>./bench</c> asked for.</summary>
/// <param name="Quick">Under a minute for the whole area: fewer rounds, smaller inputs.</param>
/// <param name="Json">One JSON object a line instead of a table.</param>
/// <param name="Filter">Only cases whose name contains this text, ignoring case.</param>
public sealed record BenchOptions(bool Quick = false, bool Json = false, string? Filter = null)
{
    /// <summary>Time one case may take, warm-up included.</summary>
    public TimeSpan CaseTime => TimeSpan.FromMilliseconds(Quick ? 600 : 3000);

    /// <summary>
    /// True where the case was asked for. An area asks before it measures, so that a filter saves
    /// time.
    /// </summary>
    public bool Wants(string caseName) =>
        Filter is null || caseName.Contains(Filter, StringComparison.OrdinalIgnoreCase);

    /// <summary>Says on standard error what is going on; standard output belongs to the
    /// figures.</summary>
    public void Progress(string text) => Console.Error.WriteLine($"# {text}");
}
