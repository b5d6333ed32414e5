using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Linux.Bpf;

namespace Pangea.DataPlane.Xdp;

/// <summary>
/// The firewall's program in the kernel with its maps: one image of a rule set counts, another is
/// built beside it and swapped in. Counters, bans and rates outlive both the swap and, by handing
/// them to the next one, the program itself. One thread at a time.
/// </summary>
public sealed class XdpFilter : IDisposable
{
    /// <summary>"off" leaves the judging to the userspace filter.</summary>
    public const string SwitchVariable = "PANGEA_XDP";

    internal const string ConfigSection = ".rodata.config";
    internal const string StateSection = ".data.state";
    private const int BucketEntries = 8;
    internal const int RateWays = 4;
    private const uint HalfBytesMin = 1 << 16;
    private const uint HalfBytesMax = 1 << 27;

    private readonly FilterMaps _maps;
    private bool _oldHalfIsInUse;

    /// <summary>Of <see cref="FilterState.BansRefused"/>, what came from the one before.</summary>
    private ulong _refusedBefore;

    private XdpFilter(BpfProgram program, BpfProgram clock, FilterMaps maps, FilterConfig config)
    {
        Program = program;
        Clock = clock;
        _maps = maps;
        Config = config;
        Bans4 = new Bans4(this);
        Bans6 = new Bans6(this);
    }

    public Bans4 Bans4 { get; }

    public Bans6 Bans6 { get; }

    public BpfProgram Program { get; }

    internal BpfProgram Clock { get; }

    internal FilterConfig Config { get; }

    internal FilterMaps Maps => _maps;

    internal ref FilterState State => ref _maps.State;

    /// <summary>One for each CPU, and one for what an earlier program counted.</summary>
    internal int CounterRows => (int)Config.CpuCount + 1;

    /// <summary>Where the sections of the images stand that this program can take.</summary>
    public PolicyGeometry Geometry => Config.Geometry;

    /// <summary>Indexes that <see cref="Count"/> and <see cref="ClearCount"/> take.</summary>
    public int CounterCount => (int)Config.CounterStride;

    /// <summary>Bytes of all maps, as their sizes say; the kernel adds what it needs.</summary>
    public long MapBytes => FilterMaps.Names.Sum(name => _maps[name].Bytes);

    /// <summary>Bans that limits asked for and that found the table full.</summary>
    public ulong BansRefused => State.BansRefused;

    /// <summary>
    /// Loads the program for a rule set. With a predecessor its counters, bans and rates go on;
    /// nothing is attached by this.
    /// </summary>
    /// <param name="options">Sizes; those of maps that are taken over stay as they are.</param>
    /// <param name="geometry">Of the image.</param>
    /// <param name="image">The compiled rule set.</param>
    /// <param name="previous">The filter whose state is taken over; stays usable.</param>
    public static Result<XdpFilter> Load(
        XdpFilterOptions options,
        in PolicyGeometry geometry,
        ReadOnlySpan<byte> image,
        XdpFilter? previous = null)
    {
        if (Environment.GetEnvironmentVariable(SwitchVariable) == "off")
        {
            return new Fault(
                FaultCode.Unsupported, $"XDP is switched off by {SwitchVariable}=off");
        }

        if (image.Length > HalfBytesMax)
        {
            return new Fault(
                FaultCode.TooLarge,
                $"the compiled rules have {image.Length} bytes, more than {HalfBytesMax}",
                "use fewer prefixes");
        }

        Result<BpfObject> opened = BpfObject.Open(options.ObjectPath);
        if (!opened.IsOk)
        {
            return opened.Fault;
        }

        using BpfObject file = opened.Value;
        FilterConfig config = Plan(options, geometry, image.Length, previous);
        if ((FilterMaps.Prepare(file, options, config, previous?._maps) ?? Finish(file, config))
            is Fault fault)
        {
            return fault.Code == FaultCode.TooLarge ? FilterMaps.Explain(fault, options) : fault;
        }

        return Take(file, config, image, previous);
    }

    /// <summary>
    /// Loads the program for a policy; slots that it gives to new rules begin at zero.
    /// </summary>
    public static Result<XdpFilter> Load(
        XdpFilterOptions options, CompiledPolicy policy, XdpFilter? previous = null)
    {
        Result<XdpFilter> filter =
            Load(options, policy.Geometry, policy.ImageBytes.Span, previous);
        if (filter.IsOk)
        {
            if (previous is not null)
            {
                // Should the wait fail: packets of the set before the last swap ended long ago.
                _ = previous._oldHalfIsInUse && Rcu.TryWait(out _);
                SlotStates.Clear(previous, policy);
            }

            SlotStates.Clear(filter.Value, policy);
        }

        return filter;
    }

