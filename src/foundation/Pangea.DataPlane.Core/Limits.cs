namespace Pangea.DataPlane.Core;

/// <summary>
/// Every bound of the appliance that is not configuration, in one place. Whoever meets a bound
/// reports <see cref="FaultCode.TooLarge"/> or <see cref="FaultCode.Busy"/> with the value from
/// here.
/// </summary>
public static class Limits
{
    /// <summary>One JSON-RPC line, newline included. A put request is about 300 bytes.</summary>
    public const int RpcLineBytesMax = 1024 * 1024;

    /// <summary>
    /// Descriptors that may arrive with one line: every device of a worker, its keys and its
    /// statistics page (the kernel's own bound is 253).
    /// </summary>
    public const int RpcDescriptorsMax = DevicesMax + 16;

    /// <summary>Client connections on the public socket.</summary>
    public const int ConnectionsMax = 512;

    /// <summary>Calls of one connection that are under way at once.</summary>
    public const int CallsPerConnectionMax = 64;

    /// <summary>Worker processes of one appliance, of all roles.</summary>
    public const int WorkersMax = 64;

    /// <summary>Calls that one worker may have under way or queued.</summary>
    public const int CallsPerWorkerMax = 1024;

    /// <summary>Object names, in UTF-8 bytes.</summary>
    public const int ObjectNameBytesMax = 1024;

    /// <summary>Entries of one page of <c>object.list</c>.</summary>
    public const int ListPageMax = 1000;

    /// <summary>k + m: one byte indexes a shard, and GF(2^8) has 255 non-zero points.</summary>
    public const int ShardsMax = 255;

    /// <summary>Stripe size in bytes; the default is 1 MiB.</summary>
    public const int StripeBytesMin = 4 * 1024;

    /// <inheritdoc cref="StripeBytesMin"/>
    public const int StripeBytesMax = 16 * 1024 * 1024;

    /// <inheritdoc cref="StripeBytesMin"/>
    public const int StripeBytesDefault = 1024 * 1024;

    /// <summary>
    /// Stripes of one object: 4 TiB at the default stripe size, a 16 MiB stripe table.
    /// </summary>
    public const int StripesPerObjectMax = 4 * 1024 * 1024;

    /// <summary>Devices of one storage worker.</summary>
    public const int DevicesMax = 64;

    /// <summary>Time to live of an object: a hundred years.</summary>
    public const long TtlSecondsMax = 100L * 366 * 24 * 3600;

    /// <summary>Pauses and intervals of background work: a year.</summary>
    public const int IntervalSecondsMax = 366 * 24 * 3600;

    /// <summary>Length of a segment of a device's log; the offsets in it are 32-bit.</summary>
    public const long SegmentBytesMin = 1024 * 1024;

    /// <inheritdoc cref="SegmentBytesMin"/>
    public const long SegmentBytesMax = 1024 * 1024 * 1024;

    /// <summary>Objects that one report names as not healable; the count is of all.</summary>
    public const int HealSkippedListMax = 100;

    /// <summary>Threads of one worker that compute stripes beside its loop.</summary>
    public const int ComputeThreadsMax = 16;

    /// <summary>
    /// Transfers (put or get) that hold stripe buffers at once; further calls wait their turn. They
    /// share 52 MiB at the default geometry, and a worker is to stay below 150 MiB in all.
    /// </summary>
    public const int TransfersMax = 4;

    /// <summary>
    /// Puts and gets of small objects under way at once: so many share a flush.
    /// </summary>
    public const int SmallTransfersMax = 64;

    /// <summary>
    /// Buffers that one worker registers with its ring at most: locked memory, resident from the
    /// start.
    /// </summary>
    public const long RegisteredBytesMax = 8L * 1024 * 1024;

    /// <summary>A transfer whose other end moves no byte for this long is ended.</summary>
    public const int TransferIdleSecondsMax = 300;

    /// <summary>Rules of a firewall; each has counters of 32 bytes for every CPU.</summary>
    public const int FirewallRulesMax = 1024 * 1024;

    /// <summary>Rules with more than the addresses of one direction: bits of a vector.</summary>
    public const int FirewallComplexRulesMax = 1024;

    /// <summary>Rules that only limit: bits of one word.</summary>
    public const int FirewallLimitRulesMax = 64;

    /// <summary>Prefixes of a firewall, in all rules and sets together.</summary>
    public const int FirewallPrefixesMax = 4 * 1024 * 1024;

    /// <summary>Interfaces that a firewall's rules name.</summary>
    public const int FirewallInterfacesMax = 64;

    /// <summary>Banned sources; 1 M of them were asked for.</summary>
    public const int FirewallBansMax = 1024 * 1024;

    /// <summary>The least burst of a byte rate: one frame of the largest kind.</summary>
    public const ulong FrameBurstBytesMin = 65536;
}
