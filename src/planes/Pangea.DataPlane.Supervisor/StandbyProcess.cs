using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Supervisor.Devices;

namespace Pangea.DataPlane.Supervisor;

/// <summary>One process that waits in its jail, with no descriptor but its channel.</summary>
/// <param name="child">Reaped by whoever has it when it ends.</param>
/// <param name="channel">Its peer is the worker whose place it may take.</param>
/// <param name="arguments">What its jail was made from.</param>
/// <param name="places">Where its jail lets it open files.</param>
internal sealed class StandbyProcess(
    ChildProcess child,
    RpcConnection channel,
    IReadOnlyList<string> arguments,
    IReadOnlySet<DeviceIdentity> places)
{
    public ChildProcess Child { get; } = child;

    public RpcConnection Channel { get; } = channel;

    public IReadOnlySet<DeviceIdentity> Places { get; } = places;

    public long StartedMs { get; } = Environment.TickCount64;

    /// <summary>What it said when it began to wait; null before.</summary>
    public WorkerPrepareResult? Prepared { get; set; }

    /// <summary>
    /// Whether a worker with these arguments and places would be in the same jail. One device more
    /// than it knows, and it cannot use that.
    /// </summary>
    public bool Fits(IReadOnlyList<string> wanted, IReadOnlySet<DeviceIdentity> needed) =>
        arguments.SequenceEqual(wanted) && needed.IsSubsetOf(Places);
}
