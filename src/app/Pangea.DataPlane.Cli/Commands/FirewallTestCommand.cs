using System.CommandLine;
using System.Globalization;
using Pangea.DataPlane.Cli.Firewalling;
using Pangea.DataPlane.Cli.Text;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Spectre.Console;

namespace Pangea.DataPlane.Cli.Commands;

/// <summary><c>pangea firewall test</c>: which rule decides about a packet, and why.</summary>
internal static class FirewallTestCommand
{
    private const int FramesPerCall = 64;
    private const int FrameBytesMax = 1 << 20;

    public static Verb Create(GlobalOptions options)
    {
        var packet = new Argument<string[]>("PACKET")
        {
            Description =
                "A packet in words or hexadecimal digits, a pcap or pcapng file, or - for a "
                    + "capture from standard input",
            Arity = ArgumentArity.OneOrMore,
        };
        var rules = new Option<string?>("--rules")
        {
            Description = "Judge by the rules of a file, without any appliance",
            HelpName = "FILE",
        };
        var name = new Option<string?>("--interface", "-i")
        {
            Description = "Where the packet comes in (default: an interface that no rule names)",
            HelpName = "NAME",
        };
        var expect = new Option<string?>("--expect")
        {
            Description = "Give exit code 1 unless this becomes of every packet",
            HelpName = "pass|drop",
        };
        expect.AcceptOnlyFromAmong("pass", "drop");
        return new Verb("test", "Show which rule decides about a packet or a capture, and why")
        {
            Arguments = { packet },
            Options = { rules, name, expect },
            Examples =
            [
                "pangea firewall test tcp syn '192.0.2.1 > 198.51.100.1:22'",
                "pangea firewall test vlan 10 udp '[2001:db8::1]:5000 > [2001:db8::2]:53' -i eth0",
                "pangea firewall test icmp type unreachable/4 '192.0.2.1 > 198.51.100.1'",
                "pangea firewall test --rules rules.fw --expect drop "
                    + "udp '192.0.2.1 > 198.51.100.1:53'",
                "pangea firewall test --rules rules.fw traffic.pcap",
                "tcpdump -i eth0 -c 1000 -w - | pangea firewall test -",
            ],
        }.WithFormat(options).Does(options, context => Run(
            context,
            context.Parsed.GetRequiredValue(packet),
            context.Parsed.GetValue(rules),
            context.Parsed.GetValue(name),
            context.Parsed.GetValue(expect)));
    }

    private static int Run(
        CommandContext context, string[] packet, string? rules, string? name, string? expect)
    {
        Result<TestFrames> frames = TestFrames.Open(packet);
        if (!frames.IsOk)
        {
            return context.FailFile(frames.Fault);
        }

        Func<List<TestFrame>, Result<FirewallTestVerdict[]>> judge;
        if (rules is null)
        {
            if (context.Connect() is not { } client)
            {
                return ExitCodes.NotReachable;
            }

            judge = batch => Ask(client, batch, name);
        }
        else
        {
            if (FirewallRuleCommands.LoadOrReport(context, rules, out int exit) is not { } set)
            {
                return exit;
            }

            Result<LocalJudge> local = LocalJudge.Create(set, name);
            if (!local.IsOk)
            {
                return context.Fail(local.Fault);
            }

            judge = batch =>
                batch.Select(local.Value.Judge).ToArray();
        }

        return JudgeAll(context, frames.Value, judge, expect);
    }

    private static int JudgeAll(
        CommandContext context,
        TestFrames frames,
        Func<List<TestFrame>, Result<FirewallTestVerdict[]>> judge,
        string? expect)
    {
        TestSummary summary = new();
        List<TestFrame> batch = [];
        Fault? damage = null;
        bool atEnd = false;
        while (!atEnd)
        {
            Result<TestFrame?> next = frames.Next();
            damage = next.IsOk ? null : next.Fault;
            atEnd = !next.IsOk || next.Value is null;
            if (next.IsOk && next.Value is TestFrame frame)
            {
                batch.Add(frame);
            }

            if (batch.Count == FramesPerCall || (atEnd && batch.Count > 0))
            {
                Result<FirewallTestVerdict[]> verdicts = judge(batch);
                if (!verdicts.IsOk)
                {
                    return context.Fail(verdicts.Fault);
                }

                Print(context, frames.IsCapture, batch, verdicts.Value, summary);
                batch.Clear();
            }
        }

        return End(context, frames.IsCapture, summary, damage, expect);
    }