    /// <summary>
    /// Makes another policy count; slots that it gives to new rules begin at zero. No packet counts
    /// to these slots any more, because the policy before did not have them either.
    /// </summary>
    public Result Swap(CompiledPolicy policy)
    {
        // The other half may still be read by packets that began before the last swap, and they
        // count to slots that this policy may give away.
        if (_oldHalfIsInUse && !Rcu.TryWait(out Fault? fault))
        {
            return fault;
        }

        _oldHalfIsInUse = false;
        if (CanTake(policy.Geometry, policy.ImageBytes.Length))
        {
            SlotStates.Clear(this, policy);
        }

        return Swap(policy.Geometry, policy.ImageBytes.Span);
    }

    /// <summary>
    /// Makes another rule set count, from one packet to the next. The geometry must be this
    /// program's; otherwise a program for it has to be loaded.
    /// </summary>
    public Result Swap(in PolicyGeometry geometry, ReadOnlySpan<byte> image)
    {
        if (!CanTake(geometry, image.Length))
        {
            return new Fault(
                FaultCode.BadState, "the rule set needs another program than the loaded one");
        }

        // The other half may still be read by packets that began before the last swap.
        if (_oldHalfIsInUse && !Rcu.TryWait(out Fault? fault))
        {
            return fault;
        }

        uint next = State.Active == 0 ? Config.HalfBytes : 0;
        image.CopyTo(_maps.Images.Span((int)next, (int)Config.HalfBytes));
        Volatile.Write(ref State.Active, next);
        _oldHalfIsInUse = true;
        return Result.Ok;
    }

    /// <summary>Whether <see cref="Swap"/> would take this image.</summary>
    public bool CanTake(in PolicyGeometry geometry, int imageBytes)
    {
        // Events are the loader's choice, not the rule set's.
        PolicyGeometry own = Config.Geometry;
        own.Features &= ~PolicyFeature.Events;
        PolicyGeometry other = geometry;
        other.Features &= ~PolicyFeature.Events;
        return own == other && (uint)imageBytes <= Config.HalfBytes;
    }

    /// <summary>The sum over all CPUs; the index is that of policy.h.</summary>
    public PolicyCounter Count(int index)
    {
        PolicyCounter sum = default;
        for (int row = 0; row < CounterRows; row++)
        {
            ref PolicyCounter one = ref CounterAt(row, index);
            sum.PassedPackets += one.PassedPackets;
            sum.PassedBytes += one.PassedBytes;
            sum.DroppedPackets += one.DroppedPackets;
            sum.DroppedBytes += one.DroppedBytes;
        }

        return sum;
    }

    /// <summary>
    /// Forgets what was counted for one index. Exact only while no packet counts to it: the program
    /// may else write back what it read before.
    /// </summary>
    public void ClearCount(int index)
    {
        for (int row = 0; row < CounterRows; row++)
        {
            CounterAt(row, index) = default;
        }
    }

    /// <summary>
    /// Takes over what the filter before counted and banned since this one was loaded. To be called
    /// once all attachments have moved from it; waits for the packets that are still under way
    /// there.
    /// </summary>
    public Result TakeOver(XdpFilter previous)
    {
        if (!Rcu.TryWait(out Fault? fault))
        {
            return fault;
        }

        CarryCounters(previous);
        if (previous.State.HasBans6 != 0)
        {
            Volatile.Write(ref State.HasBans6, 1);
        }

        ulong refused = previous.State.BansRefused;
        Interlocked.Add(ref State.BansRefused, refused - _refusedBefore);
        _refusedBefore = refused;
        return Result.Ok;
    }

    /// <summary>
    /// The data path's clock, which counts jiffies: it never jumps, and stands still while the
    /// machine is suspended.
    /// </summary>
    public Result<ulong> NowNs()
    {
        if (Config.IsTest != 0)
        {
            return State.TestNowNs;
        }

        SysResult result = Clock.TestRun(new byte[BpfProgram.TestFrameBytesMin], 1, out _);
        return result.IsOk
            ? (State.ClockTicks * Config.TickNs) + Config.ClockOffsetNs
            : result.Errno.ToFault("read the data path's clock");
    }

    public void Dispose()
    {
        Program.Dispose();
        Clock.Dispose();
        _maps.Dispose();
    }

    internal static XdpFilter Of(
        BpfProgram program, BpfProgram clock, FilterMaps maps, FilterConfig config) =>
        new(program, clock, maps, config);

