using System.Runtime.InteropServices;
using FsCheck;
using FsCheck.Fluent;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Judging;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Firewall.Tests.Generating;
using Pangea.DataPlane.Packets;
using Pangea.DataPlane.Packets.Tests.Building;

namespace Pangea.DataPlane.Firewall.Tests.Judging;

/// <summary>
/// Goal: the compiled twin means what the rules say. Method: random rule sets, bans and frames
/// through the twin and through the plain filter, which knows no image.
/// </summary>
public sealed class TwinTests
{
    private static readonly ulong[] s_reasons = new ulong[7];
    private static readonly DateTimeOffset s_now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Judges_as_the_plain_filter_does() =>
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(300),
            Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed =>
            {
                Compare(seed, random => random.Next(1, 30), 150);
                return true;
            }));

    [Fact]
    public void Random_packets_reach_every_reason()
    {
        // Goal: the comparison is worth something: each test of a packet decides some of them.
        for (int seed = 1; seed <= 60; seed++)
        {
            Compare(seed, random => random.Next(1, 30), 150);
        }

        Assert.All(s_reasons, count => Assert.InRange(count, 20u, ulong.MaxValue));
    }

    [Fact]
    public void Judges_as_the_plain_filter_does_with_many_rules() =>
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(8),
            Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed =>
            {
                Compare(seed, random => random.Next(300, 900), 300);
                return true;
            }));

    [Fact]
    public void Judges_alike_in_a_geometry_that_has_more_than_the_rules_need()
    {
        // Goal: the image of a small set stands in the geometry of a large one, where it does not
        // fill the tables by itself, and means the same.
        for (int seed = 1; seed <= 20; seed++)
        {
            RuleSet large = new RuleSetGenerator(new Random(seed)).Next(300) with
            {
                Pins = [new Pin(Direction.From, AddressList.Of(IpPrefix.V4(1, 32)))],
            };
            PolicyGeometry geometry = Compile(large).Geometry;
            Random random = new(seed + 1000);
            RuleSet small = new RuleSetGenerator(random).Next(random.Next(4));
            CompiledPolicy policy = Compile(small, geometry);
            Assert.Equal(geometry, policy.Geometry);

            // The program reads all tables that it was loaded for; so does the twin now.
            MemoryMarshal.AsRef<PolicyHeader>(policy.Image.AsSpan()).Features = geometry.Features;
            Compare(seed, random, small, policy, 200);
        }
    }

    private static void Compare(int seed, Func<Random, int> ruleCount, int packets)
    {
        Random random = new(seed);
        RuleSet set = new RuleSetGenerator(random).Next(ruleCount(random));
        Compare(seed, random, set, Compile(set), packets);
    }

    private static void Compare(
        int seed, Random random, RuleSet set, CompiledPolicy policy, int packets)
    {
        UserspaceFilter twin = new(policy);
        PlainFilter plain = new(set, s_now);
        FrameGenerator frames = new(random);
        ulong nowNs = 1_000_000_000;
        PolicyCounter[] counted = new PolicyCounter[64];
        for (int i = 0; i < packets; i++)
        {
            byte[] frame = frames.Next();
            uint ifindex = RuleSetGenerator.InterfaceIndex(random);
            nowNs += (ulong)random.Next(2_000_000);
            PacketParser.Parse(frame, out PacketKey key);
            if (random.Next(20) == 0 && key.Malformed == 0
                && RuleMatch.Source(key) is IpPrefix source)
            {
                IpPrefix banned = source.IsV6 && random.Next(2) == 0
                    ? IpPrefix.V6(source.Top & IpPrefix.Mask(64), 64)
                    : source;
                ulong expiry = nowNs + (ulong)random.Next(200_000_000);
                Assert.True(twin.Ban(banned, expiry).IsOk);
                plain.Ban(banned, expiry);
            }

            PacketVerdict got = twin.Judge(frame, frame.Length, ifindex, nowNs);
            (PacketVerdict expected, object? by) = plain.Judge(key, ifindex, nowNs);
            string where = $"seed {seed}, packet {i}: {Convert.ToHexString(frame)}";
            Assert.True(
                expected == got with { Slot = PolicyConstants.SlotNone },
                $"{where}: expected {expected} by {by}, got {got}");
            object? owner = got.Reason == PolicyReason.Pinned
                ? set.Pins.Where((_, at) => policy.PinSlots[at] == got.Slot).First()
                : policy.RuleAt(got.Slot);
            Assert.True(ReferenceEquals(owner, by), $"{where}: rule {by}, got {owner}");
            Count(counted, got, frame.Length);
        }

        Assert.Equal(counted, twin.Counters[..counted.Length].ToArray());
        lock (s_reasons)
        {
            for (int reason = 0; reason < 7; reason++)
            {
                s_reasons[reason] += counted[reason].PassedPackets + counted[reason].DroppedPackets;
            }
        }
    }

    private static void Count(PolicyCounter[] counted, PacketVerdict verdict, int bytes)
    {
        bool isDrop = verdict.Dropped || verdict.Monitored;
        Add(ref counted[(int)verdict.Reason + (verdict.Monitored ? 16 : 0)], isDrop, bytes);
        if (verdict.Malformed != 0)
        {
            Add(ref counted[32 + (int)verdict.Malformed], isDrop, bytes);
        }
    }

    private static void Add(ref PolicyCounter counter, bool isDrop, int bytes)
    {
        counter.DroppedPackets += isDrop ? 1u : 0;
        counter.DroppedBytes += isDrop ? (uint)bytes : 0;
        counter.PassedPackets += isDrop ? 0 : 1u;
        counter.PassedBytes += isDrop ? 0 : (uint)bytes;
    }

    internal static CompiledPolicy Compile(RuleSet set, PolicyGeometry? geometry = null)
    {
        Result<CompiledPolicy> policy = PolicyCompiler.Compile(set, new CompileOptions
        {
            Now = s_now,
            Interfaces = RuleSetGenerator.Interfaces,
            Geometry = geometry,
        });
        Assert.True(policy.IsOk, policy.Fault?.ToString());
        return policy.Value;
    }
}
