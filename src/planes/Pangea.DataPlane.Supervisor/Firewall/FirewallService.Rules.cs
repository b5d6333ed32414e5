using System.Text;
using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Firewall.Text;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Reactor;

namespace Pangea.DataPlane.Supervisor.Firewall;

/// <content>The calls that change the rules, and those that hand them out as text.</content>
internal sealed partial class FirewallService
{
    private const int WarningsMax = 100;
    private const int ErrorsShownMax = 50;
    private const int ChunkBytes = 64 * 1024;
    private static readonly TimeSpan s_readTimeMax = TimeSpan.FromSeconds(30);

    /// <summary><c>firewall.rule.add</c>.</summary>
    public ValueTask<Result<FirewallChangeResult>> AddAsync(FirewallRuleAddParameters asked) =>
        RulesAsync(asked.ConfirmSeconds, (now, confirm) =>
        {
            Result<Rule> rule = RuleText.ParseRule(asked.Text, _book.Set.Sets);
            Result added = rule.IsOk
                ? _book.Add(rule.Value, asked.Number, now, confirm)
                : rule.Fault with { Field = "text" };
            return added.IsOk ? asked.Number ?? _book.Set.Rules.Count : added.Fault;
        });

    /// <summary><c>firewall.rule.remove</c>.</summary>
    public ValueTask<Result<FirewallChangeResult>> RemoveAsync(FirewallRuleRemoveParameters asked)
    {
        if ((asked.Name is null) == (asked.Number is null))
        {
            return new(Fault.InvalidParameter("name", "give either a name or a number"));
        }

        if (asked.Number is not null && asked.Generation is null)
        {
            return new(Fault.InvalidParameter(
                "generation", "a number is good for one generation only; give that of the list"));
        }

        return RulesAsync(asked.ConfirmSeconds, (now, confirm) =>
        {
            int number = asked.Number ?? 1 + _book.Set.Rules
                .TakeWhile(rule => rule.Name != asked.Name).Count();
            Result removed = asked.Name is { } name
                ? _book.Remove(name, now, confirm)
                : _book.Remove(number, (ulong)asked.Generation!, now, confirm);
            return removed.IsOk ? number : removed.Fault;
        });
    }

    /// <summary><c>firewall.rule.replace</c>.</summary>
    /// <param name="asked">The parameters.</param>
    /// <param name="source">Has the text where they have none; disposed here.</param>
    public async ValueTask<Result<FirewallChangeResult>> ReplaceAsync(
        FirewallRuleReplaceParameters asked, OwnedFd? source)
    {
        using OwnedFd? owned = source;
        if ((asked.Text is null) == (source is null))
        {
            return Fault.InvalidParameter("text", "give the rules as text or in a descriptor");
        }

        Result<string> text = asked.Text is { } given ? given : await ReadAsync(source!);
        if (!text.IsOk)
        {
            return text.Fault;
        }

        if (asked.CheckOnly)
        {
            return await CheckAsync(text.Value);
        }

        return await RulesAsync(asked.ConfirmSeconds, (now, confirm) =>
        {
            if (asked.Generation is { } generation && (ulong)generation != _book.Generation)
            {
                return new Fault(
                    FaultCode.BadState,
                    $"the rules are of generation {_book.Generation}, not {generation}",
                    "somebody else has changed them: read them again");
            }

            RuleTextResult parsed = RuleText.Parse(text.Value, "rules");
            Result replaced = parsed.Set is { } set
                ? _book.Replace(set, now, confirm)
                : RuleFiles.FaultOf([.. parsed.Errors.Take(ErrorsShownMax)]);
            return replaced.IsOk ? (int?)null : replaced.Fault;
        });
    }

    /// <summary><c>firewall.confirm</c>.</summary>
    public ValueTask<Result<FirewallChangeResult>> ConfirmAsync() =>
        RulesAsync(null, (_, _) =>
        {
            Result kept = _book.Confirm();
            return kept.IsOk ? (int?)null : kept.Fault;
        });

    /// <summary><c>firewall.rollback</c>.</summary>
    public ValueTask<Result<FirewallChangeResult>> RollbackAsync() =>
        RulesAsync(null, (now, _) =>
        {
            Result back = _book.Rollback(now);
            return back.IsOk ? (int?)null : back.Fault;
        });

    /// <summary><c>firewall.rule.export</c>.</summary>
    /// <param name="target">Gets the text; null: the result has it. Disposed here.</param>
    public async ValueTask<Result<FirewallRuleExportResult>> ExportAsync(OwnedFd? target)
    {
        using OwnedFd? owned = target;
        FirewallView view = _view;
        RuleSet set = view.Policy.RuleSet;
        byte[] text = await Task.Run(() =>
            Encoding.UTF8.GetBytes(RuleText.Print(set.WithoutIncludes())));
        if (target is not null)
        {
            for (int at = 0; at < text.Length;)
            {
                SysResult ready = await _reactor.PollAsync(
                    target, PollEvents.Writable, _stopping.Token);
                SysResult written = ready.IsOk
                    ? Files.Write(target, text.AsSpan(at, Math.Min(ChunkBytes, text.Length - at)))
                    : ready;
                if (!written.IsOk && written.Errno != Errno.EAGAIN)
                {
                    return written.Errno.ToFault("write the rules to the descriptor");
                }

                at += written.IsOk ? (int)written.Value : 0;
            }
        }
        else if (text.Length > Limits.RpcLineBytesMax / 4)
        {
            return new Fault(
                FaultCode.TooLarge,
                $"the rules have {text.Length} bytes, too many for one line",
                "pass a descriptor that is open for writing");
        }

        return new FirewallRuleExportResult
        {
            Generation = (long)view.Generation,
            Bytes = text.Length,
            Text = target is null ? Encoding.UTF8.GetString(text) : null,
        };
    }