    private static FilterConfig Plan(
        XdpFilterOptions options, in PolicyGeometry geometry, int bytes, XdpFilter? previous)
    {
        FilterConfig config = default;
        config.Geometry = geometry;
        if (options.HasEvents)
        {
            config.Geometry.Features |= PolicyFeature.Events;
        }

        config.HalfBytes = Math.Max(HalfBytesMin, BitOperations.RoundUpToPowerOf2((uint)bytes));
        uint slots = Math.Max((uint)options.SlotsMin, geometry.SlotMask + 1);
        bool keeps = previous is not null
            && previous.Config.CounterStride >= PolicyConstants.CounterSlots + slots;
        config.CounterStride = keeps
            ? previous!.Config.CounterStride
            : PolicyConstants.CounterSlots + BitOperations.RoundUpToPowerOf2(slots);
        config.CpuCount = (uint)PossibleCpus.Count;
        config.Ban4Mask = previous?.Config.Ban4Mask ?? Groups(options.Bans4Max, BucketEntries);
        config.Bloom4Mask = previous?.Config.Bloom4Mask ?? Words(options.Bans4Max);
        config.Bloom6Mask = previous?.Config.Bloom6Mask ?? Words(options.Bans6Max);
        config.RateMask =
            previous?.Config.RateMask ?? Groups(options.RateSourcesMax, RateWays);
        config.Seed = previous?.Config.Seed
            ?? RandomSeed();
        config.IsTest = options.IsTest ? 1u : 0;
        config.FramesInParts = 1;
        config.TickNs = KernelClock.TickNs;
        config.ClockOffsetNs = previous?.Config.ClockOffsetNs ?? 0;
        return config;
    }

    /// <summary>
    /// From the kernel's generator, as a cryptographic library would give it, without the library.
    /// </summary>
    private static ulong RandomSeed()
    {
        Guid random = Guid.NewGuid();
        ReadOnlySpan<ulong> words =
            MemoryMarshal.Cast<Guid, ulong>(new ReadOnlySpan<Guid>(in random));
        return words[0] ^ BitOperations.RotateLeft(words[1], 32);
    }

    /// <summary>Groups of so many for entries that fill half of them, minus 1.</summary>
    private static uint Groups(int entries, int each) =>
        BitOperations.RoundUpToPowerOf2((uint)Math.Max(2, (entries * 2L) / each)) - 1;

    /// <summary>Words of 64 bits for so many entries of 8 bits, minus 1.</summary>
    private static uint Words(int entries) =>
        BitOperations.RoundUpToPowerOf2((uint)Math.Max(2, entries / 8)) - 1;

    private static Fault? Finish(BpfObject file, in FilterConfig config)
    {
        Result set = file.SetData(ConfigSection, config);
        return set.IsOk ? file.Load().Fault : set.Fault;
    }

    private static Result<XdpFilter> Take(
        BpfObject file, FilterConfig config, ReadOnlySpan<byte> image, XdpFilter? previous)
    {
        Result<BpfProgram> program = file.Program("firewall");
        Result<BpfProgram> clock = file.Program("filter_clock");
        Result<FilterMaps> maps = FilterMaps.Of(file);
        if (program.Fault is null && clock.Fault is null && maps.Fault is null)
        {
            var filter = new XdpFilter(program.Value, clock.Value, maps.Value, config);
            image.CopyTo(filter._maps.Images.Span(0, (int)config.HalfBytes));
            if (previous is not null)
            {
                filter.State.HasBans6 = previous.State.HasBans6;
                filter._refusedBefore = previous.State.BansRefused;
                filter.State.BansRefused = filter._refusedBefore;
                filter.CarryCounters(previous);
                SlotStates.CopyRates(previous, filter);
            }

            return filter;
        }

        Fault? fault = program.Fault ?? clock.Fault ?? maps.Fault;
        _ = program.IsOk && Close(program.Value);
        _ = clock.IsOk && Close(clock.Value);
        _ = maps.IsOk && Close(maps.Value);
        return fault!;
    }

    internal ref PolicyCounter CounterAt(int row, int index) =>
        ref _maps.Counters.At<PolicyCounter>((row * (int)Config.CounterStride) + index);

    /// <summary>
    /// What a program with fewer counters has counted so far goes into the row that no CPU counts
    /// in. Done at the load, so that a supervisor that dies before <see cref="TakeOver"/> loses
    /// little, and again there, when the old program counts no more.
    /// </summary>
    private void CarryCounters(XdpFilter previous)
    {
        if (previous.Config.CounterStride == Config.CounterStride)
        {
            return; // It is the same map.
        }

        for (int i = 0; i < previous.Config.CounterStride; i++)
        {
            CounterAt(CounterRows - 1, i) = previous.Count(i);
        }
    }

    private static bool Close(IDisposable what)
    {
        what.Dispose();
        return true;
    }
}
