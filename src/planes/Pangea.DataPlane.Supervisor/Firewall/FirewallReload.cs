namespace Pangea.DataPlane.Supervisor.Firewall;

/// <summary>What a new configuration brought to the firewall.</summary>
/// <param name="HasNewRules">The file of rules says something else than before.</param>
/// <param name="Undo">Brings back what was before.</param>
internal sealed record FirewallReload(bool HasNewRules, Func<ValueTask> Undo);
