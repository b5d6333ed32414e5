namespace Pangea.DataPlane.Core;

/// <summary>
/// An expected failure, as a value (decision A13): what failed with which values, what to do next.
/// </summary>
/// <param name="Code">Stable code for programs.</param>
/// <param name="Message">One sentence for people; names the values involved.</param>
/// <param name="Hint">The next step, where there is one.</param>
/// <param name="Field">The parameter at fault, for <see
/// cref="FaultCode.InvalidParameters"/>.</param>
/// <param name="Errno">The kernel's errno, 0 where none was involved.</param>
public sealed record Fault(
    FaultCode Code, string Message, string? Hint = null, string? Field = null, int Errno = 0)
{
    /// <summary>True where repeating the very same call may succeed.</summary>
    public bool IsRetryable =>
        Code is FaultCode.Busy or FaultCode.WorkerLost or FaultCode.TimedOut;

    public override string ToString() =>
        Hint is null ? $"{Code}: {Message}" : $"{Code}: {Message} ({Hint})";

    public static Fault InvalidParameter(string field, string message, string? hint = null) =>
        new(FaultCode.InvalidParameters, message, hint, field);
}
