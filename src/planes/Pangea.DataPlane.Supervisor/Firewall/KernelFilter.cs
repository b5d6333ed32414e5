using System.Globalization;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Firewall.Compiling;
using Pangea.DataPlane.Linux;
using Pangea.DataPlane.Linux.Bpf;
using Pangea.DataPlane.Supervisor.Privilege;
using Pangea.DataPlane.Xdp;

namespace Pangea.DataPlane.Supervisor.Firewall;

/// <summary>
/// The firewall's program in the kernel as the supervisor has it: taken over from the process
/// before, loaded when an interface needs it, changed with the rules, and gone when nothing is
/// guarded any more. One operation at a time, on any thread.
/// </summary>
internal sealed class KernelFilter : IDisposable
{
    private readonly string _stateId;
    private readonly IPrivilegedSteps _steps;
    private readonly XdpFilterOptions _options;
    private readonly List<XdpFilter> _retired = [];
    private OwnedFd? _directory;
    private FilterPins? _pins;
    private FilterAttachments? _attachments;
    private bool _isOfEarlier;

    public KernelFilter(string stateId, IPrivilegedSteps steps, XdpFilterOptions options)
    {
        _stateId = stateId;
        _steps = steps;
        _options = options;
    }

    /// <summary>The loaded program; null while none is needed or possible.</summary>
    public XdpFilter? Filter { get; private set; }

    /// <summary>Why it was not possible the last time.</summary>
    public Fault? Refusal { get; private set; }

    /// <summary>Interfaces that have an attachment.</summary>
    public IReadOnlyCollection<int> Attached => _attachments?.Interfaces ?? [];

    /// <summary>
    /// Takes over what an earlier process left. Whatever cannot be taken over stays as it is until
    /// something is attached anew.
    /// </summary>
    public Fault? Resume() => Whole<bool>(() => ResumeNames() is { } fault ? fault : true).Fault;

    private Fault? ResumeNames()
    {
        if (Prepare() is { } fault)
        {
            return fault;
        }

        Result<XdpFilter?> resumed = _attachments!.Resume();
        if (!resumed.IsOk)
        {
            return Refusal = resumed.Fault;
        }

        Filter = resumed.Value;
        _isOfEarlier = Filter is not null;
        return null;
    }

    /// <summary>
    /// Makes a rule set count. Without a program that is all there is to do; a fault says that the
    /// set before still counts.
    /// </summary>
    public Result Use(CompiledPolicy policy)
    {
        Result<bool> used = Whole<bool>(() => UseNow(policy) is { IsOk: false } no
            ? no.Fault!
            : true);
        return used.IsOk ? Result.Ok : used.Fault;
    }

    private Result UseNow(CompiledPolicy policy)
    {
        if (Filter is not { } current)
        {
            return Result.Ok;
        }

        // The program of an earlier process may be that of an earlier version.
        bool fits = current.CanTake(policy.Geometry, policy.ImageBytes.Length);
        if (!_isOfEarlier && fits)
        {
            return current.Swap(policy);
        }

        Result loaded = Load(policy, current);
        if (loaded.IsOk || !_isOfEarlier || !fits)
        {
            return loaded;
        }

        // Not so good as a program of our own, but it filters by the right rules.
        EventLog.Write("firewall.programOfEarlier", loaded.Fault!);
        _isOfEarlier = false;
        return current.Swap(policy);
    }

    /// <summary>Climbs the ladder on an interface, with the rules in use.</summary>
    public Result<AttachReport> Attach(
        CompiledPolicy policy, int ifindex, AttachChoice choice, bool force) =>
        Whole(() => AttachNow(policy, ifindex, choice, force));

