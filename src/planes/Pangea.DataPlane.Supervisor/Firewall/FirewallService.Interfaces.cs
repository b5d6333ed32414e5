using Pangea.DataPlane.Control.Schema;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Linux.Network;
using Pangea.DataPlane.Reactor;
using Pangea.DataPlane.Supervisor.Configuration;
using Pangea.DataPlane.Xdp;

namespace Pangea.DataPlane.Supervisor.Firewall;

/// <content>Interfaces: attach, detach, those that come and go, a new configuration.</content>
internal sealed partial class FirewallService
{
    /// <summary>Changes often come in bursts; the list is read once for all of them.</summary>
    private static readonly TimeSpan s_linksPause = TimeSpan.FromMilliseconds(20);

    /// <summary><c>firewall.attach</c>.</summary>
    public ValueTask<Result<FirewallInterface>> AttachAsync(FirewallAttachParameters asked)
    {
        if (!NetworkInterfaces.IsName(asked.Interface))
        {
            return new(Fault.InvalidParameter(
                "interface", $"\"{asked.Interface}\" is no name of an interface"));
        }

        Result<AttachChoice> choice = FirewallSettings.ParseChoice(asked.Mode ?? "auto");
        return !choice.IsOk ? new(choice.Fault) : ChangeAsync(() => Attach(
            new GuardedInterface(asked.Interface, choice.Value, asked.Force)));
    }

    /// <summary><c>firewall.detach</c>.</summary>
    public ValueTask<Result<FirewallDetachResult>> DetachAsync(FirewallDetachParameters asked) =>
        ChangeAsync(() => Detach(asked.Interface));

    /// <summary>
    /// Applies a new section: all of it, or nothing. Returns what takes it back, for a
    /// configuration whose other parts are refused.
    /// </summary>
    public async ValueTask<Result<FirewallReload>> ReloadAsync(FirewallSettings settings)
    {
        FirewallSettings old = _settings;
        RuleSet rules = _book.Set;
        string? digest = _fileDigest;
        string from = _rulesFrom;
        Result<bool> applied = await ChangeAsync(() => Reload(settings));
        if (!applied.IsOk)
        {
            return applied.Fault;
        }

        async ValueTask Undo() => await ChangeAsync<bool>(() =>
        {
            _settings = old;
            _fileDigest = digest;
            _rulesFrom = from;
            _interfaces = AttachAll(Configured(old));
            Result back = _book.Replace(rules, DateTimeOffset.UtcNow);
            return back.IsOk ? true : back.Fault;
        });

        return new FirewallReload(applied.Value, Undo);
    }

    private Result<bool> Reload(FirewallSettings settings)
    {
        bool hasNewRules = false;
        if (settings.RulesPath is { } path)
        {
            Result<(RuleSet Set, string Digest)> file = ReadRules(path);
            hasNewRules = file.IsOk && file.Value.Digest != _fileDigest;
            Result replaced = !file.IsOk ? file.Fault
                : hasNewRules ? _book.Replace(file.Value.Set, DateTimeOffset.UtcNow)
                : Result.Ok;
            if (!replaced.IsOk)
            {
                return replaced.Fault;
            }

            if (hasNewRules)
            {
                _fileDigest = file.Value.Digest;
                _rulesFrom = "file";
            }
        }

        _settings = settings;
        _interfaces = AttachAll(Configured(settings));
        Fault? unsaved = Save();
        if (unsaved is not null)
        {
            EventLog.Write("firewall.notKept", unsaved);
        }

        return hasNewRules;
    }

    /// <summary>Those of a start: of the configuration, and of calls before.</summary>
    private List<Guarded> Initial(FirewallState? saved)
    {
        List<Guarded> all =
        [
            .. _settings.Interfaces.Select(each =>
                new Guarded { Wanted = each, IsConfigured = true }),
        ];
        all.AddRange((saved?.Attached ?? [])
            .Where(each => all.TrueForAll(other => other.Name != each.Name))
            .Select(each => new Guarded { Wanted = each, IsConfigured = false }));
        LeaveOthers(all);
        return all;
    }

    /// <summary>
    /// Those of a new configuration, and of calls; those that it names no more are left. What is
    /// unchanged stays as it is.
    /// </summary>
    private List<Guarded> Configured(FirewallSettings settings)
    {
        List<Guarded> all = [];
        foreach (GuardedInterface wanted in settings.Interfaces)
        {
            Guarded? known = _interfaces.FirstOrDefault(each => each.Name == wanted.Name);

            // What was refused is tried again: what was in the way may have gone.
            all.Add(known is not null && known.Wanted == wanted && !known.IsDetached
                && (known.Mode is "native" or "generic" || wanted.Choice == AttachChoice.UserSpace)
                ? known with { IsConfigured = true }
                : new Guarded { Wanted = wanted, IsConfigured = true });
        }

        all.AddRange(_interfaces.Where(each =>
            !each.IsConfigured && all.TrueForAll(other => other.Name != each.Name)));
        LeaveOthers(all);
        return all;
    }

    /// <summary>Takes the filter off interfaces that are not to be guarded.</summary>
    private void LeaveOthers(List<Guarded> all)
    {
        HashSet<int> kept =
        [
            .. all.Where(each => _present.ContainsKey(each.Name))
                .Select(each => (int)_present[each.Name]),
        ];
        foreach (int ifindex in _kernel.Attached.Where(each => !kept.Contains(each)).ToList())
        {
            if (_kernel.Detach(ifindex) is { } fault)
            {
                EventLog.Write("firewall.notDetached", fault);
            }
        }
    }

    /// <summary>Attaches where something is to do, and says what came of each.</summary>
    private List<Guarded> AttachAll(IReadOnlyList<Guarded> all) => [.. all.Select(Refresh)];

