using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Rules;

namespace Pangea.DataPlane.Firewall.Keeping;

/// <summary>
/// Keeps the rule set in use and changes it as a whole or not at all: compile, hand to the
/// executor, and only when that took it, remember. A change may ask to be confirmed in time, else
/// the last confirmed set comes back by itself, so that nobody locks himself out for good. Belongs
/// to one thread; time is handed in.
/// </summary>
public sealed class RuleBook
{
    private readonly Func<CompiledPolicy, Result> _apply;
    private IReadOnlyDictionary<string, uint> _interfaces;
    private PolicyFeature _extraFeatures;
    private RuleSet? _confirmed;

    private RuleBook(
        Func<CompiledPolicy, Result> apply, IReadOnlyDictionary<string, uint> interfaces)
    {
        _apply = apply;
        _interfaces = interfaces;
    }

    /// <summary>What is in use.</summary>
    public CompiledPolicy Policy { get; private set; } = null!;

    public RuleSet Set => Policy.RuleSet;

    /// <summary>Number of the set in use; goes up with every change.</summary>
    public ulong Generation { get; private set; }

    /// <summary>When the last confirmed set comes back; null if nothing waits.</summary>
    public DateTimeOffset? ConfirmBefore { get; private set; }

    /// <summary>What comes back unless the change that waits is confirmed.</summary>
    public RuleSet Confirmed => _confirmed ?? Set;

    /// <summary>Opens a book.</summary>
    /// <param name="set">The first rule set.</param>
    /// <param name="slots">As saved by the process before, or <see
    /// cref="SlotTable.Empty"/>.</param>
    /// <param name="interfaces">Those that exist.</param>
    /// <param name="now">The present moment.</param>
    /// <param name="apply">
    /// Makes the executor use a policy; a fault means that it still uses the one before.
    /// </param>
    /// <param name="features">Features that the executor needs besides those of the rules.</param>
    /// <param name="generation">Of the last set of the process before; numbers go on.</param>
    public static Result<RuleBook> Open(
        RuleSet set, SlotTable slots, IReadOnlyDictionary<string, uint> interfaces,
        DateTimeOffset now, Func<CompiledPolicy, Result> apply,
        PolicyFeature features = PolicyFeature.None, ulong generation = 0)
    {
        RuleBook book = new(apply, interfaces)
        {
            _extraFeatures = features,
            Generation = generation,
        };
        Result done = book.Use(set, slots, now);
        return done.IsOk ? book : done.Fault;
    }

    /// <summary>Puts another set in the place of the one in use.</summary>
    /// <param name="set">The new one.</param>
    /// <param name="now">The present moment.</param>
    /// <param name="confirm">
    /// Bring the last confirmed set back unless <see cref="Confirm"/> is called within this time.
    /// </param>
    public Result Replace(RuleSet set, DateTimeOffset now, TimeSpan? confirm = null)
    {
        if (ConfirmBefore is DateTimeOffset before && confirm is null)
        {
            return new Fault(
                FaultCode.BadState,
                $"a change waits to be confirmed before {before:HH:mm:ss}Z",
                "confirm it first, or let the next change be confirmed too");
        }

        if (confirm <= TimeSpan.Zero || confirm > RuleLimit.TimeMax)
        {
            return Fault.InvalidParameter("confirm", $"{confirm} is no time to confirm within");
        }

        RuleSet last = Set;
        Result done = Use(set, Policy.Slots, now);
        if (done.IsOk && confirm is TimeSpan time)
        {
            _confirmed ??= last;
            ConfirmBefore = now + time;
        }

        return done;
    }

    /// <summary>Adds a rule.</summary>
    /// <param name="rule">The rule.</param>
    /// <param name="number">Its number from 1 on; null: the last.</param>
    /// <param name="now">The present moment.</param>
    /// <param name="confirm">As in <see cref="Replace"/>.</param>
    public Result Add(Rule rule, int? number, DateTimeOffset now, TimeSpan? confirm = null)
    {
        if (RuleCheck.Error(rule) is string error)
        {
            return Fault.InvalidParameter("rule", error);
        }

        if (rule.Name is string name && Set.Rules.Any(other => other.Name == name))
        {
            return new Fault(FaultCode.Exists, $"the name '{name}' is taken by another rule");
        }

        int index = (number ?? (Set.Rules.Count + 1)) - 1;
        if (index < 0 || index > Set.Rules.Count)
        {
            return Fault.InvalidParameter(
                "number", $"{number} is not in 1..{Set.Rules.Count + 1}");
        }

        List<Rule> rules = [.. Set.Rules];
        rules.Insert(index, rule);
        return Replace(Set with { Rules = rules }, now, confirm);
    }

