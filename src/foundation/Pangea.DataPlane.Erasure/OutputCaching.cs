namespace Pangea.DataPlane.Erasure;

/// <summary>Where the outputs of a coding call should end up.</summary>
public enum OutputCaching
{
    /// <summary>
    /// In the cache for small stripes, past it for stripes that would push everything else out
    /// (<see cref="ReedSolomon.StreamStripeBytesMin"/>).
    /// </summary>
    Auto,

    /// <summary>In the cache: the next step reads them at once.</summary>
    Keep,

    /// <summary>
    /// Past the cache: nobody on this core reads them soon, and the inputs come from memory.
    /// Outputs that are not aligned to the vector are written the normal way.
    /// </summary>
    Stream,
}
