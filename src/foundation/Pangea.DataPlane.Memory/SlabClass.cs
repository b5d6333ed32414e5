namespace Pangea.DataPlane.Memory;

/// <summary>Slabs of one length in a <see cref="BufferPool"/>.</summary>
/// <param name="SlabBytes">
/// Length of each slab, a multiple of 64; a multiple of 4096 where devices read and write it.
/// </param>
/// <param name="Count">How many; derived by the owner as a sum with one term per user.</param>
/// <param name="TryHugePages">
/// Whether huge pages are worth their memory: where a slab is filled once it is used.
/// </param>
public readonly record struct SlabClass(int SlabBytes, int Count, bool TryHugePages = true);

/// <summary>How a <see cref="BufferPool"/> is built.</summary>
/// <param name="TryHugePages">
/// Ask for 2 MiB pages: reserved ones, else merged ones; without them the pool works the same.
/// </param>
/// <param name="Checked">
/// Poison returned slabs, end each with a canary and record who rented. On by default in Debug
/// builds.
/// </param>
public readonly record struct BufferPoolOptions(bool TryHugePages, bool Checked)
{
    /// <summary>
    /// Environment variable with a list of "plain" (no huge pages) and "checked" (diagnostics also
    /// in Release builds, at some microseconds per slab).
    /// </summary>
    public const string Variable = "PANGEA_BUFFERS";

#if DEBUG
    public static readonly BufferPoolOptions Default = new(false, true);
#else
    public static readonly BufferPoolOptions Default = new(false, false);
#endif

    /// <summary>Huge pages and the build's diagnostics, unless the variable says else.</summary>
    public static BufferPoolOptions FromEnvironment()
    {
        string[] words = (Environment.GetEnvironmentVariable(Variable) ?? "").Split(',');
        return new BufferPoolOptions(
            !words.Contains("plain"), Default.Checked || words.Contains("checked"));
    }
}
