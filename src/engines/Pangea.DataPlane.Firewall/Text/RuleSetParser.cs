using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Packets;

namespace Pangea.DataPlane.Firewall.Text;

/// <summary>
/// Reads statements line by line. A line with an error adds nothing and does not stop the others,
/// so that one run shows all of them.
/// </summary>
internal sealed class RuleSetParser(
    string source, Func<string, Result<IReadOnlyList<ListFile>>>? include)
{
    private const int NameCharsMax = 64;

    /// <summary>No prefix is longer, and nobody wants to read more in an error.</summary>
    private const int ListTextCharsMax = 64;
    private readonly List<RuleError> _errors = [];
    private readonly Dictionary<string, SetBuilder> _sets = [];
    private readonly Dictionary<string, RuleAction> _interfaceDefaults = [];
    private readonly List<Pin> _pins = [];
    private readonly List<Rule> _rules = [];
    private readonly HashSet<string> _names = [];
    private readonly List<(string Name, int Line, int Column)> _setUses = [];
    private RuleAction? _default;
    private uint _malformedDrop = RuleSet.MalformedAll;
    private bool _isMonitor;
    private int _line;

    private sealed class SetBuilder
    {
        public List<IpPrefix> Prefixes { get; } = [];

        public List<string> Includes { get; } = [];

        public List<IpPrefix> Included { get; } = [];
    }

    public void Line(string line, int number)
    {
        _line = number;
        LineTokens? tokens = LineTokens.Split(line, out (int Column, string Message) error);
        if (tokens is null)
        {
            Add(error.Column, error.Message);
            return;
        }

        if (tokens.Next() is not LineToken first)
        {
            return;
        }

        try
        {
            Statement(first, tokens);
            if (!tokens.AtEnd)
            {
                throw Wrong(tokens.Column, $"'{tokens.Peek()!.Value.Text}' is too much here");
            }
        }
        catch (RuleSyntaxException wrong)
        {
            Add(wrong.Column, wrong.Message);
        }
    }

    /// <param name="known">Sets that are there already; those of the text come on top.</param>
    public RuleTextResult End(IReadOnlyDictionary<string, PrefixSet>? known = null)
    {
        Dictionary<string, PrefixSet> sets = known is null ? [] : new(known);
        foreach ((string name, SetBuilder set) in _sets)
        {
            sets[name] = new PrefixSet(name, set.Prefixes, set.Includes, set.Included);
        }

        foreach ((string name, int line, int column) in _setUses)
        {
            if (!sets.ContainsKey(name))
            {
                _line = line;
                Add(column, $"there is no set '{name}'");
            }
        }

        if (_errors.Count > 0)
        {
            // Stable, so that several errors of one line stay in their order.
            return new RuleTextResult(
                null, [.. _errors.OrderBy(error => error.Source != source)
                    .ThenBy(error => error.Line)]);
        }

        return new RuleTextResult(
            new RuleSet
            {
                Default = _default ?? RuleAction.Allow,
                InterfaceDefaults = _interfaceDefaults,
                MalformedDrop = _malformedDrop,
                Monitor = _isMonitor,
                Sets = sets,
                Pins = _pins,
                Rules = _rules,
            },
            []);
    }

    private static RuleSyntaxException Wrong(int column, string message) => new(column, message);

    private void Add(int column, string message, string? file = null, int line = 0)
    {
        if (_errors.Count < RuleText.ErrorsMax)
        {
            _errors.Add(new RuleError(file ?? source, line == 0 ? _line : line, column, message));
        }
    }

    private void Statement(LineToken first, LineTokens tokens)
    {
        switch (first.IsQuoted ? "" : first.Text)
        {
            case "allow":
                AddRule(RuleAction.Allow, first, tokens);
                break;
            case "deny":
                AddRule(RuleAction.Deny, first, tokens);
                break;
            case "limit":
                AddRule(RuleAction.Limit, first, tokens);
                break;
            case "default":
                Default(tokens);
                break;
            case "malformed":
                Malformed(tokens);
                break;
            case "monitor":
                _isMonitor = true;
                break;
            case "set":
                Set(tokens);
                break;
            case "pin":
                AddPin(tokens);
                break;
            default:
                throw Wrong(
                    first.Column,
                    $"'{first.Text}' begins no statement; expected allow, deny, limit, default, "
                    + "malformed, monitor, set or pin");
        }
    }

    private void AddRule(RuleAction action, LineToken first, LineTokens tokens)
    {
        RuleFields fields = new(tokens, Addresses);
        Rule rule = fields.Read(action);
        if (RuleCheck.Error(rule) is string error)
        {
            throw Wrong(first.Column, error);
        }

        if (rule.Name is string name && !_names.Add(name))
        {
            throw Wrong(first.Column, $"the name '{name}' is taken by a rule before");
        }

        _rules.Add(rule);
    }

    private void Default(LineTokens tokens)
    {
        RuleAction action = AllowOrDeny(tokens);
        if (!tokens.Take("on"))
        {
            _default = _default is null
                ? action
                : throw Wrong(tokens.Column, "the default was given before");
            return;
        }

        do
        {
            int column = tokens.Column;
            string name = RuleFields.InterfaceName(tokens);
            if (!_interfaceDefaults.TryAdd(name, action))
            {
                throw Wrong(column, $"the default on '{name}' was given before");
            }
        }
        while (tokens.Take(","));
    }

    private static RuleAction AllowOrDeny(LineTokens tokens)
    {
        int column = tokens.Column;
        return tokens.Take("allow")
            ? RuleAction.Allow
            : tokens.Take("deny")
                ? RuleAction.Deny
                : throw Wrong(column, "expected allow or deny");
    }

    private void Malformed(LineTokens tokens)
    {
        int column = tokens.Column;
        bool drop = tokens.Take("drop")
            || (tokens.Take("allow") ? false : throw Wrong(column, "expected drop or allow"));
        uint kinds = tokens.AtEnd ? RuleSet.MalformedAll : 0;
        while (tokens.Next() is LineToken token)
        {
            if (token.Is(","))
            {
                continue;
            }

            if (!RuleWords.MalformedKinds.TryGetValue(token.Text, out MalformedKind kind))
            {
                string known = string.Join(
                    ", ", RuleWords.MalformedKinds.OrderBy(pair => pair.Value)
                        .Select(pair => pair.Key));
                throw Wrong(
                    token.Column, $"'{token.Text}' is no way of being malformed: {known}");
            }

            kinds |= 1u << (int)kind;
        }

        _malformedDrop = drop ? _malformedDrop | kinds : _malformedDrop & ~kinds;
    }

    private void Set(LineTokens tokens)
    {
        int column = tokens.Column;
        string name = tokens.Next() is { IsQuoted: false } word && IsName(word.Text)
            ? word.Text
            : throw Wrong(column, "expected the name of a set: letters, digits, '-', '_' and '.'");
        bool isMore = tokens.Take("+");
        if (!tokens.Take("="))
        {
            throw Wrong(tokens.Column, "expected '=' or '+='");
        }

        bool isKnown = _sets.TryGetValue(name, out SetBuilder? set);
        if (isKnown && !isMore)
        {
            throw Wrong(column, $"the set '{name}' was given before; '+=' adds to it");
        }

        if (set is null)
        {
            set = new SetBuilder();
            _sets.Add(name, set);
        }

        while (tokens.Next() is LineToken token)
        {
            if (token.Is(","))
            {
                continue;
            }

            if (token.Is("include"))
            {
                int at = tokens.Column;
                Include(
                    set,
                    tokens.Next()?.Text ?? throw Wrong(at, "expected a file or folder to include"),
                    at);
            }
            else if (IpPrefix.TryParse(token.Text, out IpPrefix prefix, out string? error))
            {
                set.Prefixes.Add(prefix);
            }
            else
            {
                Add(token.Column, error!);
            }
        }
    }

    private void Include(SetBuilder set, string path, int column)
    {
        if (include is null)
        {
            throw Wrong(column, "a text that is no file includes none; write the prefixes out");
        }

        Result<IReadOnlyList<ListFile>> files = include(path);
        if (!files.IsOk)
        {
            throw Wrong(column, files.Fault.Message);
        }

        set.Includes.Add(path);
        foreach (ListFile file in files.Value)
        {
            ReadList(set, file);
        }
    }

    /// <summary>One prefix a line; a comment begins with # or ;.</summary>
    private void ReadList(SetBuilder set, ListFile file)
    {
        int number = 0;
        foreach (ReadOnlySpan<char> line in file.Text.AsSpan().EnumerateLines())
        {
            number++;
            int comment = line.IndexOfAny('#', ';');
            ReadOnlySpan<char> text = (comment < 0 ? line : line[..comment]).Trim();
            if (text.IsEmpty)
            {
                continue;
            }

            if (set.Included.Count == Limits.FirewallPrefixesMax)
            {
                Add(1, $"more than {Limits.FirewallPrefixesMax} prefixes", file.Name, number);
                return;
            }

            string? error = null;
            if (text.Length <= ListTextCharsMax
                && IpPrefix.TryParse(text, out IpPrefix prefix, out error))
            {
                set.Included.Add(prefix);
            }
            else
            {
                Add(
                    line.IndexOf(text) + 1,
                    error ?? "the line is too long for a prefix",
                    file.Name,
                    number);
            }
        }
    }

    private void AddPin(LineTokens tokens)
    {
        int column = tokens.Column;
        Direction direction = tokens.Take("from")
            ? Direction.From
            : tokens.Take("to") ? Direction.To : throw Wrong(column, "expected from or to");
        AddressList addresses = Addresses(tokens);
        string? comment = tokens.Take("comment") ? RuleFields.Text(tokens, "a comment") : null;
        _pins.Add(new Pin(direction, addresses, comment));
    }

    private AddressList Addresses(LineTokens tokens)
    {
        List<IpPrefix> prefixes = [];
        List<string> names = [];
        do
        {
            int column = tokens.Column;
            LineToken token = tokens.Next() ?? throw Wrong(column, "expected a prefix or @set");
            if (token.Text.StartsWith('@') && IsName(token.Text.AsSpan(1)))
            {
                names.Add(token.Text[1..]);
                _setUses.Add((token.Text[1..], _line, column));
            }
            else if (IpPrefix.TryParse(token.Text, out IpPrefix prefix, out string? error))
            {
                prefixes.Add(prefix);
            }
            else
            {
                throw Wrong(column, error!);
            }
        }
        while (tokens.Take(","));
        return new AddressList(prefixes, names);
    }

    internal static bool IsName(ReadOnlySpan<char> text)
    {
        if (text.Length is 0 or > NameCharsMax)
        {
            return false;
        }

        foreach (char c in text)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.'))
            {
                return false;
            }
        }

        return true;
    }
}

/// <summary>Ends the reading of one line; caught by the line loop and nowhere else.</summary>
internal sealed class RuleSyntaxException(int column, string message) : Exception(message)
{
    public int Column => column;
}
