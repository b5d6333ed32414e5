using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Firewall.Keeping;
using Pangea.DataPlane.Firewall.Rules;
using Pangea.DataPlane.Firewall.Text;
using Pangea.DataPlane.Linux.Network;
using Pangea.DataPlane.Reactor;
using Pangea.DataPlane.Supervisor.Configuration;
using Pangea.DataPlane.Supervisor.Privilege;
using Pangea.DataPlane.Supervisor.State;

namespace Pangea.DataPlane.Supervisor.Firewall;

/// <summary>
/// The firewall of the appliance: rules, program, interfaces, bans. Calls come on the loop's
/// thread. What reads is answered at once from the present <see cref="FirewallView"/>; what changes
/// waits for its turn, works on a thread of the pool, for a compilation may take a second, and
/// shows a new view when it is back on the loop.
/// </summary>
internal sealed partial class FirewallService : IBanSink, IDisposable
{
    private static readonly TimeSpan s_endTimeMax = TimeSpan.FromSeconds(5);

    private readonly IReactor _reactor;
    private readonly StateDirectory _state;
    private readonly KernelFilter _kernel;
    private readonly BanBook _bans;
    private readonly DropSamples _samples = new();
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly CancellationTokenSource _stopping = new();
    private readonly LinkWatch? _links;
    private FirewallSettings _settings;
    private RuleBook _book = null!;
    private string? _fileDigest;
    private string _rulesFrom = "none";
    private IReadOnlyList<Guarded> _interfaces = [];
    private IReadOnlyList<ShadowedRule> _shadowed = [];
    private IReadOnlyDictionary<string, uint> _present;
    private ulong _reportedGeneration;
    private FirewallView _view = null!;
    private Task _underWay = Task.CompletedTask;

    private FirewallService(
        IReactor reactor,
        FirewallSettings settings,
        StateDirectory state,
        IPrivilegedSteps steps,
        IReadOnlyDictionary<string, uint> present)
    {
        _reactor = reactor;
        _settings = settings;
        _state = state;
        _kernel = new KernelFilter(state.Id, steps, settings.Options);
        _bans = new BanBook(settings.BansMax);
        _present = present;
        Result<LinkWatch> links = LinkWatch.Open();
        _links = links.IsOk ? links.Value : null;
        if (!links.IsOk)
        {
            EventLog.Write("firewall.linksUnwatched", links.Fault);
        }
    }

    /// <summary>
    /// Takes over what an earlier process left, makes the rules count and guards the interfaces.
    /// </summary>
    /// <returns>
    /// A fault where there are no rules that could count: neither good ones in the configured file
    /// nor confirmed ones of before.
    /// </returns>
    public static Result<FirewallService> Open(
        IReactor reactor, FirewallSettings settings, StateDirectory state, IPrivilegedSteps steps)
    {
        // The watch is opened before the list is read: nothing can happen in between.
        Result<Dictionary<string, uint>> present = NetworkInterfaces.List();
        if (!present.IsOk)
        {
            return present.Fault;
        }

        var service = new FirewallService(reactor, settings, state, steps, present.Value);
        Fault? fault = service.OpenRules();
        if (fault is not null)
        {
            service.Dispose();
            return fault;
        }

        return service;
    }

    /// <summary>What calls read.</summary>
    public FirewallView View => _view;

    /// <summary>For other planes.</summary>
    public IBanSink BanSink => this;

    /// <summary>Begins its periodic work; on the loop.</summary>
    public void Start()
    {
        Beat();
        WatchLinks();
    }

    /// <summary>
    /// The end of the process, on the loop's thread after the loop: a change that nobody confirmed
    /// is taken back, and the filter stays or goes as configured.
    /// </summary>
    /// <param name="goesOn">Another program takes this one's place and goes on at once.</param>
    public void End(bool goesOn)
    {
        _stopping.Cancel();
        _underWay.Wait(s_endTimeMax);
        if (_book.ConfirmBefore is not null)
        {
            Result back = _book.Rollback(DateTimeOffset.UtcNow);
            EventLog.Write(
                "firewall.rolledBack", ("reason", "the appliance ends"), ("fault", back.Fault));
        }

        SaveBans();
        if (!goesOn && !_settings.KeepsOnStop && _kernel.DetachAll() is { } fault)
        {
            EventLog.Write("firewall.notDetached", fault);
        }
    }

    public void Dispose()
    {
        _samples.Dispose();
        _kernel.Dispose();
        _links?.Dispose();
    }

    private Fault? OpenRules()
    {
        FirewallState? saved = ReadState();
        RuleSet? set = null;
        Fault? wrong = null;
        if (_settings.RulesPath is { } path)
        {
            Result<(RuleSet Set, string Digest)> file = ReadRules(path);
            wrong = file.Fault;
            if (file.IsOk && file.Value.Digest != saved?.FileDigest)
            {
                set = file.Value.Set;
                _fileDigest = file.Value.Digest;
                _rulesFrom = "file";
            }
        }

        if (wrong is not null && saved is null)
        {
            return wrong;
        }

        if (wrong is not null)
        {
            EventLog.Write("firewall.rulesRefused", wrong with
            {
                Hint = "the rules that were confirmed last count on",
            });
        }

        if (_kernel.Resume() is { } notResumed)
        {
            EventLog.Write("firewall.userspaceOnly", notResumed);
        }

        Fault? fault = OpenBook(set, saved);
        if (fault is not null)
        {
            return fault;
        }

        OpenBans();
        _interfaces = Initial(saved);
        _interfaces = AttachAll(_interfaces);
        Report();
        Publish();
        foreach (Guarded each in _interfaces)
        {
            TellInterface(each);
        }

        return _rulesFrom == "file" ? Save() : null;
    }

