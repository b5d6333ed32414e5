using System.Runtime.InteropServices;
using Pangea.DataPlane.Linux.Abi;

namespace Pangea.DataPlane.Linux.Sys;

/// <summary>
/// The one door to libbpf (Debian package libbpf1, version 1.1): signatures of bpf.h and libbpf.h.
/// Functions that return int give a negative errno; those that return a pointer give null and set
/// errno (the convention of version 1).
/// </summary>
internal static unsafe partial class Libbpf
{
    internal const string Library = "libbpf.so.1";

    [LibraryImport(Library)]
    internal static partial uint libbpf_major_version();

    [LibraryImport(Library)]
    internal static partial uint libbpf_minor_version();

    [LibraryImport(Library)]
    internal static partial void* libbpf_set_print(
        delegate* unmanaged<int, byte*, nint, int> print);

    [LibraryImport(Library, SetLastError = true)]
    internal static partial nint bpf_object__open_file(byte* path, void* options);

    [LibraryImport(Library)]
    internal static partial int bpf_object__load(nint target);

    [LibraryImport(Library)]
    internal static partial void bpf_object__close(nint target);

    [LibraryImport(Library, SetLastError = true)]
    internal static partial nint bpf_object__find_map_by_name(nint target, byte* name);

    [LibraryImport(Library, SetLastError = true)]
    internal static partial nint bpf_object__find_program_by_name(nint target, byte* name);

    [LibraryImport(Library)]
    internal static partial int bpf_program__fd(nint program);

    [LibraryImport(Library)]
    internal static partial int bpf_program__set_autoload(nint program, byte load);

    [LibraryImport(Library)]
    internal static partial int bpf_map__fd(nint map);

    [LibraryImport(Library)]
    internal static partial int bpf_map__set_value_size(nint map, uint bytes);

    [LibraryImport(Library)]
    internal static partial int bpf_map__set_max_entries(nint map, uint entries);

    [LibraryImport(Library)]
    internal static partial int bpf_map__reuse_fd(nint map, int fd);

    [LibraryImport(Library)]
    internal static partial int bpf_map__set_pin_path(nint map, byte* path);

    [LibraryImport(Library)]
    internal static partial byte* bpf_map__initial_value(nint map, nuint* bytes);

    [LibraryImport(Library)]
    internal static partial int bpf_map_create(
        int type, byte* name, uint keyBytes, uint valueBytes, uint entries,
        bpf_map_create_opts* options);

    [LibraryImport(Library)]
    internal static partial int bpf_map_lookup_elem(int fd, void* key, void* value);

    [LibraryImport(Library)]
    internal static partial int bpf_map_update_elem(int fd, void* key, void* value, ulong flags);

    [LibraryImport(Library)]
    internal static partial int bpf_map_delete_elem(int fd, void* key);

    [LibraryImport(Library)]
    internal static partial int bpf_map_get_next_key(int fd, void* key, void* next);

    [LibraryImport(Library)]
    internal static partial int bpf_map_update_batch(
        int fd, void* keys, void* values, uint* count, void* options);

    [LibraryImport(Library)]
    internal static partial int bpf_map_lookup_batch(
        int fd, void* from, void* to, void* keys, void* values, uint* count, void* options);

    [LibraryImport(Library)]
    internal static partial int bpf_map_delete_batch(
        int fd, void* keys, uint* count, void* options);

    [LibraryImport(Library)]
    internal static partial int bpf_prog_test_run_opts(int fd, bpf_test_run_opts* options);

    [LibraryImport(Library)]
    internal static partial int bpf_link_create(
        int program, int target, int attachType, bpf_link_create_opts* options);

    [LibraryImport(Library)]
    internal static partial int bpf_link_update(
        int link, int program, bpf_link_update_opts* options);

    [LibraryImport(Library)]
    internal static partial int bpf_link_detach(int link);

    [LibraryImport(Library)]
    internal static partial int bpf_xdp_query(int ifindex, int flags, bpf_xdp_query_opts* options);

    [LibraryImport(Library)]
    internal static partial int bpf_xdp_detach(int ifindex, uint flags, void* options);

    [LibraryImport(Library)]
    internal static partial int bpf_obj_pin(int fd, byte* path);

    [LibraryImport(Library)]
    internal static partial int bpf_obj_get(byte* path);

    [LibraryImport(Library)]
    internal static partial int bpf_obj_get_info_by_fd(int fd, void* info, uint* bytes);

    [LibraryImport(Library)]
    internal static partial int bpf_prog_get_fd_by_id(uint id);

    [LibraryImport("libc")]
    internal static partial int vsnprintf(byte* buffer, nuint bytes, byte* format, nint arguments);

    /// <summary>
    /// Fetches a struct that describes an object; the kernel fills as much as it has.
    /// </summary>
    internal static int GetInfo<T>(int fd, out T info)
        where T : unmanaged
    {
        T filled = default;
        uint bytes = (uint)sizeof(T);

        // SAFETY: the kernel writes at most the given number of bytes into this local.
        int result = bpf_obj_get_info_by_fd(fd, &filled, &bytes);
        info = filled;
        return result;
    }
}
