using System.Globalization;
using FsCheck;
using FsCheck.Fluent;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Judging;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Firewall.Text;
using Pangea.DataPlane.Packets;

namespace Pangea.DataPlane.Xdp.Tests;

/// <summary>
/// Goal: the program in the kernel and the userspace filter are the same function. Random rule sets
/// meet random frames at given moments and replace each other; verdict, reason, kind, slot and
/// every counter are equal. What differs is shrunk to few rules and frames.
/// </summary>
public sealed class ParityTests
{
    private const int FramesPerCase = 10000;
    private const int FramesForAllWays = 1_000_000;
    private const int BansPerSet = 6;

    /// <summary>Rule sets one after the other in a case.</summary>
    private const int Sets = 3;

    private readonly int[] _byReason = new int[Enum.GetValues<PolicyReason>().Length];
    private readonly int[] _byKind = new int[Enum.GetValues<MalformedKind>().Length];
    private int _monitored;
    private int _inParts;
    private int _swaps;
    private int _loads;

    private static int Frames => int.Parse(
        Environment.GetEnvironmentVariable("PANGEA_PARITY_FRAMES") ?? "1000000",
        CultureInfo.InvariantCulture);

    [SkippableFact]
    public void Program_and_twin_judge_alike()
    {
        Kernel.NeedXdp();
        int cases = Math.Max(1, Frames / FramesPerCase);
        Arbitrary<ParityCase> arbitrary =
            Arb.From(ParityCase.Generator(FramesPerCase), one => one.Smaller());
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(cases),
            Prop.ForAll(arbitrary, one => Assert.Null(Difference(one))));

