using Pangea.DataPlane.Linux.Jailing;

namespace Pangea.DataPlane.Worker.Isolation;

/// <summary>Short forms in which the tables of system calls are written.</summary>
internal static class CallRules
{
    public static SystemCallRule Allow(
        string name, string reason, ArgumentCondition? when = null) =>
        new(name, CallVerdict.Allow, reason) { When = when };

    /// <summary>Needed, but not in every run.</summary>
    public static SystemCallRule Rarely(
        string name, string reason, ArgumentCondition? when = null) =>
        new(name, CallVerdict.Allow, reason) { When = when, IsRare = true };

    public static SystemCallRule Missing(string name, string reason) =>
        new(name, CallVerdict.Missing, reason);

    public static SystemCallRule Kill(string name) =>
        new(name, CallVerdict.Kill, "only a worker that was taken over would");
}
