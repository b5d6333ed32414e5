namespace Pangea.DataPlane.Supervisor.Firewall;

/// <summary>What is known of a ban besides its end.</summary>
/// <param name="Origin">"operator", "rule" or "plane".</param>
/// <param name="Comment">As given; null without one.</param>
internal readonly record struct BanNote(string Origin, string? Comment);
