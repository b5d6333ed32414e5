using System.Globalization;
using Pangea.DataPlane.Core;

namespace Pangea.DataPlane.Linux;

/// <summary>Whether io_uring can be had here, and if not, why not in words.</summary>
public static class UringProbe
{
    private const string Setting = "/proc/sys/kernel/io_uring_disabled";

    /// <summary>
    /// Makes a small ring and closes it; the fault of the failure, null on success.
    /// </summary>
    public static Fault? Try()
    {
        Result<Uring> ring = Uring.Create(8, 16);
        if (ring.IsOk)
        {
            ring.Value.Dispose();
        }

        return ring.Fault;
    }

    /// <summary>The reason behind an errno of io_uring_setup(2).</summary>
    /// <param name="errno">Its answer.</param>
    /// <param name="ringBytes">Memory that the ring takes; some kernels count it as
    /// locked.</param>
    internal static Fault Explain(Errno errno, long ringBytes)
    {
        if (errno == Errno.EPERM)
        {
            int disabled = ReadSetting();
            return disabled > 0
                ? new Fault(
                    FaultCode.Unsupported,
                    $"io_uring is disabled by kernel.io_uring_disabled={disabled}",
                    "sysctl kernel.io_uring_disabled=0 allows it",
                    Errno: errno.Value)
                : new Fault(
                    FaultCode.Unsupported,
                    "a seccomp filter forbids io_uring_setup (EPERM)",
                    "allow io_uring in the container's or service's seccomp profile",
                    Errno: errno.Value);
        }

        if (errno == Errno.ENOSYS)
        {
            return new Fault(
                FaultCode.Unsupported,
                "the kernel has no io_uring, or a seccomp filter hides it (ENOSYS)",
                "Linux 5.11 or newer with CONFIG_IO_URING has it",
                Errno: errno.Value);
        }

        return errno == Errno.ENOMEM
            ? new Fault(
                FaultCode.Unsupported,
                $"io_uring_setup lacks memory (ENOMEM): {MemoryLock.Shortage(ringBytes)}",
                "where the limit is high enough, it is the control group's memory.max",
                Errno: errno.Value)
            : errno.ToFault("set up io_uring") with { Code = FaultCode.Unsupported };
    }

    /// <summary>
    /// kernel.io_uring_disabled (Linux 6.6): 0 all may, 1 a group may, 2 nobody; -1 unknown.
    /// </summary>
    internal static int ReadSetting()
    {
        try
        {
            return int.Parse(File.ReadAllText(Setting), CultureInfo.InvariantCulture);
        }
        catch (Exception e)
            when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            return -1;
        }
    }
}
