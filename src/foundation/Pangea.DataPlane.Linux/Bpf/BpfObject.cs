using System.Runtime.InteropServices;
using System.Text;
using Pangea.DataPlane.Core;
using Pangea.DataPlane.Linux.Sys;

namespace Pangea.DataPlane.Linux.Bpf;

/// <summary>
/// An object file with programs and maps: opened, sized and given its constants, then loaded once.
/// Programs and maps taken from it are descriptors of their own and outlive it.
/// </summary>
public sealed unsafe class BpfObject : IDisposable
{
    private readonly string _path;
    private nint _object;

    private BpfObject(nint handle, string path)
    {
        _object = handle;
        _path = path;
    }

    /// <summary>Reads the file. Nothing is in the kernel yet.</summary>
    public static Result<BpfObject> Open(string path)
    {
        Result<string> version = BpfLibrary.Version;
        if (!version.IsOk)
        {
            return version.Fault;
        }

        if (!File.Exists(path))
        {
            return new Fault(
                FaultCode.Unsupported,
                $"the BPF object {path} is not there",
                "the build makes it where clang and libbpf-dev are installed");
        }

        Span<byte> text = stackalloc byte[Files.PathBytesMax];
        if (!Call.TryCString(path, text))
        {
            return Errno.EINVAL.ToFault($"open {path}");
        }

        BpfLibrary.Listen();

        // SAFETY: the path is zero-terminated and pinned; null options are the defaults.
        fixed (byte* pointer = text)
        {
            nint handle = Libbpf.bpf_object__open_file(pointer, null);
            SysResult failed = handle == 0 ? Call.Of(-1) : default;
            IReadOnlyList<string> heard = BpfLibrary.Heard();
            return handle == 0
                ? BpfFaults.OfOpen(path, failed.Errno, heard)
                : new BpfObject(handle, path);
        }
    }

    /// <summary>
    /// Overwrites the beginning of a data section (".rodata.config") before the load. What is in a
    /// read-only section is a constant for the verifier: what it switches off costs nothing.
    /// </summary>
    public Result SetData<T>(string section, in T value)
        where T : unmanaged
    {
        Result<nint> map = FindMap(section);
        if (!map.IsOk)
        {
            return map.Fault;
        }

        nuint bytes = 0;

        // SAFETY: the library owns this memory until the object is loaded or closed, and says how
        // long it is.
        byte* initial = Libbpf.bpf_map__initial_value(map.Value, &bytes);
        if (initial is null || bytes < (nuint)sizeof(T))
        {
            return new Fault(
                FaultCode.Internal, $"{section} of {_path} has {bytes} bytes, not {sizeof(T)}");
        }

        MemoryMarshal.Write(new Span<byte>(initial, (int)bytes), in value);
        return Result.Ok;
    }

    /// <summary>Sizes a map before the load; null leaves a size as the file has it.</summary>
    public Result SetSize(string map, uint? valueBytes, uint? entries)
    {
        Result<nint> found = FindMap(map);
        if (!found.IsOk)
        {
            return found.Fault;
        }

        // SAFETY: the handle belongs to this open object.
        int result = valueBytes is uint bytes
            ? Libbpf.bpf_map__set_value_size(found.Value, bytes)
            : 0;
        result = result < 0 || entries is null
            ? result
            : Libbpf.bpf_map__set_max_entries(found.Value, entries.Value);
        return result < 0 ? new Errno(-result).ToFault($"size the map {map}") : Result.Ok;
    }

    /// <summary>
    /// Loads with a map that exists already; type and sizes must be equal (EINVAL otherwise).
    /// </summary>
    public Result Reuse(string map, BpfMap existing)
    {
        Result<nint> found = FindMap(map);
        if (!found.IsOk)
        {
            return found.Fault;
        }

        // SAFETY: the library duplicates the descriptor.
        int result = Libbpf.bpf_map__reuse_fd(found.Value, existing.Fd.Number);
        return result < 0 ? new Errno(-result).ToFault($"take over the map {map}") : Result.Ok;
    }

