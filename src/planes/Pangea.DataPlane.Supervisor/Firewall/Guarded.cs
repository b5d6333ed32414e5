using Pangea.DataPlane.Core;
using Pangea.DataPlane.Supervisor.Configuration;
using Pangea.DataPlane.Xdp;

namespace Pangea.DataPlane.Supervisor.Firewall;

/// <summary>An interface of the firewall and what came of attaching to it. Immutable.</summary>
internal sealed record Guarded
{
    /// <summary>What was asked for.</summary>
    public required GuardedInterface Wanted { get; init; }

    /// <summary>False: by a call.</summary>
    public required bool IsConfigured { get; init; }

    /// <summary>A call took the filter off; only a start or a reload brings it back.</summary>
    public bool IsDetached { get; init; }

    /// <summary>The kernel's number; null while it does not exist.</summary>
    public int? Index { get; init; }

    /// <summary>Where packets are judged; null where they are not.</summary>
    public AttachReport? Report { get; init; }

    /// <summary>Why they are not.</summary>
    public Fault? Refusal { get; init; }

    public string Name => Wanted.Name;

    /// <summary>As in <c>firewall.status</c>.</summary>
    public string Mode => Index is null || Report is null
        ? "none"
        : FirewallSettings.NameOf(Report.Step);

    /// <summary>Why not better; null where there is nothing better.</summary>
    public string? Reason =>
        IsDetached ? "a call detached it; a reload or a start attaches it again"
        : Index is null ? "there is no such interface"
        : Refusal is { Hint: { } hint } ? $"{Refusal.Message} ({hint})"
        : Refusal is not null ? Refusal.Message
        : Report is { Attempts.Count: > 0 } report
            ? string.Join("; ", report.Attempts.Select(each => each.Refusal.Message))
        : Report?.Step == AttachChoice.UserSpace ? "asked for"
        : Report?.Step == AttachChoice.Generic && Wanted.Choice == AttachChoice.Best
            ? "an earlier start found no better one"
            : null;
}