    private Result<AttachReport> AttachNow(
        CompiledPolicy policy, int ifindex, AttachChoice choice, bool force)
    {
        if (choice == AttachChoice.UserSpace)
        {
            Fault? left = Detach(ifindex);
            return left is null ? new AttachReport(choice, []) : left;
        }

        Fault? fault = Prepare();
        if (fault is null && Filter is null)
        {
            fault = Load(policy, null).Fault;
        }

        if (fault is null)
        {
            Result<AttachReport> attached = _attachments!.Attach(Filter!, ifindex, choice, force);
            _pins!.RemoveUnused(Filter);
            return attached;
        }

        Refusal = fault;
        return choice == AttachChoice.Best
            ? new AttachReport(
                AttachChoice.UserSpace, [new AttachAttempt(AttachChoice.Native, fault)])
            : fault;
    }

    /// <summary>Takes the program off an interface, which may have gone already.</summary>
    public Fault? Detach(int ifindex) => Whole<bool>(
        () => _attachments?.Detach(ifindex) is { IsOk: false } no ? no.Fault! : true).Fault;

    /// <summary>
    /// Takes the program off everywhere and leaves nothing in the kernel: no name, no map.
    /// </summary>
    public Fault? DetachAll() => Whole<bool>(() => DetachNow() is { } fault ? fault : true).Fault;

    private Fault? DetachNow()
    {
        if (Prepare() is { } fault)
        {
            return fault;
        }

        Result detached = _attachments!.DetachAll();
        if (!detached.IsOk)
        {
            return detached.Fault;
        }

        Retire();
        _attachments.Dispose();
        _attachments = null;
        _pins = null;
        _directory!.Dispose();
        _directory = null;
        return _steps.RemovePins(_stateId);
    }

    /// <summary>
    /// Ends programs that others may have read from; for the loop, when nobody does any more.
    /// </summary>
    public void DropRetired()
    {
        _retired.ForEach(each => each.Dispose());
        _retired.Clear();
    }

    /// <summary>Closes what this process holds; what is attached stays.</summary>
    public void Dispose()
    {
        Retire();
        DropRetired();
        _attachments?.Dispose();
        _directory?.Dispose();
    }

    /// <summary>
    /// Files of the BPF file system can be removed by root at any moment, and the attachments still
    /// hold: we do, by our descriptors.
    /// </summary>
    private static Result<T> Whole<T>(Func<Result<T>> work)
    {
        try
        {
            return work();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new Fault(
                FaultCode.Io,
                $"the firewall's names in /sys/fs/bpf are not as it left them: {e.Message}",
                "'pangea firewall detach --all', then attach again or reload");
        }
    }

    private void Retire()
    {
        if (Filter is { } filter)
        {
            _retired.Add(filter);
            Filter = null;
        }
    }

    private Fault? Prepare()
    {
        if (_attachments is not null)
        {
            return null;
        }

        Result<OwnedFd> directory = _steps.OpenPins(_stateId);
        if (!directory.IsOk)
        {
            return Refusal = directory.Fault;
        }

        Result<FilterPins> pins = FilterPins.Use(string.Create(
            CultureInfo.InvariantCulture, $"/proc/self/fd/{directory.Value.Number}/."));
        if (!pins.IsOk)
        {
            directory.Value.Dispose();
            return Refusal = pins.Fault;
        }

        _directory = directory.Value;
        _pins = pins.Value;
        _attachments = new FilterAttachments(pins.Value);
        return null;
    }

    /// <summary>
    /// Loads a program beside the present one, with its counters, bans and rates, and moves all
    /// attachments to it.
    /// </summary>
    private Result Load(CompiledPolicy policy, XdpFilter? previous)
    {
        Result<XdpFilter> loaded = XdpFilter.Load(_options, policy, previous);
        if (!loaded.IsOk)
        {
            return loaded.Fault;
        }

        XdpFilter filter = loaded.Value;
        Result named = _pins!.Pin(filter);
        Result moved = named.IsOk
            && previous is not null
            ? _attachments!.Replace(filter, previous, fromAny: _isOfEarlier)
            : named;
        if (!moved.IsOk)
        {
            _pins.RemoveUnused(previous);
            filter.Dispose();
            return moved;
        }

        Retire();
        Filter = filter;
        _isOfEarlier = false;
        Refusal = null;
        return Result.Ok;
    }
}
