using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Xdp;

/// <summary>What an operator asks for.</summary>
public enum AttachChoice
{
    /// <summary>The first that works of native and generic; user space otherwise.</summary>
    Best,
    Native,
    Generic,

    /// <summary>Nothing is attached; whoever receives packets asks the userspace filter.</summary>
    UserSpace,
}

/// <summary>A step of the ladder that was tried, and why it was not taken.</summary>
public readonly record struct AttachAttempt(AttachChoice Step, Fault Refusal);

/// <summary>Where packets of an interface are judged, and why there.</summary>
/// <param name="Step">Native, generic or user space.</param>
/// <param name="Attempts">What was tried before, in order.</param>
public sealed record AttachReport(AttachChoice Step, IReadOnlyList<AttachAttempt> Attempts)
{
    /// <summary>What is not judged as the rules say, and what to do; one sentence each.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    public override string ToString()
    {
        string step = Step switch
        {
            AttachChoice.Native => "native XDP",
            AttachChoice.Generic => "generic XDP",
            _ => "user space",
        };
        return Attempts.Count == 0
            ? step
            : $"{step}, because {string.Join("; ", Attempts.Select(a => a.Refusal.Message))}";
    }
}