        // Each way through the program was taken: a generator that misses one proves nothing of it.
        if (Frames >= FramesForAllWays)
        {
            foreach (PolicyReason reason in Enum.GetValues<PolicyReason>())
            {
                Assert.True(_byReason[(int)reason] > 0, $"no {reason}");
            }

            foreach (MalformedKind kind in Enum.GetValues<MalformedKind>())
            {
                // The kernel runs programs on no frame without a whole Ethernet header.
                Assert.True(
                    _byKind[(int)kind] > 0 || kind == MalformedKind.FrameTruncated, $"no {kind}");
            }

            Assert.True(_monitored > 0, "nothing in monitor mode");
            Assert.True(_inParts > 0, "no frame in parts");
            Assert.True(_swaps > 0 && _loads > 0, "no change of rules");
        }
    }

    /// <summary>Where program and twin judge differently; null where they never do.</summary>
    private string? Difference(ParityCase one)
    {
        Random random = new(one.SetSeed);
        PolicyFeature bans = random.Next(4) == 0 ? PolicyFeature.None : PolicyFeature.Bans;
        XdpFilterOptions options = new() { IsTest = true, HasEvents = random.Next(2) == 0 };
        ulong now = 1UL << 34;
        CompiledPolicy policy = Compile(one, 0, bans, null);
        Result<XdpFilter> loaded = XdpFilter.Load(options, policy);
        Assert.True(loaded.IsOk, loaded.Fault?.ToString());
        XdpFilter filter = loaded.Value;
        UserspaceFilter twin = new(policy);
        try
        {
            if (bans != PolicyFeature.None)
            {
                Ban(random, filter, twin, now);
            }

            int part = (one.FrameSeeds.Length / Sets) + 1;
            string? difference = null;
            for (int set = 0; set < Sets && difference is null; set++)
            {
                if (set > 0)
                {
                    policy = Compile(one, set, bans, policy);
                    twin.Swap(policy);
                    filter = Change(options, filter, policy);
                }

                difference = Difference(
                    one.FrameSeeds.Skip(set * part).Take(part), filter, twin, ref now);
            }

            return difference is null
                ? null
                : $"{difference}, rules:\n{RuleText.Print(policy.RuleSet)}";
        }
        finally
        {
            filter.Dispose();
        }
    }

    /// <summary>
    /// Of a rule set and the next one, a third of the rules are others, so that slots change their
    /// owners.
    /// </summary>
    private static CompiledPolicy Compile(
        ParityCase one, int set, PolicyFeature bans, CompiledPolicy? before)
    {
        IEnumerable<int> seeds = one.RuleSeeds.Select(
            (seed, i) => set > 0 && (i + set) % 3 == 0 ? seed ^ (set << 20) : seed);
        RuleSet rules = new RandomRules(new Random(one.SetSeed + set)).Next(seeds);
        Result<CompiledPolicy> compiled = PolicyCompiler.Compile(rules, new CompileOptions
        {
            Now = DateTimeOffset.UnixEpoch,
            Interfaces = RandomRules.Interfaces,
            ExtraFeatures = bans,
            Slots = before?.Slots ?? SlotTable.Empty,
            Geometry = before?.Geometry,
        });
        Assert.True(compiled.IsOk, compiled.Fault?.ToString());
        return compiled.Value;
    }

    private XdpFilter Change(XdpFilterOptions options, XdpFilter filter, CompiledPolicy policy)
    {
        if (filter.CanTake(policy.Geometry, policy.ImageBytes.Length))
        {
            Assert.True(filter.Swap(policy).IsOk);
            _swaps++;
            return filter;
        }

        Result<XdpFilter> next = XdpFilter.Load(options, policy, filter);
        Assert.True(next.IsOk, next.Fault?.ToString());
        Assert.True(next.Value.TakeOver(filter).IsOk);
        filter.Dispose();
        _loads++;
        return next.Value;
    }

    private string? Difference(
        IEnumerable<int> seeds, XdpFilter filter, UserspaceFilter twin, ref ulong now)
    {
        uint[] interfaces = [.. RandomRules.Interfaces.Values, 77];
        RandomFrames frames = new();
        foreach (int seed in seeds)
        {
            // Moments are no whole units of the data path's bans; some jump back.
            Random random = new(seed);
            now += random.Next(3) == 0 ? (ulong)random.NextInt64(4L << 26) : 0;
            now -= random.Next(400) == 0 ? (ulong)random.NextInt64(3L << 26) : 0;
            uint ifindex = interfaces[random.Next(interfaces.Length)];
            ReadOnlySpan<byte> frame = frames.Of(random);
            PacketVerdict expected = twin.Judge(frame, frame.Length, ifindex, now);
            PacketVerdict actual = ProgramExecutor.Judge(filter, frame, ifindex, now);
            _byReason[(int)actual.Reason]++;
            _byKind[(int)actual.Malformed]++;
            _monitored += actual.Monitored ? 1 : 0;
            _inParts += frame.Length > Environment.SystemPageSize ? 1 : 0;
            if (expected != actual)
            {
                return $"twin {expected}, program {actual}, moment {now}, interface {ifindex}, "
                    + $"frame {Convert.ToHexString(frame)}";
            }
        }

        return CounterDifference(filter, twin);
    }

    private static void Ban(Random random, XdpFilter filter, UserspaceFilter twin, ulong now)
    {
        for (int i = 0; i < BansPerSet; i++)
        {
            ulong expiry = random.Next(3) == 0
                ? ulong.MaxValue
                : now + (ulong)random.NextInt64((i + 1L) << 33);
            uint four = RandomRules.Addresses4[random.Next(RandomRules.Addresses4.Length)];
            Assert.True(twin.Ban(IpPrefix.V4(four, 32), expiry).IsOk);
            Assert.True(filter.Bans4.Add(new Ban4(four, expiry), now).IsOk);
            UInt128 six = RandomRules.Addresses6[random.Next(RandomRules.Addresses6.Length)];
            bool whole = random.Next(2) == 0;
            six = whole ? six | ulong.MaxValue : six;
            BanKey6 key = new() { High = (ulong)(six >> 64), Low = (ulong)six };
            Assert.True(filter.Bans6.Add(new Ban6(key, expiry)).IsOk);
            IpPrefix banned = key.Low == ulong.MaxValue
                ? IpPrefix.V6(new UInt128(key.High, 0), 64)
                : IpPrefix.V6(six, 128);
            Assert.True(twin.Ban(banned, expiry).IsOk);
        }
    }

    private static string? CounterDifference(XdpFilter filter, UserspaceFilter twin)
    {
        ReadOnlySpan<PolicyCounter> expected = twin.Counters;
        for (int i = 0; i < expected.Length; i++)
        {
            PolicyCounter actual = filter.Count(i);
            if (expected[i] != actual)
            {
                return $"counter {i}: twin {expected[i]}, program {actual}";
            }
        }

        return null;
    }
}