    private Guarded Refresh(Guarded each)
    {
        int? index = _present.TryGetValue(each.Name, out uint found) ? (int)found : null;
        bool isDone = each.Report is not null && each.Index == index;
        if (each.IsDetached || isDone || index is null)
        {
            return index is null
                ? each with { Index = null, Report = null, Refusal = null }
                : each with { Index = index };
        }

        Result<AttachReport> report = _kernel.Attach(
            _book.Policy, index.Value, each.Wanted.Choice, each.Wanted.Force);
        return each with
        {
            Index = index,
            Report = report.IsOk ? report.Value : null,
            Refusal = report.Fault,
        };
    }

    private Result<FirewallInterface> Attach(GuardedInterface wanted)
    {
        if (!_present.TryGetValue(wanted.Name, out uint index))
        {
            return new Fault(
                FaultCode.NotFound,
                $"there is no interface {wanted.Name}",
                "name it in the configuration to guard it once it comes");
        }

        Guarded? known = _interfaces.FirstOrDefault(each => each.Name == wanted.Name);
        if (known is null && _interfaces.Count == Limits.FirewallInterfacesMax)
        {
            return new Fault(
                FaultCode.NoSpace, $"{_interfaces.Count} interfaces are guarded already");
        }

        Result<AttachReport> report = _kernel.Attach(
            _book.Policy, (int)index, wanted.Choice, wanted.Force);
        if (!report.IsOk)
        {
            return report.Fault;
        }

        var now = new Guarded
        {
            Wanted = wanted,
            IsConfigured = known?.IsConfigured ?? false,
            Index = (int)index,
            Report = report.Value,
        };
        _interfaces = [.. _interfaces.Where(each => each.Name != wanted.Name), now];
        TellInterface(now);
        return Save() is { } unsaved ? unsaved : Describe(now, _kernel.Filter, _view.Policy);
    }

    private Result<FirewallDetachResult> Detach(string? name)
    {
        List<Guarded> left =
        [
            .. _interfaces.Where(each => name is null || each.Name == name),
        ];
        if (name is not null && left.Count == 0)
        {
            return new Fault(FaultCode.NotFound, $"the firewall does not guard {name}");
        }

        foreach (Guarded each in left.Where(each => each.Index is not null))
        {
            if (_kernel.Detach(each.Index!.Value) is { } fault)
            {
                return fault;
            }
        }

        string[] detached = [.. left.Where(each => each.Mode != "none").Select(each => each.Name)];
        _interfaces =
        [
            .. _interfaces.Where(each => !left.Contains(each)),
            .. left.Where(each => each.IsConfigured)
                .Select(each => each with { IsDetached = true, Report = null, Refusal = null }),
        ];

        // Nothing is left behind: no program, no map, no name.
        Fault? remains = name is null || _kernel.Attached.Count == 0 ? _kernel.DetachAll() : null;
        if ((remains ?? Save()) is { } unfinished)
        {
            return unfinished;
        }

        EventLog.Write("firewall.detached", ("interfaces", string.Join(' ', detached)));
        return new FirewallDetachResult { Interfaces = detached };
    }

    /// <summary>Follows interfaces as they come and go.</summary>
    private async void WatchLinks()
    {
        while (_links is not null && !_stopping.IsCancellationRequested)
        {
            SysResult ready = await _reactor.PollAsync(
                _links.Fd, PollEvents.Readable, _stopping.Token);
            if (!ready.IsOk || (await _reactor.DelayAsync(s_linksPause, _stopping.Token)) is
                { IsOk: false })
            {
                return;
            }

            if (_links.Drain() && NetworkInterfaces.List() is { IsOk: true } list
                && !IsSame(_present, list.Value))
            {
                await ChangeAsync(() => Follow(list.Value));
            }
        }
    }

    private Result<bool> Follow(Dictionary<string, uint> present)
    {
        foreach (Guarded each in _interfaces)
        {
            bool stays = present.TryGetValue(each.Name, out uint index) && each.Index == index;
            if (each.Index is { } gone && !stays && _kernel.Detach(gone) is { } fault)
            {
                EventLog.Write("firewall.notDetached", fault);
            }
        }

        IReadOnlyDictionary<string, uint> before = _present;
        _present = present;
        if (NamedInRules(_book.Set).Any(name => IndexIn(before, name) != IndexIn(present, name)))
        {
            Result done = _book.SetInterfaces(present, DateTimeOffset.UtcNow);
            if (!done.IsOk)
            {
                EventLog.Write("firewall.rulesNotFollowed", done.Fault);
            }
        }

        List<Guarded> now = AttachAll(_interfaces);
        foreach ((Guarded old, Guarded each) in _interfaces.Zip(now))
        {
            if (old.Index != each.Index)
            {
                TellInterface(each);
            }
        }

        _interfaces = now;
        return true;
    }

    private static uint? IndexIn(IReadOnlyDictionary<string, uint> present, string name) =>
        present.TryGetValue(name, out uint index) ? index : null;

    private static HashSet<string> NamedInRules(RuleSet set) =>
    [
        .. set.InterfaceDefaults.Keys, .. set.Rules.SelectMany(rule => rule.Interfaces),
    ];

    private static bool IsSame(
        IReadOnlyDictionary<string, uint> one, Dictionary<string, uint> other) =>
        one.Count == other.Count
        && one.All(pair => other.TryGetValue(pair.Key, out uint index) && index == pair.Value);

    private static void TellInterface(Guarded each) => EventLog.Write(
        each.Index is null ? "firewall.interfaceAbsent" : "firewall.interface",
        ("name", each.Name),
        ("mode", each.Mode),
        ("reason", each.Reason));
}
