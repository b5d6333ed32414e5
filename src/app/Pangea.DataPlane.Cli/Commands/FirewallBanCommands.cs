using System.CommandLine;
using Pangea.DataPlane.Cli.Text;
using Pangea.DataPlane.Control.Connection;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Rules;
using Spectre.Console;

namespace Pangea.DataPlane.Cli.Commands;

/// <summary><c>pangea firewall ban|unban|bans</c>.</summary>
internal static class FirewallBanCommands
{
    public static Verb CreateBan(GlobalOptions options)
    {
        Argument<string[]> addresses = AddressesArgument(ArgumentArity.OneOrMore);
        var time = new Option<string?>("--for")
        {
            Description = "How long, such as 90s, 10m, 12h or 7d (default: until it is taken back)",
            HelpName = "TIME",
        };
        var comment = new Option<string?>("--comment")
        {
            Description = "Why, for the list",
            HelpName = "TEXT",
        };
        return new Verb("ban", "Drop everything from a source, for a time or for good")
        {
            Arguments = { addresses },
            Options = { time, comment },
            Examples =
            [
                "pangea firewall ban 192.0.2.1 --for 10m",
                "pangea firewall ban 2001:db8:1:2::/64 --comment \"port scans\"",
            ],
        }.WithFormat(options).Does(options, context =>
        {
            long? seconds = null;
            if (context.Parsed.GetValue(time) is { } text)
            {
                Result<long> parsed = TimeSpanText.ParseSeconds(text, "for", "length of a ban");
                if (!parsed.IsOk)
                {
                    return context.Fail(parsed.Fault);
                }

                seconds = parsed.Value;
            }

            return Ban(
                context,
                context.Parsed.GetRequiredValue(addresses),
                seconds,
                context.Parsed.GetValue(comment));
        });
    }

    public static Verb CreateUnban(GlobalOptions options)
    {
        Argument<string[]> addresses = AddressesArgument(ArgumentArity.ZeroOrMore);
        var all = new Option<bool>("--all") { Description = "Take all bans back" };
        return new Verb("unban", "Take bans back")
        {
            Arguments = { addresses },
            Options = { all },
            Examples = ["pangea firewall unban 192.0.2.1", "pangea firewall unban --all"],
        }.WithFormat(options).Does(options, context => Unban(
            context,
            context.Parsed.GetValue(addresses) ?? [],
            context.Parsed.GetValue(all)));
    }

    public static Verb CreateBans(GlobalOptions options) =>
        new Verb("bans", "List the banned sources")
        {
            Examples =
            [
                "pangea firewall bans",
                "pangea firewall bans --json | jq -r '.bans[].address'",
            ],
        }.WithFormat(options).Does(options, List);

    /// <summary>What can be banned; the fault names the rule that does it for the rest.</summary>
    private static Fault? Refusal(string address)
    {
        if (!IpPrefix.TryParse(address, out IpPrefix prefix, out string? error))
        {
            return Fault.InvalidParameter("address", error!);
        }

        return prefix.Bits == prefix.AddressBits || (prefix.IsV6 && prefix.Bits == 64)
            ? null
            : Fault.InvalidParameter(
                "address",
                $"{prefix} cannot be banned, only an address or a /64 of IPv6",
                $"a rule drops a prefix: pangea firewall rule add deny from {prefix}");
    }

    private static int Ban(
        CommandContext context, string[] addresses, long? seconds, string? comment)
    {
        if (addresses.Select(Refusal).FirstOrDefault(fault => fault is not null) is { } refusal)
        {
            return context.Fail(refusal);
        }

        if (context.Connect() is not { } client)
        {
            return ExitCodes.NotReachable;
        }

        foreach (string address in addresses)
        {
            Result<FirewallBan> ban = client.Call(
                FirewallMethods.Ban,
                new FirewallBanParameters
                {
                    Address = address,
                    ForSeconds = seconds,
                    Comment = comment,
                });
            if (!ban.IsOk)
            {
                return context.Fail(ban.Fault);
            }

            if (context.IsJson)
            {
                context.PrintJson(ban.Value, ControlJson.Default.FirewallBan);
            }
            else
            {
                context.Out.WriteLine(FaultReport.Printable(
                    $"banned {ban.Value.Address}, " + (ban.Value.Expires is { } expires
                        ? $"until {Quantities.Time(expires)}"
                        : "until it is taken back")));
            }
        }

        return ExitCodes.Ok;
    }

    private static int Unban(CommandContext context, string[] addresses, bool all)
    {
        if (addresses.Length > 0 == all)
        {
            return context.Fail(Fault.InvalidParameter(
                "address", "name addresses, or say --all", "pangea firewall bans lists them"));
        }

        if (context.Connect() is not { } client)
        {
            return ExitCodes.NotReachable;
        }

        long removed = 0;
        foreach (string? address in all ? [null] : (string?[])addresses)
        {
            Result<FirewallUnbanResult> done = client.Call(
                FirewallMethods.Unban,
                new FirewallUnbanParameters { Address = address, All = all });
            if (!done.IsOk)
            {
                return context.Fail(done.Fault);
            }

            removed += done.Value.Removed;
        }

        if (context.IsJson)
        {
            context.PrintJson(
                new FirewallUnbanResult { Removed = removed },
                ControlJson.Default.FirewallUnbanResult);
        }
        else
        {
            context.Out.WriteLine(removed == 1
                ? "took 1 ban back"
                : $"took {Quantities.Count(removed)} bans back");
        }

        return ExitCodes.Ok;
    }

    private static int List(CommandContext context)
    {
        if (context.Connect() is not { } client)
        {
            return ExitCodes.NotReachable;
        }

        List<FirewallBan> bans = [];
        FirewallBansResult page;
        string? after = null;
        do
        {
            Result<FirewallBansResult> result = client.Call(
                FirewallMethods.Bans, new FirewallBansParameters { After = after });
            if (!result.IsOk)
            {
                return context.Fail(result.Fault);
            }

            page = result.Value;
            bans.AddRange(page.Bans);
            after = page.Next;
        }
        while (after is not null);

        if (context.IsJson)
        {
            context.PrintJson(
                new FirewallBansResult { Bans = bans, Total = page.Total },
                ControlJson.Default.FirewallBansResult);
            return ExitCodes.Ok;
        }

        if (bans.Count == 0)
        {
            context.Out.WriteLine("nothing is banned");
            return ExitCodes.Ok;
        }

        Table table = Tables.Make("ADDRESS", "UNTIL", "BY", "COMMENT");
        foreach (FirewallBan ban in bans)
        {
            table.Add(
                ban.Address,
                ban.Expires is { } expires ? Quantities.Time(expires) : "taken back",
                ban.Origin,
                ban.Comment ?? "");
        }

        Tables.Print(table, context.Out);
        return ExitCodes.Ok;
    }

    private static Argument<string[]> AddressesArgument(ArgumentArity arity) => new("ADDRESS")
    {
        Description = "Addresses, or /64 of IPv6",
        Arity = arity,
    };
}
