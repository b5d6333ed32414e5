using System.Runtime.InteropServices;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Jailing;

namespace Pangea.DataPlane.Linux;

/// <summary>One ability of the machine, as <c>pangea capabilities</c> prints it.</summary>
/// <param name="Name">Stable, lower case: "io_uring".</param>
/// <param name="IsAvailable">False where a plain twin has to do the work.</param>
/// <param name="Detail">What was found, or the reason why not.</param>
/// <param name="Hint">The next step for whoever wants it, where there is one.</param>
public readonly record struct Capability(
    string Name, bool IsAvailable, string Detail, string? Hint = null);

/// <summary>
/// What this kernel lets this process do. Each answer comes from trying, not from a version number,
/// except those that only inform.
/// </summary>
public static class Probes
{
    private const string OnlineCores = "/sys/devices/system/cpu/online";

    /// <summary>All of them, in the order of printing. Takes a few milliseconds.</summary>
    public static IReadOnlyList<Capability> Run() =>
    [
        new Capability(
            "kernel", true, $"{ReadLine("/proc/sys/kernel/osrelease") ?? "unknown"} {Machine}"),
        new Capability("cores", true, $"online {ReadLine(OnlineCores) ?? "unknown"}"),
        IoUring(),
        DeferredTaskWork(),
        MemoryLockLimit(),
        HugePages(),
        JailProbes.Landlock(),
        JailProbes.SystemCallFilter(),
        new Capability("direct I/O", DirectIo(out string where), where),
    ];

    /// <summary>Kernel release, such as "6.1.0-18-amd64".</summary>
    public static string KernelRelease => ReadLine("/proc/sys/kernel/osrelease") ?? "unknown";

    private static string Machine =>
        RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();

    private static Capability IoUring()
    {
        const string name = "io_uring";
        Fault? fault = UringProbe.Try();
        return fault is null
            ? new Capability(name, true, "rings can be made")
            : new Capability(name, false, fault.Message, fault.Hint);
    }

    private static Capability DeferredTaskWork()
    {
        const string name = "io_uring deferred task work";
        Result<Uring> ring = Uring.Create(8, 16);
        if (!ring.IsOk)
        {
            return new Capability(name, false, "no io_uring");
        }

        using Uring made = ring.Value;
        return made.IsDeferred
            ? new Capability(name, true, "completions run in our own waits only")
            : new Capability(name, false, "the kernel refuses the flag", "Linux 6.1 has it");
    }

    private static Capability MemoryLockLimit()
    {
        const string name = "locked memory";
        long? bytes = MemoryLock.Bytes;
        return bytes is null or >= Limits.RegisteredBytesMax
            ? new Capability(name, true, MemoryLock.Describe())
            : new Capability(
                name,
                false,
                $"{MemoryLock.Describe()}, a worker registers up to "
                    + $"{Limits.RegisteredBytesMax / 1024} KiB of buffers; the others are slower",
                MemoryLock.HintFor(Limits.RegisteredBytesMax));
    }

    private static Capability HugePages()
    {
        const string name = "reserved huge pages";
        string? count = ReadLine("/proc/sys/vm/nr_hugepages");
        return count is null or "0"
            ? new Capability(
                name, false, "none reserved", "sysctl vm.nr_hugepages=N reserves 2 MiB each")
            : new Capability(name, true, $"{count} pages");
    }

    private static bool DirectIo(out string where)
    {
        string directory = Directory.GetCurrentDirectory();
        Result<DirectoryFd> opened = DirectoryFd.Open(directory);
        if (!opened.IsOk)
        {
            where = opened.Fault.Message;
            return false;
        }

        using DirectoryFd here = opened.Value;
        string name = $".pangea-probe-{Environment.ProcessId}";
        Result<OwnedFd> made = here.OpenFile(
            name, OpenFlags.Read | OpenFlags.Write | OpenFlags.Create | OpenFlags.Exclusive);
        if (!made.IsOk)
        {
            where = $"not tried: {made.Fault.Message} in {directory}";
            return false;
        }

        using OwnedFd file = made.Value;
        _ = here.RemoveFile(name);
        DirectIo direct = Files.ProbeDirectIo(file);
        where = direct.Supported
            ? $"in {directory}, aligned to {Math.Max(direct.OffsetAlignment, 1)} bytes"
            : $"the file system of {directory} refuses O_DIRECT";
        return direct.Supported;
    }

    private static string? ReadLine(string path)
    {
        try
        {
            return File.ReadAllText(path).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
