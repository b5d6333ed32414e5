using System.Globalization;
using System.Text;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Rules;

namespace Pangea.DataPlane.Firewall.Text;

/// <summary>Writes the canonical text: fields in one order, defaults left out.</summary>
internal static class RulePrinter
{
    private const int PrefixesPerLine = 4;

    public static string Print(RuleSet set)
    {
        StringBuilder text = new();
        Line(text, $"default {Word(set.Default)}");
        foreach ((string name, RuleAction action) in set.InterfaceDefaults
            .OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            Line(text, $"default {Word(action)} on {Plain(name)}");
        }

        uint allowed = RuleSet.MalformedAll & ~set.MalformedDrop;
        if (allowed == RuleSet.MalformedAll)
        {
            Line(text, "malformed allow");
        }
        else if (allowed != 0)
        {
            Line(text, "malformed allow " + string.Join(' ', RuleWords.MalformedKinds
                .Where(pair => (allowed & (1u << (int)pair.Value)) != 0)
                .OrderBy(pair => pair.Value).Select(pair => pair.Key)));
        }

        if (set.Monitor)
        {
            Line(text, "monitor");
        }

        foreach (PrefixSet prefixes in set.Sets.Values.OrderBy(s => s.Name, StringComparer.Ordinal))
        {
            Set(text, prefixes);
        }

        foreach (Pin pin in set.Pins)
        {
            Line(text, Print(pin));
        }

        foreach (Rule rule in set.Rules)
        {
            Line(text, Print(rule));
        }

        return text.ToString();
    }

    public static string Print(Pin pin)
    {
        string direction = pin.Direction == Direction.From ? "from" : "to";
        string comment = pin.Comment is null ? "" : $" comment {Quoted(pin.Comment)}";
        return $"pin {direction} {Addresses(pin.Addresses)}{comment}";
    }

    public static string Print(Rule rule)
    {
        StringBuilder text = new(rule.Action switch
        {
            RuleAction.Allow => "allow",
            RuleAction.Deny => "deny",
            _ => "limit",
        });
        Add(text, rule.Family is null
            ? null
            : RuleWords.NameOf(RuleWords.Families, rule.Family.Value));
        if (rule.Protocol is byte protocol)
        {
            Add(text, RuleWords.NameOf(RuleWords.Protocols, protocol) ?? $"proto {protocol}");
        }

        Add(text, rule.Syn ? "syn" : null);
        if (rule.IcmpTypes.Count > 0)
        {
            var names =
                rule.Protocol == RuleMatch.Icmp ? RuleWords.IcmpTypes : RuleWords.IcmpV6Types;
            Add(text, "type " + string.Join(',', rule.IcmpTypes.Select(type =>
                (RuleWords.NameOf(names, type.Type)
                    ?? type.Type.ToString(CultureInfo.InvariantCulture))
                + (type.Code is byte code ? $"/{code}" : ""))));
        }

        Add(text, rule.Fragment switch
        {
            FragmentMatch.Whole => "fragment none",
            FragmentMatch.Any => "fragment any",
            FragmentMatch.First => "fragment first",
            FragmentMatch.Later => "fragment later",
            _ => null,
        });
        Add(text, rule.From is null ? null : "from " + Addresses(rule.From));
        Add(text, Ports("sport", rule.SourcePorts));
        Add(text, rule.To is null ? null : "to " + Addresses(rule.To));
        Add(text, Ports("port", rule.DestinationPorts));
        Add(text, rule.Interfaces.Count == 0
            ? null
            : "on " + string.Join(',', rule.Interfaces.Select(Plain)));
        Add(text, Tag("vlan", rule.Vlan));
        Add(text, Tag("inner-vlan", rule.InnerVlan));
        Limit(text, rule.Limit);
        Rest(text, rule);
        return text.ToString();
    }

