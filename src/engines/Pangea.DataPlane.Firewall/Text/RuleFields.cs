using System.Globalization;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Packets;

namespace Pangea.DataPlane.Firewall.Text;

/// <summary>Reads the fields of a rule, in any order, each at most once.</summary>
internal sealed class RuleFields(LineTokens tokens, Func<LineTokens, AddressList> addresses)
{
    private const int TextCharsMax = 256;
    private readonly HashSet<string> _seen = [];
    private readonly List<LineToken> _types = [];
    private RuleLimit? _limit;
    private Rate? _packets;
    private Rate? _bytes;

    public Rule Read(RuleAction action)
    {
        Rule rule = new() { Action = action };
        while (tokens.Next() is LineToken token)
        {
            rule = Field(rule, token);
        }

        if (_packets is not null || _bytes is not null)
        {
            _limit = (_limit ?? new RuleLimit()) with
            {
                Packets = _packets,
                Bytes = _bytes,
            };
        }

        rule = rule with { Limit = _limit };
        return _types.Count == 0 ? rule : rule with { IcmpTypes = IcmpTypes(rule) };
    }

    /// <summary>A name of the kernel's form: at most 15 characters, no slash.</summary>
    public static string InterfaceName(LineTokens tokens)
    {
        int column = tokens.Column;
        LineToken? token = tokens.Next();
        return token is { Text: { Length: > 0 and <= 15 } name } && !token.Value.Is(",")
            && !token.Value.Is("=") && name is not ("." or "..") && !name.Contains('/')
            && !name.Any(char.IsWhiteSpace)
            ? name
            : throw Wrong(column, "expected the name of an interface, at most 15 characters");
    }

    public static string Text(LineTokens tokens, string what)
    {
        int column = tokens.Column;
        string? text = tokens.Next()?.Text;
        return text is { Length: <= TextCharsMax } && !text.Any(char.IsControl)
            ? text
            : throw Wrong(column, $"expected {what} of at most {TextCharsMax} characters");
    }

    private static RuleSyntaxException Wrong(int column, string message) => new(column, message);

    private Rule Field(Rule rule, LineToken token)
    {
        if (token.IsQuoted)
        {
            throw Wrong(token.Column, $"\"{token.Text}\" belongs to no field");
        }

        if (RuleWords.Families.TryGetValue(token.Text, out PacketFamily family))
        {
            Once(token, "family");
            return rule with { Family = family };
        }

        if (RuleWords.Protocols.TryGetValue(token.Text, out byte protocol))
        {
            Once(token, "protocol");
            return rule with { Protocol = protocol };
        }

        Once(token, token.Text);
        return token.Text switch
        {
            "proto" => Protocol(rule, token),
            "syn" => rule with { Syn = true },
            "monitor" => rule with { Monitor = true },
            "type" => Types(rule),
            "fragment" => rule with { Fragment = Fragment() },
            "from" => rule with { From = addresses(tokens) },
            "to" => rule with { To = addresses(tokens) },
            "port" => rule with { DestinationPorts = Ports() },
            "sport" => rule with { SourcePorts = Ports() },
            "on" => rule with { Interfaces = Interfaces() },
            "vlan" => rule with { Vlan = Tag() },
            "inner-vlan" => rule with { InnerVlan = Tag() },
            "priority" => rule with { Priority = (int)Number(0, Rule.PriorityMax, "a priority") },
            "name" => rule with { Name = Name() },
            "owner" => rule with { Owner = Text(tokens, "an owner") },
            "comment" => rule with { Comment = Text(tokens, "a comment") },
            "expires" => rule with { Expires = Moment() },
            "rate" => WithRate(rule, false),
            "bytes" => WithRate(rule, true),
            "per" => Per(rule),
            "ban" => Ban(rule),
            _ => throw Wrong(token.Column, $"'{token.Text}' is no field of a rule"),
        };
    }

    private void Once(LineToken token, string field)
    {
        if (!_seen.Add(field))
        {
            throw Wrong(token.Column, $"the {field} was given before");
        }
    }

    private Rule Protocol(Rule rule, LineToken token)
    {
        Once(token, "protocol");
        return rule with { Protocol = (byte)Number(0, 255, "a protocol") };
    }

    private ulong Number(ulong least, ulong most, string what)
    {
        int column = tokens.Column;
        return tokens.Next() is LineToken token
            && ulong.TryParse(
                token.Text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong value)
            && value >= least && value <= most
            ? value
            : throw Wrong(column, $"expected {what} of {least}..{most}");
    }

    private Rule Types(Rule rule)
    {
        do
        {
            int column = tokens.Column;
            _types.Add(tokens.Next() ?? throw Wrong(column, "expected a type of ICMP"));
        }
        while (tokens.Take(","));
        return rule;
    }

    /// <summary>Names mean other numbers in ICMPv6, so they wait until the protocol is
    /// known.</summary>
    private List<IcmpType> IcmpTypes(Rule rule)
    {
        if (rule.Protocol is not (RuleMatch.Icmp or RuleMatch.IcmpV6))
        {
            throw Wrong(_types[0].Column, "a type needs icmp or icmpv6");
        }

        var names = rule.Protocol == RuleMatch.Icmp ? RuleWords.IcmpTypes : RuleWords.IcmpV6Types;
        List<IcmpType> types = [];
        foreach (LineToken token in _types)
        {
            string[] parts = token.Text.Split('/');
            byte code = 0;
            if ((!names.TryGetValue(parts[0], out byte type) && !Byte(parts[0], out type))
                || parts.Length > 2 || (parts.Length == 2 && !Byte(parts[1], out code)))
            {
                throw Wrong(
                    token.Column,
                    $"'{token.Text}' is no type: 0..255, perhaps with a code as 3/4, or "
                    + string.Join(", ", names.Keys.Order()));
            }

            types.Add(new IcmpType(type, parts.Length == 2 ? code : null));
        }

        return types;
    }

