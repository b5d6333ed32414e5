using System.Globalization;

namespace Pangea.DataPlane.Benchmarks.Storage;

/// <summary>
/// Our pool asks for huge pages and gets them by madvise(2); fio takes them from the reserved ones
/// only. Without them the disk splits its large transfers and fio reads at a third of the speed,
/// which would flatter us, so some are reserved for the time of the run where we may do that.
/// </summary>
internal sealed class HugePages : IDisposable
{
    private const string Setting = "/proc/sys/vm/nr_hugepages";
    private const int PagesNeeded = 24;

    private readonly int _before;
    private readonly bool _isChanged;

    internal HugePages()
    {
        try
        {
            _before = Read();
            if (_before < PagesNeeded)
            {
                File.WriteAllText(Setting, PagesNeeded.ToString(CultureInfo.InvariantCulture));
                _isChanged = true;
            }

            IsHere = Read() >= PagesNeeded;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            IsHere = false;
        }
    }

    internal bool IsHere { get; }

    /// <summary>fio's argument.</summary>
    internal string Argument => IsHere ? "--iomem=mmaphuge" : "--iomem=mmap";

    internal string Note =>
        IsHere ? "both on huge pages" : "fio without huge pages, none may be reserved";

    public void Dispose()
    {
        if (_isChanged)
        {
            File.WriteAllText(Setting, _before.ToString(CultureInfo.InvariantCulture));
        }
    }

    private static int Read() =>
        int.Parse(File.ReadAllText(Setting), CultureInfo.InvariantCulture);
}