    private static void Limit(StringBuilder text, RuleLimit? limit)
    {
        if (limit is null)
        {
            return;
        }

        Add(text, Rate("rate", limit.Packets, false));
        Add(text, Rate("bytes", limit.Bytes, true));
        if (limit.Scope == PolicyScope.Source)
        {
            bool is6 = limit.Prefix6 != RuleLimit.Prefix6Default;
            bool is4 = is6 || limit.Prefix4 != RuleLimit.Prefix4Default;
            Add(text, "per source" + (is4 ? $"/{limit.Prefix4}" : "")
                + (is6 ? $"/{limit.Prefix6}" : ""));
        }

        if (limit.Ban is BanAfter ban)
        {
            string time = ban.Duration is TimeSpan duration ? RuleUnits.Time(duration) : "forever";
            Add(text, string.Create(
                CultureInfo.InvariantCulture,
                $"ban {time} after {ban.After} in {RuleUnits.Time(ban.Window)}")
                + (ban.Bits6 == 128 ? " exact" : ""));
        }
    }

    private static void Rest(StringBuilder text, Rule rule)
    {
        Add(text, rule.Monitor ? "monitor" : null);
        if (rule.Priority != Rule.PriorityDefault)
        {
            Add(text, string.Create(CultureInfo.InvariantCulture, $"priority {rule.Priority}"));
        }

        Add(text, rule.Expires?.UtcDateTime.ToString(
            "'expires 'yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", CultureInfo.InvariantCulture));
        Add(text, rule.Name is null ? null : "name " + rule.Name);
        Add(text, rule.Owner is null ? null : "owner " + Quoted(rule.Owner));
        Add(text, rule.Comment is null ? null : "comment " + Quoted(rule.Comment));
    }

    private static void Set(StringBuilder text, PrefixSet set)
    {
        string sign = "=";
        foreach (IpPrefix[] line in set.Prefixes.Chunk(PrefixesPerLine))
        {
            Line(text, $"set {set.Name} {sign} {string.Join(' ', line)}");
            sign = "+=";
        }

        foreach (string path in set.Includes)
        {
            Line(text, $"set {set.Name} {sign} include {Quoted(path)}");
            sign = "+=";
        }

        if (sign == "=")
        {
            Line(text, $"set {set.Name} =");
        }
    }

    private static string Word(RuleAction action) => action == RuleAction.Deny ? "deny" : "allow";

    private static void Line(StringBuilder text, string line) => text.Append(line).Append('\n');

    private static void Add(StringBuilder text, string? field)
    {
        if (field is not null)
        {
            text.Append(' ').Append(field);
        }
    }

    private static string Addresses(AddressList list) =>
        string.Join(',', list.Prefixes.Select(prefix => prefix.ToString())
            .Concat(list.SetNames.Select(name => "@" + name)));

    private static string? Ports(string word, IReadOnlyList<PortRange> ranges) =>
        ranges.Count == 0 ? null : $"{word} {string.Join(',', ranges)}";

    private static string? Tag(string word, int? tag) => tag switch
    {
        null => null,
        Rule.Untagged => word + " none",
        int id => string.Create(CultureInfo.InvariantCulture, $"{word} {id}"),
    };

    private static string? Rate(string word, Rate? rate, bool isBytes)
    {
        if (rate is null)
        {
            return null;
        }

        string burst = rate.Burst == RuleFields.BurstDefault(rate.Count, isBytes)
            ? ""
            : $" burst {RuleUnits.Count(rate.Burst)}";
        return $"{word} {RuleUnits.Count(rate.Count)}/{RuleUnits.Period(rate.Period)}{burst}";
    }

    /// <summary>Interfaces may have odd names.</summary>
    private static string Plain(string name) =>
        name.IndexOfAny([',', '=', '"', '#', '\\']) >= 0 ? Quoted(name) : name;

    private static string Quoted(string text) =>
        "\"" + text.Replace("\\", "\\\\", StringComparison.Ordinal)
            .Replace("\"", "\\\"", StringComparison.Ordinal) + "\"";
}
