using Pangea.DataPlane.Firewall.Image;
using Pangea.DataPlane.Packets;

namespace Pangea.DataPlane.Supervisor.Firewall;

/// <summary>The words of the control plane for what the data path says in numbers.</summary>
internal static class FirewallWords
{
    public static string Of(PolicyReason reason) => reason.ToString().ToLowerInvariant();

    public static string Verdict(bool dropped, bool monitored) =>
        monitored ? "wouldDrop" : dropped ? "drop" : "pass";

    /// <summary>VlanDepth is "vlan-depth", as in the statement <c>malformed</c>.</summary>
    public static string? Of(MalformedKind kind) => kind == MalformedKind.None
        ? null
        : string.Concat(kind.ToString().Select((c, i) =>
            i > 0 && char.IsUpper(c) ? $"-{char.ToLowerInvariant(c)}"
                : $"{char.ToLowerInvariant(c)}"));
}