    /// <summary>Loads a map without the name that the file asks for in the file system.</summary>
    public Result WithoutPin(string map)
    {
        Result<nint> found = FindMap(map);
        if (!found.IsOk)
        {
            return found.Fault;
        }

        // SAFETY: null is "no path"; the handle belongs to this open object.
        int result = Libbpf.bpf_map__set_pin_path(found.Value, null);
        return result < 0 ? new Errno(-result).ToFault($"load {map} without a pin") : Result.Ok;
    }

    /// <summary>Leaves a program out of the load.</summary>
    public Result Exclude(string program)
    {
        Result<nint> found = FindProgram(program);
        if (!found.IsOk)
        {
            return found.Fault;
        }

        // SAFETY: the handle belongs to this open object.
        int result = Libbpf.bpf_program__set_autoload(found.Value, 0);
        return result < 0 ? new Errno(-result).ToFault($"leave out {program}") : Result.Ok;
    }

    /// <summary>
    /// Brings maps and programs into the kernel. A failure names the reason: what the library says,
    /// the verifier's last lines, and the next step for the errno.
    /// </summary>
    public Result Load()
    {
        BpfLibrary.Listen();
        int result = Libbpf.bpf_object__load(_object);
        IReadOnlyList<string> heard = BpfLibrary.Heard();
        return result < 0 ? BpfFaults.OfLoad(_path, new Errno(-result), heard) : Result.Ok;
    }

    /// <summary>A program of the loaded object; the caller disposes it.</summary>
    public Result<BpfProgram> Program(string name)
    {
        Result<nint> found = FindProgram(name);
        if (!found.IsOk)
        {
            return found.Fault;
        }

        Result<OwnedFd> fd = Duplicate(Libbpf.bpf_program__fd(found.Value), $"the program {name}");
        return fd.IsOk ? new BpfProgram(fd.Value) : fd.Fault;
    }

    /// <summary>A map of the loaded object; the caller disposes it.</summary>
    public Result<BpfMap> Map(string name)
    {
        Result<nint> found = FindMap(name);
        if (!found.IsOk)
        {
            return found.Fault;
        }

        Result<OwnedFd> fd = Duplicate(Libbpf.bpf_map__fd(found.Value), $"the map {name}");
        return fd.IsOk ? BpfMap.Of(fd.Value) : fd.Fault;
    }

    public void Dispose()
    {
        if (_object != 0)
        {
            // SAFETY: opened by us, closed once; what was taken out has descriptors of its own.
            Libbpf.bpf_object__close(_object);
            _object = 0;
        }
    }

    private Result<OwnedFd> Duplicate(int fd, string what)
    {
        if (fd < 0)
        {
            return new Fault(FaultCode.BadState, $"{what} of {_path} is not loaded");
        }

        SysResult result = Call.Of(LibC.fcntl(fd, Abi.Fcntl.F_DUPFD_CLOEXEC, 0));
        return result.IsOk
            ? new OwnedFd((int)result.Value)
            : result.Errno.ToFault($"duplicate {what}");
    }

    private Result<nint> FindMap(string name) => Find(name, isMap: true);

    private Result<nint> FindProgram(string name) => Find(name, isMap: false);

    private Result<nint> Find(string name, bool isMap)
    {
        Invariant.Check(_object != 0, "the BPF object is closed");
        Span<byte> text = stackalloc byte[Encoding.UTF8.GetByteCount(name) + 1];
        if (!Call.TryCString(name, text))
        {
            return Errno.EINVAL.ToFault($"find {name}");
        }

        // SAFETY: the name is zero-terminated and pinned, the object is open.
        fixed (byte* pointer = text)
        {
            nint found = isMap
                ? Libbpf.bpf_object__find_map_by_name(_object, pointer)
                : Libbpf.bpf_object__find_program_by_name(_object, pointer);
            return found != 0
                ? found
                : new Fault(FaultCode.NotFound, $"{_path} has nothing called {name}");
        }
    }
}
