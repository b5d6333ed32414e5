using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Linux.Bpf;

namespace Pangea.DataPlane.Benchmarks.Firewall;

/// <summary>
/// A flood over a veth: live frames from one core, and on the other a thread of the kernel (NAPI)
/// that takes them in, filters, and routes what passes to an interface whose queue throws it away,
/// because nothing is at the other end.
/// The figure is that thread's own time for each packet, so a core that others use as well does
/// not change it, and what does not fit into the veth's ring costs only the sender.
/// </summary>
internal sealed partial class FloodRig : IDisposable
{
    private const string Gateway = "02:00:00:00:00:01";
    private const string Nobody = "02:00:00:00:00:09";
    private const int GuardedCore = 1;
    private const int Batch = 64;
    private const int FramesPerRound = 1_500_000;

    private readonly BenchNamespace _sender;
    private readonly BenchNamespace _router;
    private readonly BpfObject _file;
    private readonly BpfProgram _transmit;
    private readonly BpfProgram _transmitAnew;
    private readonly XdpLink? _link;
    private readonly string _guarded;
    private readonly int _senderIfindex;
    private readonly int _intake;

    private FloodRig(BenchNamespace[] hosts, BpfObject file, XdpMode mode)
    {
        _guarded = mode switch // The kernel names its thread after it.
        {
            XdpMode.Native => "pgnative",
            XdpMode.Generic => "pggeneric",
            _ => "pgplain",
        };
        (_sender, _router, _file) = (hosts[0], hosts[1], file);
        _transmit = Must(file.Program("transmit"));
        _transmitAnew = Must(file.Program("transmit_anew"));
        Pass = Must(file.Program("pass"));
        Drop = Must(file.Program("drop"));
        Look = Must(file.Program("look"));
        (_senderIfindex, int guarded) = Connect();
        _link = _router.Run(() =>
        {
            // Only with a native program or GRO has a veth something for a thread to poll.
            XdpLink? link = mode == XdpMode.None
                ? null
                : Must(XdpLink.Attach(Pass, guarded, mode));
            bool isReady = mode == XdpMode.Native || InterfaceSwitch.TurnOnGro(_guarded);
            Invariant.Check(isReady, "no GRO");
            File.WriteAllText($"/sys/class/net/{_guarded}/threaded", "1");
            return link;
        });
        _intake = FindIntake();
        BenchNamespace.Command("taskset", "-pc", $"{GuardedCore}", $"{_intake}");
        BenchNamespace.Command("renice", "-n", "-20", "-p", $"{_intake}");
        _sender.Run(() =>
        {
            BenchNamespace.Command("taskset", "-pc", "0", $"{_sender.ThreadId}");
            BenchNamespace.Command("chrt", "-f", "-p", "1", $"{_sender.ThreadId}");
            return 0;
        });
    }

    /// <summary>Lets everything through: no filter.</summary>
    internal BpfProgram Pass { get; }

    /// <summary>Drops everything without a look at it: the most that can be reached.</summary>
    internal BpfProgram Drop { get; }

    /// <summary>Drops after it has read one field of the frame.</summary>
    internal BpfProgram Look { get; }

    /// <summary>Makes one, or says why it cannot.</summary>
    /// <param name="mode">How the filter is attached; without one the interface is as the kernel
    /// has it, with GRO, as interfaces of hardware have it from the start.</param>
    internal static Result<FloodRig> Make(XdpMode mode)
    {
        if (Environment.ProcessorCount < 2)
        {
            return new Fault(FaultCode.Unsupported, "needs two cores");
        }

        string path = Path.Combine(AppContext.BaseDirectory, "generator.bpf.o");
        Result<BpfObject> file = BpfObject.Open(path);
        Fault? fault = file.Fault ?? SetHead(file.Value).Fault ?? file.Value.Load().Fault;
        if (fault is not null)
        {
            return fault;
        }

        Result<BenchNamespace>[] hosts =
            [BenchNamespace.Make(), BenchNamespace.Make()];
        fault = Array.Find(hosts, host => !host.IsOk).Fault;
        return fault is null
            ? new FloodRig([.. hosts.Select(host => host.Value)], file.Value, mode)
            : fault;
    }

    /// <summary>What the router changes and the sender therefore writes anew.</summary>
    private static Result SetHead(BpfObject file)
    {
        byte[] frame = Frame(BenchFrames.Source4, 443);
        return file.SetData(".rodata.head", MemoryMarshal.Read<UInt128Pair>(frame));
    }

    /// <summary>A frame to the guarded interface that a router would send on.</summary>
    internal static byte[] Frame(byte[] source, ushort port)
    {
        byte[] frame = BenchFrames.Tcp4(source, port);
        byte[] gateway = Convert.FromHexString(Gateway.Replace(":", "", StringComparison.Ordinal));
        gateway.CopyTo(frame, 0);
        uint sum = 0;
        for (int i = 14; i < 34; i += 2)
        {
            sum += (uint)((frame[i] << 8) | frame[i + 1]);
        }

        sum = (sum & 0xffff) + (sum >> 16);
        ushort check = (ushort)~((sum & 0xffff) + (sum >> 16));
        (frame[24], frame[25]) = ((byte)(check >> 8), (byte)check);
        return frame;
    }

    /// <summary>Loads rules of nftables beside the program, or removes them.</summary>
    internal void Nftables(string? rules) => _router.Run(() =>
    {
        BenchNamespace.Feed("nft", "flush ruleset\n" + rules, "-f", "-");
        return 0;
    });

