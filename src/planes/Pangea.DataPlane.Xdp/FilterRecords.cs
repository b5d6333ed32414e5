using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Pangea.DataPlane.Firewall.Image;

namespace Pangea.DataPlane.Xdp;

/// <summary>Words that are 0.</summary>
[InlineArray(3)]
internal struct FilterReserved3
{
    private ulong _first;
}

/// <inheritdoc cref="FilterReserved3"/>
[InlineArray(8)]
internal struct FilterReserved8
{
    private ulong _first;
}

/// <summary>struct filter_config of bpf/filter.h, where the fields are described.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FilterConfig
{
    public PolicyGeometry Geometry;
    public uint HalfBytes;
    public uint CounterStride;
    public uint CpuCount;
    public uint Ban4Mask;
    public uint Bloom4Mask;
    public uint Bloom6Mask;
    public uint RateMask;
    public uint IsTest;
    public uint FramesInParts;
    public uint Padding;
    public ulong TickNs;
    public ulong ClockOffsetNs;
    public ulong Seed;
    public FilterReserved3 Reserved;
}

/// <summary>struct filter_state of bpf/filter.h, where the fields are described.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FilterState
{
    public uint Active;
    public uint HasBans6;
    public ulong EventTick;
    public ulong ClockTicks;
    public ulong BansRefused;
    public ulong TestNowNs;
    public uint TestIfindex;
    public uint TraceSlot;
    public uint TraceReason;
    public uint TraceMalformed;
    public uint TraceDropped;
    public uint TestSourceMask;
    public FilterReserved8 Reserved;
}