    private static bool Byte(string text, out byte value) =>
        byte.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);

    private FragmentMatch Fragment()
    {
        int column = tokens.Column;
        return tokens.Next()?.Text switch
        {
            "none" => FragmentMatch.Whole,
            "any" => FragmentMatch.Any,
            "first" => FragmentMatch.First,
            "later" => FragmentMatch.Later,
            _ => throw Wrong(column, "expected none, any, first or later"),
        };
    }

    private List<PortRange> Ports()
    {
        List<PortRange> ranges = [];
        do
        {
            int column = tokens.Column;
            string text = tokens.Next()?.Text ?? "";
            int dash = text.IndexOf('-');
            string last = dash < 0 ? text : text[(dash + 1)..];
            ranges.Add(
                Port(dash < 0 ? text : text[..dash], out ushort from) && Port(last, out ushort to)
                && from <= to
                    ? new PortRange(from, to)
                    : throw Wrong(column, $"'{text}' is no port or range of 0..65535"));
        }
        while (tokens.Take(","));
        return ranges;
    }

    private static bool Port(string text, out ushort port) =>
        ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port);

    private List<string> Interfaces()
    {
        List<string> names = [];
        do
        {
            names.Add(InterfaceName(tokens));
        }
        while (tokens.Take(","));
        return names;
    }

    private int Tag() => tokens.Take("none") ? Rule.Untagged : (int)Number(0, 4095, "a VLAN id");

    private string Name()
    {
        int column = tokens.Column;
        return tokens.Next() is LineToken token && RuleSetParser.IsName(token.Text)
            ? token.Text
            : throw Wrong(column, "expected a name: letters, digits, '-', '_' and '.'");
    }

    private DateTimeOffset Moment()
    {
        int column = tokens.Column;
        return DateTimeOffset.TryParseExact(
            tokens.Next()?.Text,
            ["yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK", "yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd"],
            CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal,
            out DateTimeOffset time)
            ? time
            : throw Wrong(column, "expected a time such as 2026-12-31T00:00:00Z");
    }

    private Rule WithRate(Rule rule, bool isBytes)
    {
        int column = tokens.Column;
        string text = tokens.Next()?.Text ?? "";
        int slash = text.IndexOf('/');
        if (slash < 0 || !RuleUnits.TryCount(text.AsSpan(0, slash), out ulong count)
            || !RuleUnits.TryPeriod(text.AsSpan(slash + 1), out TimeSpan period))
        {
            throw Wrong(column, $"'{text}' is no rate such as 100/s, 10k/m or 5m/h");
        }

        ulong burst = BurstDefault(count, isBytes);
        if (tokens.Take("burst"))
        {
            int at = tokens.Column;
            burst = RuleUnits.TryCount(tokens.Next()?.Text, out ulong given)
                ? given
                : throw Wrong(at, "expected a burst such as 200 or 1m");
        }

        Rate rate = new(count, period, burst);
        (isBytes ? ref _bytes : ref _packets) = rate;
        return rule;
    }

    /// <summary>What comes in one period may come at once.</summary>
    internal static ulong BurstDefault(ulong count, bool isBytes) =>
        isBytes ? Math.Max(count, Limits.FrameBurstBytesMin) : count;

    private Rule Per(Rule rule)
    {
        int column = tokens.Column;
        string text = tokens.Next()?.Text ?? "";
        string[] parts = text.Split('/');
        RuleLimit limit = _limit ?? new RuleLimit();
        int prefix4 = RuleLimit.Prefix4Default;
        int prefix6 = RuleLimit.Prefix6Default;
        bool isRule = text == "rule";
        if (!isRule && (parts[0] != "source" || parts.Length > 3
            || (parts.Length > 1 && !Bits(parts[1], 32, out prefix4))
            || (parts.Length > 2 && !Bits(parts[2], 128, out prefix6))))
        {
            throw Wrong(
                column, "expected rule, source, source/BITS or source/BITS/BITS6");
        }

        _limit = limit with
        {
            Scope = isRule ? PolicyScope.Rule : PolicyScope.Source,
            Prefix4 = prefix4,
            Prefix6 = prefix6,
        };
        return rule;
    }

    private static bool Bits(string text, int most, out int bits) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out bits)
        && bits <= most;

    private Rule Ban(Rule rule)
    {
        TimeSpan? duration = null;
        if (!tokens.Take("forever"))
        {
            duration = Time("the length of a ban such as 10m, or forever");
        }

        if (!tokens.Take("after"))
        {
            throw Wrong(tokens.Column, "expected: ban 10m after 50 in 10s");
        }

        int after = (int)Number(1, int.MaxValue, "a number of violations");
        if (!tokens.Take("in"))
        {
            throw Wrong(tokens.Column, "expected: ban 10m after 50 in 10s");
        }

        TimeSpan window = Time("a time such as 10s");
        int bits6 = tokens.Take("exact") ? 128 : 64;
        _limit = (_limit ?? new RuleLimit()) with
        {
            Ban = new BanAfter(duration, after, window, bits6),
        };
        return rule;
    }

    private TimeSpan Time(string what)
    {
        int column = tokens.Column;
        return RuleUnits.TryTime(tokens.Next()?.Text, out TimeSpan time)
            ? time
            : throw Wrong(column, $"expected {what}");
    }
}
