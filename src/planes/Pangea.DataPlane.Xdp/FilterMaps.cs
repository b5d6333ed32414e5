using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Linux.Bpf;

namespace Pangea.DataPlane.Xdp;

/// <summary>The maps of a loaded program, by their names in bpf/.</summary>
internal sealed class FilterMaps : IDisposable
{
    /// <summary>Those that a new program takes over from the one before.</summary>
    internal static readonly string[] Lasting =
        ["bans4", "bloom4", "bans6", "bloom6", "source_rates", "violations", "events"];

    /// <summary>Taken over where they are large enough for the new rule set.</summary>
    internal static readonly string[] Sized = ["counters", "rule_rates"];

    /// <summary>Of one program alone.</summary>
    internal static readonly string[] Own =
        ["images", XdpFilter.StateSection, XdpFilter.ConfigSection];

    private static readonly string[] s_shared =
    [
        "images", XdpFilter.StateSection, "counters", "bans4", "bloom4", "bloom6", "rule_rates",
    ];

    private readonly Dictionary<string, BpfMap> _maps;
    private readonly SharedValues _state;

    private FilterMaps(Dictionary<string, BpfMap> maps, IReadOnlyList<SharedValues> shared)
    {
        _maps = maps;
        Images = shared[0];
        _state = shared[1];
        Counters = shared[2];
        Bans4 = shared[3];
        Bloom4 = shared[4];
        Bloom6 = shared[5];
        RuleRates = shared[6];
    }

    internal SharedValues Images { get; }

    internal SharedValues Counters { get; }

    internal SharedValues Bans4 { get; }

    internal SharedValues Bloom4 { get; }

    internal SharedValues Bloom6 { get; }

    internal SharedValues RuleRates { get; }

    /// <summary>
    /// Mapped for whoever looks, who lets go of it: pages of it would be resident else for what is
    /// hardly ever done.
    /// </summary>
    internal Result<SharedValues> SourceRates() => SharedValues.Of(_maps["source_rates"]);

    internal ref FilterState State => ref _state.At<FilterState>(0);

    internal BpfMap this[string name] => _maps[name];

    internal static IEnumerable<string> Names => Lasting.Concat(Sized).Concat(Own);

    /// <summary>Sizes the maps of an object that is not loaded yet.</summary>
    internal static Fault? Prepare(
        BpfObject file, XdpFilterOptions options, in FilterConfig config, FilterMaps? previous)
    {
        uint slots = config.CounterStride - PolicyConstants.CounterSlots;
        (string Name, uint? Value, uint? Entries)[] sizes =
        [
            ("images", 2 * config.HalfBytes, null),
            ("counters", null, config.CounterStride * (config.CpuCount + 1)),
            ("rule_rates", null, slots),
            ("bans4", null, config.Ban4Mask + 1),
            ("bans6", null, (uint)Math.Max(1, options.Bans6Max)),
            ("bloom4", null, config.Bloom4Mask + 1),
            ("bloom6", null, config.Bloom6Mask + 1),
            ("source_rates", null, config.RateMask + 1),
            ("violations", null, (uint)Math.Max(1, options.ViolationSourcesMax)),
        ];
        foreach ((string name, uint? value, uint? entries) in sizes)
        {
            bool lasts = Lasting.Contains(name);
            bool fits = Sized.Contains(name) && previous?[name].Entries == entries;
            Result result = previous is not null && (lasts || fits)
                ? file.Reuse(name, previous[name])
                : file.SetSize(name, value, entries);
            if (!result.IsOk)
            {
                return result.Fault;
            }
        }

        return previous is null ? null : file.Reuse("events", previous["events"]).Fault;
    }

