using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Supervisor.Configuration;

/// <summary>
/// One object class as a configuration gives it; what it leaves out is as in the default class.
/// </summary>
public sealed record ObjectClassValues
{
    /// <summary>Names longer than this are no names.</summary>
    public const int NameCharactersMax = 64;

    /// <summary>What a put names it by.</summary>
    public required string Name { get; init; }

    public Redundancy? Redundancy { get; init; }

    public int? StripeBytes { get; init; }

    /// <summary>"none", "balanced", "archive" or "adaptive".</summary>
    public string? Compression { get; init; }
}
