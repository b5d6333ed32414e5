using System.Globalization;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Linux.Bpf;

namespace Pangea.DataPlane.Xdp;

/// <summary>
/// The names that keep a filter and its attachments while no supervisor runs, below one directory
/// of a BPF file system: <c>links/IFINDEX</c>, and <c>filter-PROGRAMID/</c> with the programs and
/// every map. A new program is pinned beside the old one and the links moved to it; whoever comes
/// next takes the directory of the program that the links hold.
/// </summary>
public sealed class FilterPins
{
    public const string DefaultDirectory = "/sys/fs/bpf/pangea";

    private readonly string _directory;
    private readonly bool _isOwner;

    private FilterPins(string directory, bool isOwner)
    {
        _directory = directory;
        _isOwner = isOwner;
    }

    private string Links => Path.Combine(_directory, "links");

    /// <summary>Makes the directory, and mounts the BPF file system above it if needed.</summary>
    public static Result<FilterPins> Open(string directory = DefaultDirectory)
    {
        string parent = Path.GetDirectoryName(directory)!;
        Result mounted = BpfPins.Ensure(parent);
        if (!mounted.IsOk)
        {
            return mounted.Fault;
        }

        return In(directory, isOwner: true);
    }

    /// <summary>
    /// Uses a directory that somebody else made and will remove: whoever may write into it need
    /// have no way to it but a descriptor (<c>/proc/self/fd/N/.</c>).
    /// </summary>
    public static Result<FilterPins> Use(string directory) => In(directory, isOwner: false);

    /// <summary>Names the filter's programs and maps.</summary>
    public Result Pin(XdpFilter filter)
    {
        Result<uint> id = filter.Program.Id();
        if (!id.IsOk)
        {
            return id.Fault;
        }

        string folder = Folder(id.Value);
        Directory.CreateDirectory(folder);
        Result result = BpfPins.Pin(filter.Program.Fd, Path.Combine(folder, "firewall"));
        result = result.IsOk
            ? BpfPins.Pin(filter.Clock.Fd, Path.Combine(folder, "filter_clock"))
            : result;
        foreach (string name in FilterMaps.Names)
        {
            result = result.IsOk
                ? BpfPins.Pin(filter.Maps[name].Fd, Path.Combine(folder, Plain(name)))
                : result;
        }

        return result;
    }

    /// <summary>Names an attachment.</summary>
    public Result Pin(XdpLink link, int ifindex) => BpfPins.Pin(link.Fd, LinkPath(ifindex));

    /// <summary>
    /// The attachment that an earlier supervisor left on the interface, if it still hangs on it.
    /// </summary>
    public Result<XdpLink?> Link(int ifindex)
    {
        if (!File.Exists(LinkPath(ifindex)))
        {
            return Nothing();
        }

        Result<XdpLink> link = XdpLink.Open(LinkPath(ifindex));
        if (!link.IsOk)
        {
            return link.Fault;
        }

        // The interface was deleted, and the number may have been given to another one.
        Result<(uint ProgramId, int Ifindex)> info = link.Value.Info();
        if (info.IsOk && info.Value.Ifindex == ifindex)
        {
            return link.Value;
        }

        link.Value.Dispose();
        File.Delete(LinkPath(ifindex));
        return Nothing();
    }

    /// <summary>
    /// The filter of an earlier supervisor: the one that still runs, else the last one, whose
    /// counters and bans wait for an interface to come back. Null without one.
    /// </summary>
    public Result<XdpFilter?> Filter()
    {
        HashSet<uint> linked = LinkedPrograms();
        List<uint> all = [.. Folders().Select(IdOf).OrderDescending()];
        if (all.Count == 0)
        {
            return (Result<XdpFilter?>)(XdpFilter?)null;
        }

        Result<XdpFilter> filter = Open(all.Find(linked.Contains) is > 0 and uint id ? id : all[0]);
        return filter.IsOk ? filter.Value : filter.Fault;
    }

