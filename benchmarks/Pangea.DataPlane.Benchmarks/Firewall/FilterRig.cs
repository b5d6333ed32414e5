using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Firewall.Text;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Linux.Bpf;
using Pangea.DataPlane.Xdp;

namespace Pangea.DataPlane.Benchmarks.Firewall;

/// <summary>Filters to measure.</summary>
internal static class FilterRig
{
    private const ulong Far = 1UL << 60;

    /// <summary>One rule each for a prefix, a port and a protocol, and one address.</summary>
    internal static RuleSet Usual(bool withAddress) => RuleSet.Empty with
    {
        Rules =
        [
            new Rule { Action = RuleAction.Deny, From = Prefix(0xc0000200, 24) },
            .. withAddress
                ? [new Rule { Action = RuleAction.Deny, From = Prefix(0xcb007109, 32) }]
                : (Rule[])[],
            new Rule
            {
                Action = RuleAction.Deny,
                Protocol = 6,
                DestinationPorts = [new PortRange(23, 23)],
            },
            new Rule { Action = RuleAction.Deny, Protocol = 47 },
            new Rule
            {
                Action = RuleAction.Deny,
                From = AddressList.Of(IpPrefix.V6(new UInt128(0x20010db8dead0000, 0), 48)),
            },
        ],
    };

    /// <summary>The usual rules and so many denied prefixes of 16 to 32 bits.</summary>
    internal static RuleSet Prefixes(int count)
    {
        Random random = new(1);
        List<Rule> rules = [.. Usual(true).Rules];
        HashSet<(uint, int)> seen = [];
        while (seen.Count < count)
        {
            int bits = random.Next(10) < 8 ? random.Next(20, 25) : random.Next(25, 33);
            uint address = ((uint)random.NextInt64(1L << 32)) & (uint.MaxValue << (32 - bits));
            if (seen.Add((address, bits)))
            {
                rules.Add(new Rule { Action = RuleAction.Deny, From = Prefix(address, bits) });
            }
        }

        return RuleSet.Empty with { Rules = rules };
    }

    /// <summary>The usual rules and a limit for every source.</summary>
    internal static RuleSet Limited() => Usual(true) with
    {
        Rules =
        [
            .. Usual(true).Rules,
            new Rule
            {
                Action = RuleAction.Limit,
                Protocol = 6,
                Limit = new RuleLimit
                {
                    Packets = new Rate(1000, TimeSpan.FromSeconds(1), 1000),
                    Scope = PolicyScope.Source,
                },
            },
        ],
    };

    /// <summary>Every feature that costs something, by rules that the frames do not meet.</summary>
    internal static RuleSet Everything() => Parse(
        """
        pin from 192.0.2.128/25,2001:db8:77::/48
        limit tcp rate 100m/s burst 100m per source ban 10m after 50 in 10s
        limit udp port 53 rate 50/s burst 100 per source/24/56
        deny from 203.0.113.0/24,2001:db8:dead::/48
        deny from 192.0.2.0/24 to 198.51.100.0/24
        deny tcp port 23
        deny udp sport 19
        deny proto 47
        deny icmp type 5
        deny vlan 13
        deny fragment any
        deny tcp syn port 6000-6063
        """);

    internal static RuleSet Parse(string text)
    {
        RuleTextResult parsed = RuleText.Parse(text, "bench");
        Invariant.Check(parsed.Errors.Count == 0, parsed.Errors.FirstOrDefault()?.ToString());
        return parsed.Set!;
    }

    internal static XdpFilter Load(RuleSet rules, bool bans, bool isTest = false, int bansMax = 0)
    {
        Result<CompiledPolicy> policy = PolicyCompiler.Compile(rules, new CompileOptions
        {
            Now = DateTimeOffset.UnixEpoch,
            ExtraFeatures = bans ? PolicyFeature.Bans : PolicyFeature.None,
        });
        Invariant.Check(policy.IsOk, policy.Fault?.Message);
        var options = new XdpFilterOptions
        {
            IsTest = isTest,
            Bans4Max = Math.Max(65536, bansMax),
            RateSourcesMax = 1 << 17,
        };
        Result<XdpFilter> filter =
            XdpFilter.Load(options, policy.Value.Geometry, policy.Value.ImageBytes.Span);
        Invariant.Check(filter.IsOk, filter.Fault?.Message);
        return filter.Value;
    }

    internal static void Ban(XdpFilter filter, uint address) =>
        Invariant.Check(filter.Bans4.Add(new Ban4(address, Far), 0).IsOk);

    /// <summary>Random sources, most of which no packet comes from.</summary>
    internal static void FillBans(XdpFilter filter, int count)
    {
        Random random = new(2);
        for (int i = 0; i < count; i++)
        {
            Ban(filter, (uint)random.NextInt64(1L << 32));
        }
    }

    internal static void Spread(XdpFilter filter, uint mask) => filter.State.TestSourceMask = mask;

    internal static void Expect(BpfProgram program, byte[] frame, uint verdict)
    {
        SysResult result = program.TestRun(frame, 1, out BpfRun run);
        Invariant.Check(result.IsOk && run.Verdict == verdict, $"{result}, verdict {run.Verdict}");
    }

    internal static Action<int> Repeat(BpfProgram program, byte[] frame) => count =>
    {
        SysResult result = program.TestRun(frame, Math.Max(1, count), out _);
        Invariant.Check(result.IsOk, result.ToString());
    };

    private static AddressList Prefix(uint address, int bits) =>
        AddressList.Of(IpPrefix.V4(address, bits));
}