    private Fault? OpenBook(RuleSet? set, FirewallState? saved)
    {
        Result<RuleBook> book = MakeBook(set ?? saved?.Set ?? RuleSet.Empty, saved);
        if (!book.IsOk && set is not null && saved is not null)
        {
            EventLog.Write("firewall.rulesRefused", book.Fault with
            {
                Hint = "the rules that were confirmed last count on",
            });
            book = MakeBook(saved.Set, saved);
            set = null;
        }

        if (!book.IsOk)
        {
            return book.Fault;
        }

        if (set is null)
        {
            _rulesFrom = saved is null ? "none" : "state";
            _fileDigest = saved?.FileDigest;
        }

        _book = book.Value;
        return null;
    }

    private Result<RuleBook> MakeBook(RuleSet set, FirewallState? saved)
    {
        bool isOpen = false;
        Result Apply(CompiledPolicy policy)
        {
            Result used = _kernel.Use(policy);
            if (!used.IsOk && !isOpen)
            {
                // What an earlier process attached filters on by its last rules.
                EventLog.Write("firewall.programRefused", used.Fault);
                return Result.Ok;
            }

            return used;
        }

        Result<RuleBook> book = RuleBook.Open(
            set,
            saved?.Slots ?? SlotTable.Empty,
            _present,
            DateTimeOffset.UtcNow,
            Apply,
            PolicyFeature.Bans, // Else the first ban would need another program.
            saved?.Generation ?? 0);
        isOpen = true;
        return book;
    }

    private FirewallState? ReadState()
    {
        Result<string?> text = _state.ReadFirewall(FirewallState.FileName);
        if (text is { IsOk: true, Value: null })
        {
            return null;
        }

        Result<FirewallState> parsed = text.IsOk ? FirewallState.Parse(text.Value!) : text.Fault;
        if (parsed.IsOk)
        {
            return parsed.Value;
        }

        EventLog.Write("firewall.stateUnreadable", parsed.Fault);
        return null;
    }

    /// <summary>The rule set of the configured file; all its errors in one fault.</summary>
    private static Result<(RuleSet Set, string Digest)> ReadRules(string path)
    {
        Result<(RuleTextResult Rules, string Digest)> read = RuleFiles.Read(path);
        if (!read.IsOk)
        {
            return read.Fault;
        }

        return read.Value.Rules.Set is { } set
            ? (set, read.Value.Digest)
            : RuleFiles.FaultOf(read.Value.Rules.Errors);
    }

    /// <summary>
    /// Does work that changes something, in its turn, on a thread of the pool, and shows what came
    /// of it.
    /// </summary>
    private async ValueTask<Result<T>> ChangeAsync<T>(Func<Result<T>> work)
    {
        await _turn.WaitAsync();
        try
        {
            Task<Result<T>> task = Task.Run(() =>
            {
                Result<T> done = work();
                Report();
                return done;
            });
            _underWay = task;
            Result<T> result = await task;
            Publish();
            return result;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Looks for shadowed rules, which takes as long as a compilation.</summary>
    private void Report()
    {
        if (_reportedGeneration != _book.Generation)
        {
            _shadowed = RuleReport.Shadowed(_book.Set, DateTimeOffset.UtcNow);
            _reportedGeneration = _book.Generation;
        }
    }

    private void Publish()
    {
        bool isNew = _view is null || !ReferenceEquals(_view.Filter, _kernel.Filter);
        if (isNew)
        {
            _samples.Drain(slot => _view?.RuleAt(slot));
            _bans.Use(_kernel.Filter);
            _samples.Use(_kernel.Filter);
        }

        _view = new FirewallView
        {
            Policy = _book.Policy,
            Generation = _book.Generation,
            ConfirmBefore = _book.ConfirmBefore,
            RulesFrom = _rulesFrom,
            Shadowed = _shadowed,
            Interfaces = _interfaces,
            Present = _present,
            Filter = _kernel.Filter,
        };
        _kernel.DropRetired();
    }

    /// <summary>Keeps the rules in use, unless they wait to be confirmed.</summary>
    private Fault? Save()
    {
        if (_book.ConfirmBefore is not null)
        {
            return null;
        }

        var state = new FirewallState
        {
            Set = _book.Set,
            Slots = _book.Policy.Slots,
            Generation = _book.Generation,
            FileDigest = _fileDigest,
            Attached =
            [
                .. _interfaces.Where(each => !each.IsConfigured && !each.IsDetached)
                    .Select(each => each.Wanted),
            ],
        };
        Fault? fault = _state.WriteFirewall(FirewallState.FileName, state.Write());
        return fault is null
            ? null
            : fault with
            {
                Message = $"the rules count, but could not be kept: {fault.Message}",
                Hint = "after a restart those before would count",
            };
    }
}
