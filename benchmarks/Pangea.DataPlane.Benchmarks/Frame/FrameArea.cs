namespace Pangea.DataPlane.Benchmarks.Frame;

/// <summary>
/// Measures the frame itself: two equal cases must come out equal, by both routes. What differs
/// here is the noise of the machine, and no figure of another area is better than that.
/// </summary>
public sealed class FrameArea : IBenchArea
{
    public string Name => "frame";

    public string Summary =>
        "the frame itself: a copy against the same copy shows the machine's noise";

    public IEnumerable<BenchRow> Run(BenchOptions options)
    {
        int[] sizes = [4096, 1024 * 1024];
        foreach (int bytes in sizes)
        {
            string caseName = $"paired, copy of {bytes / 1024} KiB";
            if (!options.Wants(caseName))
            {
                continue;
            }

            byte[] source = new byte[bytes];
            byte[] destination = new byte[bytes];
            PairedResult result = PairedRun.Measure(
                options,
                () => source.CopyTo(destination, 0),
                () => source.CopyTo(destination, 0));
            yield return result.Rate(caseName, bytes, null, "the same copy");
        }

        const string FunctionCase = "BenchmarkDotNet, copy of 64 KiB";
        if (options.Wants(FunctionCase))
        {
            IReadOnlyList<FunctionResult> results = FunctionRun.Measure<FrameCopies>(options);
            yield return FunctionRun.Rate(
                FunctionCase,
                results,
                nameof(FrameCopies.Ours),
                nameof(FrameCopies.Rival),
                65536,
                null,
                "the same copy");
        }
    }
}
