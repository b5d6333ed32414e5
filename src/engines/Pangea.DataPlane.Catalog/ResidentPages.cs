using System.Text;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;

namespace Pangea.DataPlane.Catalog;

/// <summary>
/// Keeps the map's share of the process small. Each read maps its page and up to fifteen cached
/// neighbours, and nothing ever unmaps them; so now and then the process's count of file pages is
/// compared with its lowest so far, and where it grew too much the map's pages are given back. They
/// stay in the page cache: the next read maps them again without a disk. One thread.
/// </summary>
internal sealed class ResidentPages(long bytesMax) : IDisposable
{
    // One look at /proc costs about 2 us; 64 lookups may map 8 MiB.
    private const int LookupsPerLook = 64;

    private readonly OwnedFd? _counts =
        Files.Open("/proc/self/statm", OpenFlags.Read) is { IsOk: true } opened
            ? opened.Value
            : null;
    private int _lookups;
    private long _lowestBytes = long.MaxValue;

    /// <summary>Times that pages were given back.</summary>
    public long GivenBack { get; private set; }

    /// <param name="environment">Whose map it is.</param>
    /// <param name="lookups">Searches since the last call; 64 entries of a listing count as
    /// one.</param>
    public void Note(LmdbEnvironment environment, int lookups)
    {
        _lookups += lookups;
        if (_lookups < LookupsPerLook)
        {
            return;
        }

        _lookups = 0;
        long bytes = FileBytes();
        _lowestBytes = Math.Min(_lowestBytes, bytes);
        if (bytes - _lowestBytes > bytesMax && environment.MapAddress != 0)
        {
            SysResult advised = MappedPages.GiveBack(
                environment.MapAddress, Math.Min(environment.UsedBytes, environment.MapBytes));
            Invariant.Check(advised.IsOk);
            GivenBack++;

            // What the rest of the process mapped meanwhile counts as its own from now on.
            _lowestBytes = FileBytes();
        }
    }

    public void Dispose() => _counts?.Dispose();

    /// <summary>Resident pages of files, in bytes (third number of statm, proc(5)).</summary>
    private long FileBytes()
    {
        Span<byte> text = stackalloc byte[128];
        if (_counts is null || Files.ReadAt(_counts, text, 0) is not { IsOk: true } read)
        {
            return 0;
        }

        ReadOnlySpan<byte> rest = text[..(int)read.Value];
        for (int field = 0; field < 2; field++)
        {
            rest = rest[(rest.IndexOf((byte)' ') + 1)..];
        }

        ReadOnlySpan<byte> number = rest[..Math.Max(0, rest.IndexOf((byte)' '))];
        return long.TryParse(Encoding.ASCII.GetString(number), out long pages)
            ? pages * Environment.SystemPageSize
            : 0;
    }
}
