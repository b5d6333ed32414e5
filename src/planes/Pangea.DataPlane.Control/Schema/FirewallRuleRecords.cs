using System.Text.Json;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Control.Schema;

/// <summary>Parameters of <c>firewall.rule.list</c>.</summary>
public sealed record FirewallRuleListParameters
{
    /// <summary>Only rules of higher numbers.</summary>
    public int? After { get; init; }

    public int? Limit { get; init; }

    /// <summary>Refuse unless this set is still in use; for the pages of a list.</summary>
    public long? Generation { get; init; }
}

/// <summary>Result of <c>firewall.rule.list</c>.</summary>
public sealed record FirewallRuleListResult
{
    public required IReadOnlyList<FirewallRule> Rules { get; init; }

    public required long Generation { get; init; }

    /// <summary>Rules of the set, in all.</summary>
    public required long Total { get; init; }

    /// <summary>Pass as "after" for the next page; null on the last.</summary>
    public int? Next { get; init; }
}

/// <summary>A rule in use with its counters.</summary>
public sealed record FirewallRule
{
    /// <summary>From 1; good for one generation.</summary>
    public required int Number { get; init; }

    public string? Name { get; init; }

    /// <summary>Canonical; a long one is cut by <see cref="FirewallRulePage"/>.</summary>
    public required string Text { get; init; }

    public string? Owner { get; init; }

    public string? Comment { get; init; }

    /// <summary>UTC.</summary>
    public DateTime? Expires { get; init; }

    /// <summary>Packets that the rule decided, dropped ones included.</summary>
    public required long Packets { get; init; }

    public required long Bytes { get; init; }

    public required long Drops { get; init; }

    /// <summary>Packets that passed because of monitoring; null where nothing monitors.</summary>
    public long? WouldDrop { get; init; }

    /// <summary>Number of the earlier rule that leaves nothing to this one.</summary>
    public int? ShadowedBy { get; init; }
}

/// <summary>
/// Fills one page of <c>firewall.rule.list</c>: it ends at the asked number of entries or before
/// its line would exceed <see cref="Limits.RpcLineBytesMax"/>.
/// </summary>
public sealed class FirewallRulePage
{
    /// <summary>Longer texts are cut; the export has them whole.</summary>
    public const int TextCharsMax = 4096;

    // Room for the numbers, the time and the names of the members.
    private const int EntryBytes = 320;
    private const int PageBytesMax = Limits.RpcLineBytesMax / 8 * 7;

    private readonly List<FirewallRule> _rules = [];
    private readonly int _limit;
    private int _bytes;
    private bool _more;

    /// <param name="limit">Entries asked for; null means <see cref="Limits.ListPageMax"/>.</param>
    public FirewallRulePage(int? limit) => _limit = Math.Clamp(
        limit ?? Limits.ListPageMax, 1, Limits.ListPageMax);

    /// <summary>Takes the rule, or refuses it because the page is full; then stop.</summary>
    public bool TryAdd(FirewallRule rule)
    {
        if (rule.Text.Length > TextCharsMax)
        {
            rule = rule with { Text = string.Concat(rule.Text.AsSpan(0, TextCharsMax), " ...") };
        }

        int bytes = EntryBytes + Encoded(rule.Text) + Encoded(rule.Comment) + Encoded(rule.Owner)
            + Encoded(rule.Name);
        if (_rules.Count == _limit || (_bytes + bytes > PageBytesMax && _rules.Count > 0))
        {
            _more = true;
            return false;
        }

        _bytes += bytes;
        _rules.Add(rule);
        return true;
    }

    public FirewallRuleListResult Build(long generation, long total) => new()
    {
        Rules = _rules,
        Generation = generation,
        Total = total,
        Next = _more ? _rules[^1].Number : null,
    };

    private static int Encoded(string? text) => text is null
        ? 0
        : JsonEncodedText.Encode(text, ControlJsonText.Encoder).EncodedUtf8Bytes.Length;
}

/// <summary>Parameters of <c>firewall.rule.add</c>.</summary>
public sealed record FirewallRuleAddParameters
{
    /// <summary>One rule; it may name sets of the rules in use.</summary>
    public required string Text { get; init; }

    /// <summary>Place from 1; null: the last.</summary>
    public int? Number { get; init; }

    /// <summary>Null: the change needs no confirmation.</summary>
    public int? ConfirmSeconds { get; init; }
}

