using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Judging;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Linux.Bpf;
using Pangea.DataPlane.Packets;

namespace Pangea.DataPlane.Xdp.Tests;

/// <summary>What judges packets: the program in the kernel, or its twin.</summary>
internal abstract class Executor(CompiledPolicy policy) : IDisposable
{
    internal CompiledPolicy Policy { get; private protected set; } = policy;

    internal abstract string Name { get; }

    /// <summary>
    /// The program and the twin; the twin alone where no program can be loaded.
    /// </summary>
    internal static IReadOnlyList<Executor> All(CompiledPolicy policy) => Kernel.Refusal is null
        ? [new TwinExecutor(policy), new ProgramExecutor(policy)]
        : [new TwinExecutor(policy)];

    internal abstract PacketVerdict Judge(ReadOnlySpan<byte> frame, uint ifindex, ulong now);

    internal abstract void Ban(IpPrefix source, ulong expiryNs, ulong now);

    internal abstract PolicyCounter Count(int index);

    internal abstract void Swap(CompiledPolicy policy);

    public abstract void Dispose();
}

internal sealed class TwinExecutor(CompiledPolicy policy) : Executor(policy)
{
    private readonly UserspaceFilter _filter = new(policy);

    internal override string Name => "twin";

    internal override PacketVerdict Judge(ReadOnlySpan<byte> frame, uint ifindex, ulong now) =>
        _filter.Judge(frame, frame.Length, ifindex, now);

    internal override void Ban(IpPrefix source, ulong expiryNs, ulong now) =>
        Assert.True(_filter.Ban(source, expiryNs).IsOk);

    internal override PolicyCounter Count(int index) =>
        index < _filter.Counters.Length ? _filter.Counters[index] : default;

    internal override void Swap(CompiledPolicy policy)
    {
        _filter.Swap(policy);
        Policy = policy;
    }

    public override void Dispose()
    {
    }
}

internal sealed class ProgramExecutor : Executor
{
    private readonly XdpFilter _filter;

    internal ProgramExecutor(CompiledPolicy policy)
        : base(policy)
    {
        Result<XdpFilter> filter = XdpFilter.Load(new XdpFilterOptions { IsTest = true }, policy);
        Assert.True(filter.IsOk, filter.Fault?.ToString());
        _filter = filter.Value;
    }

    internal override string Name => "program";

    internal override PacketVerdict Judge(ReadOnlySpan<byte> frame, uint ifindex, ulong now) =>
        Judge(_filter, frame, ifindex, now);

    internal static PacketVerdict Judge(
        XdpFilter filter, ReadOnlySpan<byte> frame, uint ifindex, ulong now)
    {
        ref FilterState state = ref filter.State;
        state.TestNowNs = now;
        state.TestIfindex = ifindex;
        SysResult result = filter.Program.TestRun(frame, 1, out BpfRun run);
        Assert.True(result.IsOk, result.ToString());
        bool isMonitored = state.TraceDropped == 3;
        return new PacketVerdict(
            run.Verdict == 1,
            (PolicyReason)state.TraceReason,
            isMonitored,
            (MalformedKind)state.TraceMalformed,
            state.TraceSlot);
    }

    internal override void Ban(IpPrefix source, ulong expiryNs, ulong now)
    {
        Result banned = source.IsV6
            ? _filter.Bans6.Add(new Ban6(
                new BanKey6
                {
                    High = (ulong)(source.Top >> 64),
                    Low = source.Bits == 64 ? ulong.MaxValue : (ulong)source.Top,
                },
                expiryNs))
            : _filter.Bans4.Add(new Ban4((uint)(source.Top >> 96), expiryNs), now);
        Assert.True(banned.IsOk, banned.Fault?.ToString());
    }

    internal override PolicyCounter Count(int index) => _filter.Count(index);

    internal override void Swap(CompiledPolicy policy)
    {
        Result swapped = _filter.Swap(policy);
        Assert.True(swapped.IsOk, swapped.Fault?.ToString());
        Policy = policy;
    }

    public override void Dispose() => _filter.Dispose();
}
