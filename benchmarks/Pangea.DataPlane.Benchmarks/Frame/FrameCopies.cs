using BenchmarkDotNet.Attributes;

namespace Pangea.DataPlane.Benchmarks.Frame;

/// <summary>Two equal functions for <see cref="FrameArea"/>.</summary>
public class FrameCopies
{
    private readonly byte[] _source = new byte[65536];
    private readonly byte[] _destination = new byte[65536];

    [Benchmark]
    public void Ours() => _source.CopyTo(_destination, 0);

    [Benchmark]
    public void Rival() => _source.CopyTo(_destination, 0);
}
