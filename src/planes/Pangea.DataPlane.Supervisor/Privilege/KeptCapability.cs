using Pangea.DataPlane.Supervisor.Configuration;

namespace Pangea.DataPlane.Supervisor.Privilege;

/// <summary>One capability that a process of ours keeps (capabilities(7)).</summary>
/// <param name="Number">As the kernel counts them.</param>
/// <param name="Name">As the kernel names it.</param>
/// <param name="Reason">What fails without it.</param>
internal sealed record KeptCapability(int Number, string Name, string Reason);

/// <summary>
/// The one table of what supervisor and warden keep, and why. CAP_KILL is in none: processes of one
/// user may signal each other, and nobody else is to be signalled.
/// </summary>
internal static class CapabilityTable
{
    private const int Chown = 0;
    private const int DacOverride = 1;
    private const int SetGid = 6;
    private const int SetUid = 7;
    private const int SetPCap = 8;
    private const int NetAdmin = 12;
    private const int SysAdmin = 21;
    private const int SysResource = 24;
    private const int PerfMon = 38;
    private const int Bpf = 39;

    /// <summary>
    /// What the supervisor itself needs after the start: nothing for storage. A section of the
    /// configuration that changes the network while the appliance runs adds its own here.
    /// </summary>
    public static IReadOnlyList<KeptCapability> SupervisorOf(ApplianceConfiguration configuration)
        => configuration.Firewall is null ? [] : Firewall;

    /// <summary>With a section <c>firewall</c>.</summary>
    private static IReadOnlyList<KeptCapability> Firewall { get; } =
    [
        new(NetAdmin, "CAP_NET_ADMIN", "puts the firewall's program on interfaces"),
        new(PerfMon, "CAP_PERFMON",
            "the verifier takes the firewall's program, which subtracts pointers, from no other"),
        new(Bpf, "CAP_BPF", "loads the firewall's program and its maps"),
    ];

    /// <summary>What the warden needs to start workers and to open devices.</summary>
    public static IReadOnlyList<KeptCapability> Warden { get; } =
    [
        new(Chown, "CAP_CHOWN", "gives device directories to the workers' user"),
        new(DacOverride, "CAP_DAC_OVERRIDE",
            "opens devices and the configuration where only root may"),
        new(SetGid, "CAP_SETGID", "a worker's jail becomes the workers' group"),
        new(SetUid, "CAP_SETUID", "a worker's jail becomes the workers' user"),
        new(SetPCap, "CAP_SETPCAP", "a worker's jail empties its bounding set"),
        new(SysAdmin, "CAP_SYS_ADMIN", "a worker's jail makes its own mounts"),
        new(SysResource, "CAP_SYS_RESOURCE", "a worker's jail raises its limits"),
    ];

    /// <summary>Without these there is no other user to become.</summary>
    public static ulong NeededToDrop => (1UL << SetGid) | (1UL << SetUid);

    /// <summary>Bit n for number n.</summary>
    public static ulong SetOf(IEnumerable<KeptCapability> capabilities) =>
        capabilities.Aggregate(0UL, (set, each) => set | (1UL << each.Number));

    /// <summary>For people: "CAP_CHOWN (gives ...), ...", or "none".</summary>
    public static string Describe(IReadOnlyList<KeptCapability> capabilities) =>
        capabilities.Count == 0
            ? "none"
            : string.Join(", ", capabilities.Select(each => $"{each.Name} ({each.Reason})"));
}
