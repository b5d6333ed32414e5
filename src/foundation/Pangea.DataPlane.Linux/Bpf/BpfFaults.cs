using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Linux.Bpf;

/// <summary>Reasons in words for what the kernel answers to BPF calls with a number.</summary>
public static class BpfFaults
{
    private const int CAP_PERFMON = 38;
    private const int TailLines = 6;
    private const int TailCharactersMax = 700;

    internal static Fault OfOpen(string path, Errno errno, IReadOnlyList<string> heard)
    {
        string tail = Tail(heard);
        string what = $"{path} is no BPF object that can be used: {errno.Text}";
        return new Fault(
            FaultCode.Unsupported,
            tail.Length == 0 ? what : $"{what}: {tail}",
            tail.Contains("BTF", StringComparison.Ordinal)
                ? "the file was stripped of its BTF; build or install it anew"
                : "the file is damaged; build or install it anew",
            Errno: errno.Value);
    }

    internal static Fault OfLoad(string path, Errno errno, IReadOnlyList<string> heard)
    {
        string tail = Tail(heard);
        string hint = errno.Value switch
        {
            1 => "loading needs CAP_BPF and CAP_NET_ADMIN (or root; without them the setting "
                + "kernel.unprivileged_bpf_disabled refuses too), and locked memory before "
                + $"Linux 5.11 (limit now {MemoryLock.Describe()})",
            2 or 3 when !File.Exists("/sys/kernel/btf/vmlinux") => "the kernel has no BTF",
            7 => "a map is larger than the kernel allows: configure less room",
            12 => "the kernel, or the control group, has no memory for a map of this size: "
                + "configure less room",
            13 when (Privileges.Effective & (1UL << CAP_PERFMON)) == 0 =>
                "loading needs CAP_PERFMON too: without it the verifier refuses the difference of "
                + "two pointers",
            13 => "the verifier refuses the program on this kernel",
            22 when !File.Exists("/sys/kernel/btf/vmlinux") => "the kernel has no BTF",
            _ => "the text above is the kernel's",
        };
        FaultCode code = errno.Value switch
        {
            1 => FaultCode.Denied,
            13 when (Privileges.Effective & (1UL << CAP_PERFMON)) == 0 => FaultCode.Denied,
            7 or 12 => FaultCode.TooLarge,
            _ => FaultCode.Unsupported,
        };
        string what = $"cannot load {Path.GetFileName(path)}: {errno.Text}";
        return new Fault(
            code, tail.Length == 0 ? what : $"{what}: {tail}", hint, Errno: errno.Value);
    }

    /// <summary>Why a program could not be attached to an interface.</summary>
    internal static Fault OfAttach(int ifindex, XdpMode mode, Errno errno, uint thereId)
    {
        string what = $"attach to interface {ifindex} in {XdpModes.Name(mode)} mode";
        return errno.Value switch
        {
            1 => errno.ToFault(what, "attaching needs CAP_BPF and CAP_NET_ADMIN (or root)"),
            16 or 17 => new Fault(
                FaultCode.Exists,
                $"cannot {what}: another XDP program is attached (number {thereId})",
                "see 'ip link' and 'xdp-loader status'; it is only replaced by force, and a "
                + "dispatcher of libxdp is not joined",
                Errno: errno.Value),
            19 or 6 => new Fault(
                FaultCode.NotFound,
                $"cannot {what}: there is no such interface",
                Errno: errno.Value),
            95 => new Fault(
                FaultCode.Unsupported,
                $"cannot {what}: the driver has no support for it",
                Errno: errno.Value),
            34 => new Fault(
                FaultCode.Unsupported,
                $"cannot {what}: the driver refuses it at this MTU",
                "a veth takes up to about 3500 bytes in native mode",
                Errno: errno.Value),
            _ => errno.ToFault(what),
        };
    }

    private static string Tail(IReadOnlyList<string> heard)
    {
        // The verifier's log is one long message: its last lines say what was wrong.
        IEnumerable<string> lines = heard
            .SelectMany(message => message.Split('\n'))
            .Select(line => line.Replace("libbpf: ", "", StringComparison.Ordinal).Trim())
            .Where(line => line.Length > 0
                && !line.StartsWith("-- ", StringComparison.Ordinal)
                && !line.StartsWith("processed ", StringComparison.Ordinal)
                && !line.Contains("failed to load object", StringComparison.Ordinal));
        string text = string.Join(" | ", lines.TakeLast(TailLines));
        return text.Length <= TailCharactersMax ? text : "..." + text[^TailCharactersMax..];
    }
}
