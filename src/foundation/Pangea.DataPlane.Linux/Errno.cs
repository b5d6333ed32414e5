using System.Runtime.InteropServices;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Linux;

/// <summary>An errno value of the kernel (errno(3)), always positive; 0 means none.</summary>
public readonly record struct Errno(int Value)
{
    public static readonly Errno EPERM = new(1);
    public static readonly Errno ENOENT = new(2);
    public static readonly Errno ESRCH = new(3);
    public static readonly Errno EINTR = new(4);
    public static readonly Errno EIO = new(5);
    public static readonly Errno ENXIO = new(6);
    public static readonly Errno EBADF = new(9);
    public static readonly Errno ECHILD = new(10);
    public static readonly Errno EAGAIN = new(11);
    public static readonly Errno ENOMEM = new(12);
    public static readonly Errno EACCES = new(13);
    public static readonly Errno EBUSY = new(16);
    public static readonly Errno EEXIST = new(17);
    public static readonly Errno ENODEV = new(19);
    public static readonly Errno ENOTDIR = new(20);
    public static readonly Errno EISDIR = new(21);
    public static readonly Errno EINVAL = new(22);
    public static readonly Errno EMFILE = new(24);
    public static readonly Errno EFBIG = new(27);
    public static readonly Errno ENOSPC = new(28);
    public static readonly Errno ESPIPE = new(29);
    public static readonly Errno EROFS = new(30);
    public static readonly Errno EPIPE = new(32);
    public static readonly Errno ENOSYS = new(38);
    public static readonly Errno ENOTEMPTY = new(39);
    public static readonly Errno ENODATA = new(61);
    public static readonly Errno ETIME = new(62);
    public static readonly Errno EOVERFLOW = new(75);
    public static readonly Errno EADDRINUSE = new(98);
    public static readonly Errno EMSGSIZE = new(90);
    public static readonly Errno EOPNOTSUPP = new(95);
    public static readonly Errno ECONNRESET = new(104);
    public static readonly Errno ECONNREFUSED = new(111);
    public static readonly Errno ESTALE = new(116);
    public static readonly Errno EDQUOT = new(122);
    public static readonly Errno ECANCELED = new(125);

    /// <summary>The C library's text, for example "No space left on device".</summary>
    public string Text => Marshal.GetPInvokeErrorMessage(Value);

    public override string ToString() => $"{Text} (errno {Value})";

    /// <summary>
    /// The fault for a call that failed with this errno while doing <paramref name="what"/>.
    /// </summary>
    /// <param name="what">A phrase such as "write device 3".</param>
    /// <param name="hint">The next step, where the caller knows one.</param>
    public Fault ToFault(string what, string? hint = null)
    {
        FaultCode code = Value switch
        {
            1 or 13 => FaultCode.Denied, // EPERM, EACCES
            2 => FaultCode.NotFound, // ENOENT
            17 => FaultCode.Exists, // EEXIST
            9 => FaultCode.BadDescriptor, // EBADF
            28 or 122 => FaultCode.NoSpace, // ENOSPC, EDQUOT
            38 or 95 => FaultCode.Unsupported, // ENOSYS, EOPNOTSUPP
            125 => FaultCode.Canceled, // ECANCELED
            62 or 110 => FaultCode.TimedOut, // ETIME, ETIMEDOUT
            _ => FaultCode.Io,
        };
        return new Fault(code, $"cannot {what}: {Text}", hint, Errno: Value);
    }
}