    /// <summary>Changes the rules in their turn; keeps them unless they wait.</summary>
    private async ValueTask<Result<FirewallChangeResult>> RulesAsync(
        int? confirmSeconds, Func<DateTimeOffset, TimeSpan?, Result<int?>> change)
    {
        TimeSpan? confirm = confirmSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : null;
        Result<int?> changed = await ChangeAsync(() =>
        {
            Result<int?> done = change(DateTimeOffset.UtcNow, confirm);
            if (!done.IsOk)
            {
                return done;
            }

            _rulesFrom = "call";
            return Save() is { } unsaved ? unsaved : done;
        });
        _confirmDueMs = _view.ConfirmBefore is null ? long.MaxValue
            : changed.IsOk && confirm is { } time
                ? Environment.TickCount64 + (long)time.TotalMilliseconds
                : _confirmDueMs;
        if (!changed.IsOk)
        {
            return changed.Fault;
        }

        EventLog.Write(
            "firewall.rules",
            ("generation", _view.Generation),
            ("rules", _view.Policy.RuleSet.Rules.Count),
            ("confirmSeconds", confirmSeconds));
        return Describe(_view, changed.Value);
    }

    /// <summary>All that is wrong and strange with a text; changes nothing.</summary>
    private async ValueTask<Result<FirewallChangeResult>> CheckAsync(string text)
    {
        CompileOptions options = new()
        {
            Now = DateTimeOffset.UtcNow,
            Interfaces = _present,
        };
        return await Task.Run<Result<FirewallChangeResult>>(() =>
        {
            RuleTextResult parsed = RuleText.Parse(text, "rules");
            Result<CompiledPolicy>? policy = parsed.Set is { } set
                ? PolicyCompiler.Compile(set, options)
                : default(Result<CompiledPolicy>?);
            if (policy is { IsOk: false } refused)
            {
                return refused.Fault;
            }

            return new FirewallChangeResult
            {
                Applied = false,
                Generation = (long)_view.Generation,
                Rules = parsed.Set?.Rules.Count ?? 0,
                Prefixes = policy?.Value.Sizes.Prefixes ?? 0,
                Warnings = policy is { } compiled
                    ? Warnings(compiled.Value, RuleReport.Shadowed(parsed.Set!, options.Now))
                    : [],
                Errors =
                [
                    .. parsed.Errors.Select(each => new FirewallRuleError
                    {
                        Line = each.Line,
                        Column = each.Column,
                        Message = each.Message,
                    }),
                ],
            };
        });
    }

    /// <summary>The text of a descriptor to its end, or to the bound of a file of rules.</summary>
    private async ValueTask<Result<string>> ReadAsync(OwnedFd source)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
        long deadline = Environment.TickCount64 + (long)s_readTimeMax.TotalMilliseconds;
        _reactor.Post(() => _ = CancelLater(late));
        using MemoryStream text = new();
        byte[] chunk = new byte[ChunkBytes];
        while (text.Length <= RuleFiles.FileBytesMax)
        {
            SysResult ready = await _reactor.PollAsync(source, PollEvents.Readable, late.Token);
            SysResult read = ready.IsOk ? Files.Read(source, chunk) : ready;
            if (read is { IsOk: true, Value: 0 })
            {
                await late.CancelAsync();
                return Encoding.UTF8.GetString(text.GetBuffer(), 0, (int)text.Length);
            }

            if (!read.IsOk)
            {
                return Environment.TickCount64 >= deadline
                    ? new Fault(FaultCode.BadDescriptor, "the rules do not end within 30 s")
                    : read.Errno.ToFault("read the rules from the descriptor");
            }

            text.Write(chunk, 0, (int)read.Value);
        }

        return new Fault(
            FaultCode.TooLarge, $"the rules have more than {RuleFiles.FileBytesMax} bytes");
    }

    private async ValueTask CancelLater(CancellationTokenSource late)
    {
        if ((await _reactor.DelayAsync(s_readTimeMax, late.Token)).IsOk)
        {
            await late.CancelAsync();
        }
    }

    private static FirewallChangeResult Describe(FirewallView view, int? number) => new()
    {
        Applied = true,
        Generation = (long)view.Generation,
        Rules = view.Policy.RuleSet.Rules.Count,
        Prefixes = view.Policy.Sizes.Prefixes,
        Warnings = Warnings(view.Policy, view.Shadowed),
        Errors = [],
        Number = number,
        ConfirmBefore = view.ConfirmBefore?.UtcDateTime,
    };

    private static List<string> Warnings(
        CompiledPolicy policy, IReadOnlyList<ShadowedRule> shadowed)
    {
        List<string> warnings = [.. policy.Warnings.Take(WarningsMax)];
        foreach (ShadowedRule each in shadowed.Take(WarningsMax - warnings.Count))
        {
            string how = each.Contradicts ? "contradicts it" : "is superfluous";
            warnings.Add(
                $"'{Short(each.Rule)}' never decides: '{Short(each.By)}' before it takes all that "
                    + $"it matches, so it {how}");
        }

        int more = policy.Warnings.Count + shadowed.Count - warnings.Count;
        if (more > 0)
        {
            warnings.Add($"and {more} more");
        }

        return warnings;
    }

    private static string Short(Rule rule)
    {
        const int charactersMax = 120;
        string text = RuleText.Print(rule);
        return text.Length <= charactersMax ? text : text[..charactersMax] + " ...";
    }
}