    /// <summary>Takes out the rule of a name.</summary>
    public Result Remove(string name, DateTimeOffset now, TimeSpan? confirm = null)
    {
        List<Rule> rules = [.. Set.Rules.Where(rule => rule.Name != name)];
        return rules.Count < Set.Rules.Count
            ? Replace(Set with { Rules = rules }, now, confirm)
            : new Fault(FaultCode.NotFound, $"no rule has the name '{name}'");
    }

    /// <summary>Takes out the rule of a number, which is only good for one generation.</summary>
    public Result Remove(
        int number, ulong generation, DateTimeOffset now, TimeSpan? confirm = null)
    {
        if (generation != Generation)
        {
            return new Fault(
                FaultCode.BadState,
                $"the rules are of generation {Generation}, the number of {generation}",
                "list the rules again");
        }

        if (number < 1 || number > Set.Rules.Count)
        {
            return new Fault(
                FaultCode.NotFound, $"there is no rule {number}, they are 1..{Set.Rules.Count}");
        }

        List<Rule> rules = [.. Set.Rules];
        rules.RemoveAt(number - 1);
        return Replace(Set with { Rules = rules }, now, confirm);
    }

    /// <summary>Keeps the change that waits.</summary>
    public Result Confirm()
    {
        if (ConfirmBefore is null)
        {
            return new Fault(FaultCode.BadState, "no change waits to be confirmed");
        }

        ConfirmBefore = null;
        _confirmed = null;
        return Result.Ok;
    }

    /// <summary>Takes the change that waits back at once.</summary>
    public Result Rollback(DateTimeOffset now)
    {
        if (_confirmed is not { } set)
        {
            return new Fault(FaultCode.BadState, "no change waits to be confirmed");
        }

        Result done = Use(set, Policy.Slots, now);
        if (done.IsOk)
        {
            ConfirmBefore = null;
            _confirmed = null;
        }

        return done;
    }

    /// <summary>
    /// What time brings: a change that nobody confirmed is taken back, an expired rule leaves. To
    /// be called at <see cref="NextDue"/> and harmless at any other time. A fault leaves everything
    /// as it was, and the next call tries again.
    /// </summary>
    /// <returns>Whether the set in use changed.</returns>
    public Result<bool> Tick(DateTimeOffset now)
    {
        RuleSet set = Set;
        if (ConfirmBefore <= now)
        {
            set = _confirmed!;
        }
        else if (!Policy.IsDue(now))
        {
            return false;
        }

        Result done = Use(set, Policy.Slots, now);
        if (!done.IsOk)
        {
            return done.Fault;
        }

        if (ReferenceEquals(set, _confirmed))
        {
            ConfirmBefore = null;
            _confirmed = null;
        }

        return true;
    }

    /// <summary>When <see cref="Tick"/> has something to do; null: never as things are.</summary>
    public DateTimeOffset? NextDue =>
        ConfirmBefore is null || Policy.NextExpiry < ConfirmBefore
            ? Policy.NextExpiry ?? ConfirmBefore
            : ConfirmBefore;

    /// <summary>An interface came, went, or came back under another index.</summary>
    public Result SetInterfaces(
        IReadOnlyDictionary<string, uint> interfaces, DateTimeOffset now)
    {
        IReadOnlyDictionary<string, uint> before = _interfaces;
        _interfaces = interfaces;
        Result done = Use(Set, Policy.Slots, now);
        _interfaces = done.IsOk ? interfaces : before;
        return done;
    }

    /// <summary>Features that the executor needs besides those of the rules: bans.</summary>
    public Result SetExtraFeatures(PolicyFeature features, DateTimeOffset now)
    {
        PolicyFeature before = _extraFeatures;
        _extraFeatures = features;
        Result done = Use(Set, Policy.Slots, now);
        _extraFeatures = done.IsOk ? features : before;
        return done;
    }

    private Result Use(RuleSet set, SlotTable slots, DateTimeOffset now)
    {
        Result<CompiledPolicy> policy = PolicyCompiler.Compile(set, new CompileOptions
        {
            Now = now,
            Interfaces = _interfaces,
            Slots = slots,
            Geometry = Policy?.Geometry,
            Generation = Generation + 1,
            ExtraFeatures = _extraFeatures,
        });
        if (!policy.IsOk)
        {
            return policy.Fault;
        }

        Result applied = _apply(policy.Value);
        if (applied.IsOk)
        {
            Policy = policy.Value;
            Generation++;
        }

        return applied;
    }
}