    /// <summary>One round; nanoseconds of the receiving core for each packet it took in.</summary>
    /// <param name="program">What filters.</param>
    /// <param name="frame">Sent again and again.</param>
    /// <param name="passes">What part of the packets must leave at the other side.</param>
    internal double NsPerPacket(BpfProgram? program, byte[] frame, bool passes)
    {
        Invariant.Check(program is null == _link is null);
        Result moved = _link?.Update(program!, expected: null) ?? Result.Ok;
        Invariant.Check(moved.IsOk, moved.Fault?.Message);
        long routed = Routed();
        long taken = Taken();
        double busy = CpuNs(_intake);
        BpfProgram sends = passes ? _transmitAnew : _transmit;
        SysResult result = _sender.Run(
            () => sends.LiveFrames(frame, _senderIfindex, FramesPerRound, Batch));
        Invariant.Check(result.IsOk, result.ToString());
        busy = CpuNs(_intake) - busy;
        taken = Taken() - taken;
        routed = Routed() - routed;
        Invariant.Check(taken > FramesPerRound / 100, $"only {taken} packets arrived");
        Invariant.Check(
            passes ? routed > taken * 0.99 : routed < taken / 100,
            $"{routed} of {taken} packets were routed");
        return busy / taken;
    }

    public void Dispose()
    {
        _link?.Dispose();
        _transmit.Dispose();
        _transmitAnew.Dispose();
        Pass.Dispose();
        Drop.Dispose();
        Look.Dispose();
        _file.Dispose();
        _sender.Dispose();
        _router.Dispose();
    }

    /// <summary>The numbers of the sending and of the guarded interface.</summary>
    private (int Sender, int Guarded) Connect()
    {
        int guarded = _router.Run(() =>
        {
            Ip("link add pgsink type veth peer name pgend");
            Ip($"link add {_guarded} address {Gateway} type veth peer name pgsend "
                + $"netns {_sender.ThreadId}");
            File.WriteAllText("/proc/sys/net/ipv4/ip_forward", "1");
            Quieten(_guarded);
            Quieten("pgsink");

            Ip($"link set {_guarded} up");
            Ip("link set pgsink up");
            Ip("route add 192.0.2.0/24 dev pgsink");
            Ip($"route add default dev {_guarded}");
            Ip($"neigh add 192.0.2.1 lladdr {Nobody} dev pgsink nud permanent");
            return Number(_guarded);
        });
        return (_sender.Run(() =>
        {
            Quieten("pgsend");
            Ip("link set pgsend up");
            return Number("pgsend");
        }), guarded);
    }

    /// <summary>No packets but the benchmark's, and none refused for its way.</summary>
    private static void Quieten(string name)
    {
        File.WriteAllText("/proc/sys/net/ipv4/conf/all/rp_filter", "0");
        File.WriteAllText($"/proc/sys/net/ipv4/conf/{name}/rp_filter", "0");
        string six = $"/proc/sys/net/ipv6/conf/{name}/disable_ipv6";
        if (File.Exists(six))
        {
            File.WriteAllText(six, "1");
        }
    }

    private static int Number(string name) => int.Parse(
        File.ReadAllText($"/sys/class/net/{name}/ifindex"), CultureInfo.InvariantCulture);

    private static void Ip(string arguments) =>
        BenchNamespace.Command("ip", arguments.Split(' '));

    private long Taken() => _router.Run(() => long.Parse(
        File.ReadAllText($"/sys/class/net/{_guarded}/statistics/rx_packets"),
        CultureInfo.InvariantCulture));

    /// <summary>ForwDatagrams, the sixth figure of the second line that begins with Ip.</summary>
    private long Routed() => _router.Run(() => long.Parse(
        File.ReadLines("/proc/thread-self/net/snmp").Skip(1).First().Split(' ')[6],
        CultureInfo.InvariantCulture));

    /// <summary>The thread that polls the guarded interface.</summary>
    private int FindIntake()
    {
        Stopwatch waited = Stopwatch.StartNew();
        while (waited.Elapsed < TimeSpan.FromSeconds(2))
        {
            foreach (string folder in Directory.EnumerateDirectories("/proc"))
            {
                string name = Path.Combine(folder, "comm");
                if (int.TryParse(Path.GetFileName(folder), out int id) && File.Exists(name)
                    && File.ReadAllText(name).StartsWith(
                        $"napi/{_guarded}", StringComparison.Ordinal))
                {
                    return id;
                }
            }

            Thread.Sleep(10);
        }

        throw new InvalidOperationException($"the kernel polls {_guarded} without a thread");
    }

    /// <summary>Time that another process, here a thread of the kernel, has run.</summary>
    private static double CpuNs(int process)
    {
        const int scheduledTime = 2; // CPUCLOCK_SCHED; clock_getcpuclockid makes the same number.
        int result = clock_gettime((~process << 3) | scheduledTime, out Timespec time);
        Invariant.Check(result == 0, $"no clock of process {process}");
        return (time.Seconds * 1e9) + time.Nanoseconds;
    }

    private static T Must<T>(Result<T> result)
    {
        Invariant.Check(result.IsOk, result.Fault?.Message);
        return result.Value;
    }

    /// <summary>32 bytes.</summary>
    private record struct UInt128Pair(UInt128 First, UInt128 Second);

    [LibraryImport("libc")]
    private static partial int clock_gettime(int clock, out Timespec time);

    [StructLayout(LayoutKind.Sequential)]
    private struct Timespec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
