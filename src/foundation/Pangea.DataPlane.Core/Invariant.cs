using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Pangea.DataPlane.Core;

/// <summary>
/// What must hold, checked in Release too. A broken invariant means that memory or state can no
/// longer be trusted, so the process ends at once and the supervisor starts a fresh worker
/// (decision A13).
/// </summary>
public static class Invariant
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    [StackTraceHidden]
    public static void Check(
        [DoesNotReturnIf(false)] bool condition,
        string? detail = null,
        [CallerArgumentExpression(nameof(condition))] string? expression = null)
    {
        if (!condition)
        {
            Fail(expression, detail);
        }
    }

    [DoesNotReturn]
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Fail(string? expression, string? detail) =>
        Environment.FailFast(
            detail is null
                ? $"invariant broken: {expression}"
                : $"invariant broken: {expression}; {detail}");
}
