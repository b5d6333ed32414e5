using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Linux.Bpf;

namespace Pangea.DataPlane.Benchmarks.Firewall;

/// <summary>
/// The rival: the program of xdp-filter with all features, as Debian's xdp-tools installs it. It is
/// loaded bare, without the dispatcher that its own loader puts before it.
/// </summary>
internal sealed class XdpFilterRival : IDisposable
{
    internal const string Name = "xdp-filter (all features)";
    private const string Path = "/usr/lib/x86_64-linux-gnu/bpf/xdpfilt_alw_all.o";

    // Flags of an entry (xdp-filter's common_kern_user.h).
    private const ulong Source = 1;
    private const ulong Destination = 2;
    private const ulong Tcp = 4;
    private const ulong Deny = 16;

    private readonly BpfObject _file;

    private XdpFilterRival(BpfObject file, BpfProgram program)
    {
        _file = file;
        Program = program;
    }

    internal BpfProgram Program { get; }

    /// <summary>The loaded program, or why there is none.</summary>
    internal static Result<XdpFilterRival> Load()
    {
        Result<BpfObject> opened = BpfObject.Open(Path);
        if (!opened.IsOk)
        {
            return opened.Fault;
        }

        BpfObject file = opened.Value;
        foreach (string map in (string[])
            ["xdp_stats_map", "filter_ports", "filter_ipv4", "filter_ipv6", "filter_ethernet"])
        {
            Require(file.WithoutPin(map));
        }

        Result loaded = file.Load();
        if (!loaded.IsOk)
        {
            return loaded.Fault;
        }

        return new XdpFilterRival(file, file.Program("xdpfilt_alw_all").Value);
    }

    /// <summary>Drops what comes from an address, in the order of the network.</summary>
    internal void DenySource(byte[] address) =>
        Put(address.Length == 4 ? "filter_ipv4" : "filter_ipv6", address, Source | Deny);

    /// <summary>Drops what goes to a TCP port.</summary>
    internal void DenyPort(ushort port) =>
        Put("filter_ports", [(byte)(port >> 8), (byte)port, 0, 0], Destination | Tcp | Deny);

    private void Put(string name, byte[] key, ulong flags)
    {
        using BpfMap map = _file.Map(name).Value;
        byte[] values = new byte[sizeof(ulong) * PossibleCpus.Count];
        for (int cpu = 0; cpu < PossibleCpus.Count; cpu++)
        {
            BitConverter.TryWriteBytes(values.AsSpan(cpu * sizeof(ulong)), flags);
        }

        SysResult result = map.Update(key, values);
        Invariant.Check(result.IsOk, result.ToString());
    }

    private static void Require(Result result) =>
        Invariant.Check(result.IsOk, result.Fault?.Message);

    public void Dispose()
    {
        Program.Dispose();
        _file.Dispose();
    }
}
