namespace Pangea.DataPlane.Benchmarks.Frame;

/// <summary>
/// One speed table of the project, run by <c>./bench NAME</c>. Each area lives in a folder of its
/// own and is named once in <see cref="BenchAreas"/>.
/// </summary>
public interface IBenchArea
{
    /// <summary>The word after <c>./bench</c>: lower case, one word.</summary>
    string Name { get; }

    /// <summary>One line for the list of areas: what is measured against whom.</summary>
    string Summary { get; }

    /// <summary>
    /// Measures and yields row by row, so that the reader sees figures as they come. A missing
    /// rival is not an error: the row then has none and its note says why.
    /// </summary>
    IEnumerable<BenchRow> Run(BenchOptions options);
}
