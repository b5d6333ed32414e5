using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Linux;

/// <summary>
/// What a system call or a completion returned, in the kernel's own convention: zero or more is the
/// result, a negative number is -errno.
/// </summary>
public readonly record struct SysResult(long Raw)
{
    public bool IsOk => Raw >= 0;

    /// <summary>The result; reading it from a failed call is a defect.</summary>
    public long Value
    {
        get
        {
            Invariant.Check(Raw >= 0);
            return Raw;
        }
    }

    /// <summary>The errno; <c>default</c> on success.</summary>
    public Errno Errno => Raw >= 0 ? default : new Errno((int)-Raw);

    public static SysResult Fail(Errno errno) => new(-errno.Value);

    public override string ToString() => Raw >= 0 ? Raw.ToString() : Errno.ToString();
}