    private static int End(
        CommandContext context, bool isCapture, TestSummary summary, Fault? damage, string? expect)
    {
        if (context.IsJson)
        {
            context.Out.WriteLine(summary.Packets == 0 ? "{\"verdicts\":[]}" : "]}");
        }
        else if (isCapture)
        {
            summary.Write(context.Out);
        }

        if (damage is not null)
        {
            return context.FailFile(damage);
        }

        long others = expect switch
        {
            "pass" => summary.Drops,
            "drop" => summary.Packets - summary.Drops,
            _ => 0,
        };
        return others == 0
            ? ExitCodes.Ok
            : context.Fail(new Fault(
                FaultCode.BadState,
                isCapture
                    ? $"{others} of {summary.Packets} packets do not {expect}"
                    : $"the packet does not {expect}"));
    }

    private static Result<FirewallTestVerdict[]> Ask(
        RpcClient client, List<TestFrame> batch, string? name)
    {
        Result<FirewallTestResult> result = client.Call(
            FirewallMethods.Test,
            new FirewallTestParameters
            {
                Frames =
                [
                    .. batch.Select(frame => new FirewallTestFrame
                    {
                        Hex = Convert.ToHexString(frame.Head.Span),
                        FrameBytes = frame.FrameBytes == frame.Head.Length
                            ? null
                            : Math.Min(frame.FrameBytes, FrameBytesMax),
                    }),
                ],
                Interface = name,
            });
        if (!result.IsOk)
        {
            return result.Fault;
        }

        return result.Value.Verdicts.Count == batch.Count
            ? result.Value.Verdicts.ToArray()
            : new Fault(
                FaultCode.Internal,
                $"{batch.Count} frames got {result.Value.Verdicts.Count} verdicts");
    }

    private static void Print(
        CommandContext context, bool isCapture, List<TestFrame> frames,
        IReadOnlyList<FirewallTestVerdict> verdicts, TestSummary summary)
    {
        for (int i = 0; i < verdicts.Count; i++)
        {
            FirewallTestVerdict verdict = verdicts[i];
            if (context.IsJson)
            {
                context.Out.Write(summary.Packets == 0 ? "{\"verdicts\":[" : ",");
                context.Out.Write(CommandContext.Json(
                    verdict, ControlJson.Default.FirewallTestVerdict));
            }

            summary.Add(verdict);
            if (!context.IsJson && isCapture)
            {
                context.Out.WriteLine(Line(summary.Packets, frames[i], verdict));
            }
            else if (!context.IsJson)
            {
                PrintOne(context.Out, verdict);
            }
        }
    }

    private static string Line(long number, TestFrame frame, FirewallTestVerdict verdict)
    {
        string time = DateTime.UnixEpoch.AddTicks((long)(frame.TimeNs / 100)).ToLocalTime()
            .ToString("HH:mm:ss.ffffff", CultureInfo.InvariantCulture);
        string by = FirewallStatsCommands.By(
            verdict.Reason, verdict.Malformed, verdict.Number, verdict.Name);
        return FaultReport.Printable(
            $"{number,6}  {time}  {verdict.Verdict,-9}  {by,-24}  {verdict.Packet}");
    }

    private static void PrintOne(TextWriter output, FirewallTestVerdict verdict)
    {
        Table table = Tables.Make("", "");
        table.ShowHeaders = false;
        table.Add("packet", verdict.Packet);
        table.Add("verdict", verdict.Explanation);
        if (verdict.Rule is { } rule)
        {
            table.Add(
                verdict.Number is { } number
                    ? string.Create(CultureInfo.InvariantCulture, $"rule {number}")
                    : "pin",
                rule);
        }

        foreach (string also in verdict.AlsoMatching)
        {
            table.Add("matches too", also);
        }

        Tables.Print(table, output);
    }
}
