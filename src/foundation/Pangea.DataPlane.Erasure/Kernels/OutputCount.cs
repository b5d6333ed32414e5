namespace Pangea.DataPlane.Erasure.Kernels;

/// <summary>
/// A number the JIT sees as a constant: one source text with <c>if (TCount.Value > 2)</c> becomes one
/// straight loop per number of outputs, with its sums in registers and the other branches gone.
/// </summary>
internal interface IOutputCount
{
    static abstract int Value { get; }
}

internal readonly struct One : IOutputCount
{
    public static int Value => 1;
}

internal readonly struct Two : IOutputCount
{
    public static int Value => 2;
}

internal readonly struct Three : IOutputCount
{
    public static int Value => 3;
}

internal readonly struct Four : IOutputCount
{
    public static int Value => 4;
}

internal readonly struct Five : IOutputCount
{
    public static int Value => 5;
}

internal readonly struct Six : IOutputCount
{
    public static int Value => 6;
}
