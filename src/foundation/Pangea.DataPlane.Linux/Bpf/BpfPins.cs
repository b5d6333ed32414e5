using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Abi;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux.Bpf;

/// <summary>Names in a BPF file system, which keep maps and links beyond their process.</summary>
public static unsafe class BpfPins
{
    /// <summary>Where systemd and everybody else has it.</summary>
    public const string DefaultMount = "/sys/fs/bpf";

    /// <summary>
    /// Makes sure that a directory is (below) a BPF file system; mounts one there where it is none
    /// and <paramref name="mountAt"/> is not on one.
    /// </summary>
    public static Result Ensure(string mountAt)
    {
        if (IsBpfFileSystem(mountAt))
        {
            return Result.Ok;
        }

        Span<byte> text = stackalloc byte[Files.PathBytesMax];
        if (!Call.TryCString(mountAt, text))
        {
            return Errno.EINVAL.ToFault($"mount a BPF file system at {mountAt}");
        }

        // SAFETY: all strings are zero-terminated and pinned or constant for the call.
        ReadOnlySpan<byte> type = "bpf\0"u8;
        fixed (byte* path = text, name = type)
        {
            SysResult result = Call.Of(LibC.mount(name, path, name, 0, null));
            return result.IsOk
                ? Result.Ok
                : result.Errno.ToFault(
                    $"mount a BPF file system at {mountAt}", $"mount -t bpf bpf {mountAt}");
        }
    }

    /// <summary>Gives a map, program or link a name; replaces nothing.</summary>
    public static Result Pin(OwnedFd fd, string path)
    {
        Span<byte> text = stackalloc byte[Files.PathBytesMax];
        if (!Call.TryCString(path, text))
        {
            return Errno.EINVAL.ToFault($"pin {path}");
        }

        // SAFETY: the path is zero-terminated and pinned.
        fixed (byte* pointer = text)
        {
            int result = Libbpf.bpf_obj_pin(fd.Number, pointer);
            return result < 0 ? new Errno(-result).ToFault($"pin {path}") : Result.Ok;
        }
    }

    /// <summary>Opens what has the name.</summary>
    public static Result<OwnedFd> Open(string path)
    {
        Result<string> version = BpfLibrary.Version;
        if (!version.IsOk)
        {
            return version.Fault;
        }

        Span<byte> text = stackalloc byte[Files.PathBytesMax];
        if (!Call.TryCString(path, text))
        {
            return Errno.EINVAL.ToFault($"open the pin {path}");
        }

        // SAFETY: the path is zero-terminated and pinned.
        fixed (byte* pointer = text)
        {
            int fd = Libbpf.bpf_obj_get(pointer);
            return fd < 0 ? new Errno(-fd).ToFault($"open the pin {path}") : new OwnedFd(fd);
        }
    }

    private static bool IsBpfFileSystem(string path)
    {
        // The file system's number is in no struct that is shared with others here, and the table
        // of mounts says it as well: the longest mount point that the path lies below counts.
        string? type = null;
        int longest = -1;
        foreach (string line in File.ReadLines("/proc/thread-self/mounts"))
        {
            string[] fields = line.Split(' ');
            bool below = path == fields[1]
                || fields[1] == "/"
                || path.StartsWith(fields[1] + "/", StringComparison.Ordinal);
            if (below && fields[1].Length >= longest)
            {
                (type, longest) = (fields[2], fields[1].Length);
            }
        }

        return type == "bpf";
    }
}
