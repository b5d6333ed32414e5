namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>The next place in a file that is walked round and round.</summary>
internal sealed class Cursor(long fileBytes)
{
    private long _next;

    internal long Take(int bytes)
    {
        long offset = _next;
        _next = offset + (2L * bytes) <= fileBytes ? offset + bytes : 0;
        return offset;
    }
}