    /// <summary>Lets go of filters that no attachment uses, except this one.</summary>
    public void RemoveUnused(XdpFilter? kept)
    {
        uint keptId = kept?.Program.Id() is { IsOk: true } id ? id.Value : 0;
        HashSet<uint> linked = LinkedPrograms();
        foreach (string folder in Folders())
        {
            uint folderId = IdOf(folder);
            if (folderId != keptId && !linked.Contains(folderId))
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }

    /// <summary>Forgets the name of an attachment.</summary>
    public void RemoveLink(int ifindex)
    {
        if (File.Exists(LinkPath(ifindex)))
        {
            File.Delete(LinkPath(ifindex));
        }
    }

    /// <summary>Interfaces that have a named attachment.</summary>
    public IReadOnlyList<int> Interfaces() =>
    [
        // Somebody may have removed all names below our feet.
        .. (Directory.Exists(Links) ? Directory.GetFiles(Links) : [])
            .Select(path => NumberOf(Path.GetFileName(path)) is uint index ? (int)index : 0)
            .Where(index => index > 0)
            .Order(),
    ];

    /// <summary>Removes the directory once nothing is named in it, if it was made here.</summary>
    public void RemoveIfEmpty()
    {
        if (!Directory.Exists(Links) || Directory.EnumerateFileSystemEntries(Links).Any())
        {
            return;
        }

        Directory.Delete(Links);
        if (_isOwner && !Directory.EnumerateFileSystemEntries(_directory).Any())
        {
            Directory.Delete(_directory);
        }
    }

    private static Result<FilterPins> In(string directory, bool isOwner)
    {
        try
        {
            Directory.CreateDirectory(Path.Combine(directory, "links"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new Fault(FaultCode.Denied, $"cannot make {directory}: {e.Message}");
        }

        return new FilterPins(directory, isOwner);
    }

    private static Result<XdpLink?> Nothing() => (Result<XdpLink?>)(XdpLink?)null;

    // Dots have a meaning of their own in the names of a BPF file system.
    private static string Plain(string map) => map.Replace('.', '_').TrimStart('_');

    private static uint IdOf(string folder) =>
        NumberOf(Path.GetFileName(folder)["filter-".Length..])!.Value;

    /// <summary>Null where it is no name that was given here: such names are left alone.</summary>
    private static uint? NumberOf(string text) =>
        uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint number)
            ? number
            : null;

    private Result<XdpFilter> Open(uint id)
    {
        string folder = Folder(id);
        Result<OwnedFd> program = BpfPins.Open(Path.Combine(folder, "firewall"));
        Result<OwnedFd> clock = BpfPins.Open(Path.Combine(folder, "filter_clock"));
        Result<FilterMaps> maps = FilterMaps.Of(
            name => BpfMap.Open(Path.Combine(folder, Plain(name))));
        if ((program.Fault ?? clock.Fault ?? maps.Fault) is Fault fault)
        {
            _ = program.IsOk && Close(program.Value);
            _ = clock.IsOk && Close(clock.Value);
            _ = maps.IsOk && Close(maps.Value);
            return fault;
        }

        Result<FilterConfig> config = FilterMaps.ConfigOf(maps.Value);
        if (config.IsOk)
        {
            return XdpFilter.Of(
                new BpfProgram(program.Value),
                new BpfProgram(clock.Value),
                maps.Value,
                config.Value);
        }

        _ = Close(program.Value) && Close(clock.Value) && Close(maps.Value);
        return config.Fault;
    }

    private HashSet<uint> LinkedPrograms()
    {
        HashSet<uint> programs = [];
        foreach (int ifindex in Interfaces())
        {
            Result<XdpLink> link = XdpLink.Open(LinkPath(ifindex));
            if (link.IsOk)
            {
                using XdpLink opened = link.Value;
                Result<(uint ProgramId, int Ifindex)> info = opened.Info();
                if (info.IsOk)
                {
                    programs.Add(info.Value.ProgramId);
                }
            }
        }

        return programs;
    }

    private static bool Close(IDisposable what)
    {
        what.Dispose();
        return true;
    }

    private IEnumerable<string> Folders() =>
        (Directory.Exists(_directory) ? Directory.GetDirectories(_directory, "filter-*") : [])
        .Where(path => NumberOf(Path.GetFileName(path)["filter-".Length..]) is not null);

    private string Folder(uint id) =>
        Path.Combine(_directory, string.Create(CultureInfo.InvariantCulture, $"filter-{id}"));

    private string LinkPath(int ifindex) =>
        Path.Combine(Links, ifindex.ToString(CultureInfo.InvariantCulture));
}
