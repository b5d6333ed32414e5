namespace Pangea.DataPlane.Linux.Jailing;

/// <summary>What happens to a system call.</summary>
public enum CallVerdict
{
    Allow,

    /// <summary>Fails with EPERM, which the caller can act on.</summary>
    Refuse,

    /// <summary>
    /// Fails with ENOSYS, so that the C library falls back to an older call that can be judged by
    /// its arguments.
    /// </summary>
    Missing,

    /// <summary>Ends the process with SIGSYS: nobody makes this call by mistake.</summary>
    Kill,
}

/// <summary>
/// A condition on an argument: the masked argument has the value. Only numbers can be judged;
/// what a pointer leads to can change after the look.
/// </summary>
/// <param name="Index">0 to 5.</param>
/// <param name="Value">Compared with the argument after masking.</param>
/// <param name="Mask">Bits that count.</param>
public readonly record struct ArgumentCondition(
    int Index, ulong Value, ulong Mask = ulong.MaxValue);

/// <summary>What a filter does with one system call.</summary>
/// <param name="Name">The kernel's name; one that this architecture or the library does not know is
/// passed over.</param>
/// <param name="Verdict">For calls that meet the condition.</param>
/// <param name="Reason">Who needs it, or why nobody may.</param>
public sealed record SystemCallRule(string Name, CallVerdict Verdict, string Reason)
{
    /// <summary>Null: every call of that name.</summary>
    public ArgumentCondition? When { get; init; }

    /// <summary>
    /// True where it is needed but a short run does not show it: ends, errors, other machines.
    /// </summary>
    public bool IsRare { get; init; }
}