    /// <summary>Which size was too much for the kernel; libbpf names the map.</summary>
    internal static Fault Explain(Fault fault, XdpFilterOptions options)
    {
        (string Map, string Hint)[] causes =
        [
            ("bans4", $"lower bans-max ({options.Bans4Max} IPv4 sources, 16 bytes each)"),
            ("bloom4", $"lower bans-max ({options.Bans4Max} IPv4 sources)"),
            ("bans6", $"lower bans-max ({options.Bans6Max} IPv6 sources, 90 bytes each)"),
            ("bloom6", $"lower bans-max ({options.Bans6Max} IPv6 sources)"),
            ("source_rates",
                $"lower rate-sources-max ({options.RateSourcesMax} sources, 32 bytes each)"),
            ("violations",
                "lower the sources whose violations are kept "
                + $"({options.ViolationSourcesMax}, 100 bytes each)"),
            ("images", "use fewer prefixes or rules"),
            ("counters", "use fewer rules"),
            ("rule_rates", "use fewer rules"),
        ];
        foreach ((string map, string hint) in causes)
        {
            if (fault.Message.Contains($"'{map}'", StringComparison.Ordinal))
            {
                return fault with { Hint = $"{fault.Hint}: {hint}" };
            }
        }

        return fault;
    }

    /// <summary>
    /// The constants of a program that an earlier supervisor loaded, if it is one of this version:
    /// its maps then have the sizes that follow from them.
    /// </summary>
    internal static Result<FilterConfig> ConfigOf(FilterMaps maps)
    {
        Fault other = new(
            FaultCode.Unsupported,
            "the running filter is of another version: its counters and bans cannot be taken over");
        byte[] bytes = new byte[maps[XdpFilter.ConfigSection].ValueBytes];
        SysResult read = maps[XdpFilter.ConfigSection].Lookup(new byte[sizeof(uint)], bytes);
        if (!read.IsOk)
        {
            return read.Errno.ToFault("read the constants of the running filter");
        }

        if (bytes.Length != Unsafe.SizeOf<FilterConfig>()
            || maps[XdpFilter.StateSection].ValueBytes != Unsafe.SizeOf<FilterState>())
        {
            return other;
        }

        FilterConfig config = MemoryMarshal.Read<FilterConfig>(bytes);
        uint slots = config.CounterStride - PolicyConstants.CounterSlots;
        bool fits = config.Geometry.Version == PolicyConstants.ImageVersion
            && maps["images"].ValueBytes == 2 * config.HalfBytes
            && maps["counters"].Entries == config.CounterStride * (config.CpuCount + 1)
            && maps["rule_rates"].Entries == slots
            && maps["bans4"].Entries == config.Ban4Mask + 1
            && maps["bloom4"].Entries == config.Bloom4Mask + 1
            && maps["bloom6"].Entries == config.Bloom6Mask + 1
            && maps["source_rates"].Entries == config.RateMask + 1;
        return fits ? config : other;
    }

    internal static Result<FilterMaps> Of(BpfObject file) => Of(file.Map);

    internal static Result<FilterMaps> Of(Func<string, Result<BpfMap>> open)
    {
        Dictionary<string, BpfMap> maps = [];
        List<SharedValues> shared = [];
        Fault? fault = null;
        foreach (string name in Names)
        {
            Result<BpfMap> map = open(name);
            fault = map.Fault;
            if (!map.IsOk)
            {
                break;
            }

            maps.Add(name, map.Value);
        }

        foreach (string name in s_shared)
        {
            if (fault is not null)
            {
                break;
            }

            Result<SharedValues> values = SharedValues.Of(maps[name]);
            fault = values.Fault;
            if (values.IsOk)
            {
                shared.Add(values.Value);
            }
        }

        if (fault is null)
        {
            return new FilterMaps(maps, shared);
        }

        shared.ForEach(values => values.Dispose());
        maps.Values.ToList().ForEach(map => map.Dispose());
        return fault;
    }

    public void Dispose()
    {
        Images.Dispose();
        _state.Dispose();
        Counters.Dispose();
        Bans4.Dispose();
        Bloom4.Dispose();
        Bloom6.Dispose();
        RuleRates.Dispose();
        foreach (BpfMap map in _maps.Values)
        {
            map.Dispose();
        }
    }
}
