using System.Buffers.Binary;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Rules;

namespace Pangea.DataPlane.Benchmarks.Firewall;

/// <summary>Rule sets and frames of the firewall's cases; the same in each run.</summary>
internal static class BenchRules
{
    /// <summary>
    /// A server's rules: half of them prefixes of sources, the others services by destination,
    /// protocol and port, some of them for some sources only.
    /// </summary>
    public static RuleSet Mixed(int count)
    {
        Random random = new(7);
        List<Rule> rules = new(count);
        for (int i = 0; i < count; i++)
        {
            bool isSimple = i % 2 == 0;
            ushort port = (ushort)random.Next(1, 20_000);
            rules.Add(new Rule
            {
                Action = random.Next(3) == 0 ? RuleAction.Allow : RuleAction.Deny,
                From = isSimple || i % 5 == 0 ? AddressList.Of(Prefix(random, 12, 28)) : null,
                To = isSimple || i % 3 == 0 ? null : AddressList.Of(Prefix(random, 8, 24)),
                Protocol = isSimple ? null : (byte)(random.Next(2) == 0 ? 6 : 17),
                DestinationPorts = isSimple
                    ? []
                    : [new PortRange(port, (ushort)(port + random.Next(50)))],
            });
        }

        return new RuleSet { Default = RuleAction.Allow, Rules = rules };
    }

    /// <summary>One deny rule for each of so many random prefixes, a tenth of them IPv6.</summary>
    public static RuleSet Prefixes(int count)
    {
        Random random = new(8);
        Rule[] rules = new Rule[count];
        for (int i = 0; i < count; i++)
        {
            rules[i] = new Rule
            {
                Action = RuleAction.Deny,
                From = AddressList.Of(i % 10 == 0
                    ? IpPrefix.V6(
                        (new UInt128(0x2000_0000_0000_0000 | (ulong)random.NextInt64(1L << 61), 0))
                            & IpPrefix.Mask(48),
                        48)
                    : Prefix(random, 16, 32)),
            };
        }

        return new RuleSet { Rules = rules };
    }

    public static CompiledPolicy Compile(RuleSet set, CompiledPolicy? before = null)
    {
        Result<CompiledPolicy> policy = PolicyCompiler.Compile(set, new CompileOptions
        {
            Now = DateTimeOffset.UnixEpoch,
            Slots = before?.Slots ?? SlotTable.Empty,
            Geometry = before?.Geometry,
        });
        return policy.IsOk
            ? policy.Value
            : throw new InvalidOperationException(policy.Fault.ToString());
    }

    /// <summary>Valid frames of 60 bytes, TCP and UDP, a fifth of them over IPv6 and
    /// longer.</summary>
    public static byte[][] Frames(int count)
    {
        Random random = new(9);
        byte[][] frames = new byte[count][];
        for (int i = 0; i < count; i++)
        {
            frames[i] = i % 5 == 0 ? Frame6(random) : Frame4(random);
        }

        return frames;
    }

    private static IpPrefix Prefix(Random random, int least, int most)
    {
        int bits = random.Next(least, most + 1);
        uint address = (uint)random.NextInt64(1L << 32);
        return IpPrefix.V4((uint)((ulong)address >> (32 - bits) << (32 - bits)), bits);
    }

    private static byte[] Frame4(Random random)
    {
        byte[] frame = new byte[60];
        frame[12] = 8;
        frame[14] = 0x45;
        frame[17] = 46;
        random.NextBytes(frame.AsSpan(26, 8));
        Transport(random, frame, 34, 26, out frame[23]);
        return frame;
    }

    private static byte[] Frame6(Random random)
    {
        byte[] frame = new byte[14 + 40 + 26];
        frame[12] = 0x86;
        frame[13] = 0xdd;
        frame[14] = 0x60;
        frame[19] = 26;
        random.NextBytes(frame.AsSpan(22, 32));
        frame[22] = frame[38] = 0x20;
        Transport(random, frame, 54, 26, out frame[20]);
        return frame;
    }

    private static void Transport(
        Random random, byte[] frame, int offset, int bytes, out byte protocol)
    {
        Span<byte> header = frame.AsSpan(offset);
        BinaryPrimitives.WriteUInt16BigEndian(header, (ushort)random.Next(1024, 65536));
        BinaryPrimitives.WriteUInt16BigEndian(header[2..], (ushort)random.Next(1, 20_000));
        bool isTcp = random.Next(2) == 0;
        protocol = (byte)(isTcp ? 6 : 17);
        if (isTcp)
        {
            header[12] = 0x50;
            header[13] = 0x10;
        }
        else
        {
            BinaryPrimitives.WriteUInt16BigEndian(header[4..], (ushort)bytes);
        }
    }
}