/// <summary>Parameters of <c>firewall.rule.remove</c>: a name, or number and
/// generation.</summary>
public sealed record FirewallRuleRemoveParameters
{
    public string? Name { get; init; }

    public int? Number { get; init; }

    /// <summary>Of the list that the number is from.</summary>
    public long? Generation { get; init; }

    /// <inheritdoc cref="FirewallRuleAddParameters.ConfirmSeconds"/>
    public int? ConfirmSeconds { get; init; }
}

/// <summary>Parameters of <c>firewall.rule.replace</c>.</summary>
public sealed record FirewallRuleReplaceParameters
{
    /// <summary>The whole rule set; null: a descriptor with it comes along.</summary>
    public string? Text { get; init; }

    /// <summary>Refuse unless the set in use is still this one.</summary>
    public long? Generation { get; init; }

    /// <summary>Change nothing; report all errors and warnings in the result.</summary>
    public bool CheckOnly { get; init; }

    /// <inheritdoc cref="FirewallRuleAddParameters.ConfirmSeconds"/>
    public int? ConfirmSeconds { get; init; }
}

/// <summary>Result of the calls that change the rules.</summary>
public sealed record FirewallChangeResult
{
    /// <summary>False where the rules were only checked.</summary>
    public required bool Applied { get; init; }

    public required long Generation { get; init; }

    /// <summary>Rules of the set.</summary>
    public required long Rules { get; init; }

    public required long Prefixes { get; init; }

    /// <summary>Shadowed rules, unknown interfaces; one sentence each.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }

    /// <summary>Empty where the rules are in use.</summary>
    public required IReadOnlyList<FirewallRuleError> Errors { get; init; }

    /// <summary>Of the rule that was added or removed.</summary>
    public int? Number { get; init; }

    /// <summary>When the change is taken back, UTC; null: it stays.</summary>
    public DateTime? ConfirmBefore { get; init; }
}

/// <summary>One thing wrong in a text of rules.</summary>
public sealed record FirewallRuleError
{
    /// <summary>From 1.</summary>
    public required int Line { get; init; }

    /// <summary>From 1, in characters.</summary>
    public required int Column { get; init; }

    public required string Message { get; init; }
}

/// <summary>Result of <c>firewall.rule.export</c>.</summary>
public sealed record FirewallRuleExportResult
{
    public required long Generation { get; init; }

    /// <summary>Of the text, in UTF-8.</summary>
    public required long Bytes { get; init; }

    /// <summary>Null where it was written to the descriptor.</summary>
    public string? Text { get; init; }
}

/// <summary>Parameters of <c>firewall.ban</c>.</summary>
public sealed record FirewallBanParameters
{
    /// <summary>An address, or a /64 of IPv6.</summary>
    public required string Address { get; init; }

    /// <summary>Null: until it is taken back.</summary>
    public long? ForSeconds { get; init; }

    public string? Comment { get; init; }
}

/// <summary>A banned source.</summary>
public sealed record FirewallBan
{
    public required string Address { get; init; }

    /// <summary>UTC; null: never.</summary>
    public DateTime? Expires { get; init; }

    public string? Comment { get; init; }

    /// <summary>"operator", "rule" or "plane"; null where it is not known.</summary>
    public string? Origin { get; init; }
}

/// <summary>Parameters of <c>firewall.unban</c>: an address, or all.</summary>
public sealed record FirewallUnbanParameters
{
    /// <inheritdoc cref="FirewallBanParameters.Address"/>
    public string? Address { get; init; }

    public bool All { get; init; }
}

/// <summary>Result of <c>firewall.unban</c>.</summary>
public sealed record FirewallUnbanResult
{
    /// <summary>Bans that were taken back.</summary>
    public required long Removed { get; init; }
}

/// <summary>Parameters of <c>firewall.bans</c>.</summary>
public sealed record FirewallBansParameters
{
    /// <summary>"next" of the page before.</summary>
    public string? After { get; init; }

    public int? Limit { get; init; }
}

/// <summary>Result of <c>firewall.bans</c>.</summary>
public sealed record FirewallBansResult
{
    /// <summary>Those that have not ended.</summary>
    public required IReadOnlyList<FirewallBan> Bans { get; init; }

    /// <summary>In all.</summary>
    public required long Total { get; init; }

    /// <summary>Pass as "after" for the next page; null on the last.</summary>
    public string? Next { get; init; }
}
