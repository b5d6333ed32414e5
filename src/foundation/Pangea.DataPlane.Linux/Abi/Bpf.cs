using System.Runtime.InteropServices;

namespace Pangea.DataPlane.Linux.Abi;

// Kernel names stay verbatim, and the kernel writes them in lower case.
#pragma warning disable CS8981

/// <summary>Constants of bpf(2) and of XDP, by their own names (linux/bpf.h, if_link.h).</summary>
internal static class Bpf
{
    internal const int BPF_MAP_TYPE_ARRAY = 2;
    internal const int BPF_MAP_TYPE_ARRAY_OF_MAPS = 12;
    internal const int BPF_XDP = 37;
    internal const int BPF_LINK_TYPE_XDP = 6;

    internal const uint BPF_F_REPLACE = 1 << 2;
    internal const uint BPF_F_TEST_XDP_LIVE_FRAMES = 1 << 1;
    internal const uint BPF_F_MMAPABLE = 1 << 10;

    internal const uint XDP_FLAGS_UPDATE_IF_NOEXIST = 1 << 0;
    internal const uint XDP_FLAGS_SKB_MODE = 1 << 1;
    internal const uint XDP_FLAGS_DRV_MODE = 1 << 2;

    internal const byte XDP_ATTACHED_NONE = 0;
    internal const byte XDP_ATTACHED_DRV = 1;
    internal const byte XDP_ATTACHED_SKB = 2;
    internal const byte XDP_ATTACHED_HW = 3;
    internal const byte XDP_ATTACHED_MULTI = 4;

    internal const uint BPF_RINGBUF_BUSY_BIT = 1u << 31;
    internal const uint BPF_RINGBUF_DISCARD_BIT = 1u << 30;
    internal const uint BPF_RINGBUF_HDR_SZ = 8;
}

/// <summary>struct bpf_test_run_opts of libbpf.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct bpf_test_run_opts
{
    internal nuint sz;
    internal void* data_in;
    internal void* data_out;
    internal uint data_size_in;
    internal uint data_size_out;
    internal void* ctx_in;
    internal void* ctx_out;
    internal uint ctx_size_in;
    internal uint ctx_size_out;
    internal uint retval;
    internal int repeat;
    internal uint duration;
    internal uint flags;
    internal uint cpu;
    internal uint batch_size;
}

/// <summary>struct bpf_link_update_opts of libbpf.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct bpf_link_update_opts
{
    internal nuint sz;
    internal uint flags;
    internal uint old_prog_fd;
}

/// <summary>struct bpf_xdp_query_opts of libbpf.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct bpf_xdp_query_opts
{
    internal nuint sz;
    internal uint prog_id;
    internal uint drv_prog_id;
    internal uint hw_prog_id;
    internal uint skb_prog_id;
    internal byte attach_mode;
}

/// <summary>The first fields of struct bpf_link_create_opts; libbpf reads as far as sz.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct bpf_link_create_opts
{
    internal nuint sz;
    internal uint flags;
}

/// <summary>
/// The first fields of struct bpf_link_info for a link of XDP; the kernel writes as much as it is
/// given room for.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct bpf_link_info
{
    internal uint type;
    internal uint id;
    internal uint prog_id;
    internal uint __pad;
    internal uint ifindex;
    internal uint __pad2;
}

/// <summary>The first fields of struct bpf_map_info.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct bpf_map_info
{
    internal uint type;
    internal uint id;
    internal uint key_size;
    internal uint value_size;
    internal uint max_entries;
    internal uint map_flags;
    internal ulong name0;
    internal ulong name1;
}

/// <summary>struct bpf_prog_info up to and including its name.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct bpf_prog_info
{
    internal uint type;
    internal uint id;
    internal ulong tag;
    internal uint jited_prog_len;
    internal uint xlated_prog_len;
    internal ulong jited_prog_insns;
    internal ulong xlated_prog_insns;
    internal ulong load_time;
    internal uint created_by_uid;
    internal uint nr_map_ids;
    internal ulong map_ids;
    internal ulong name0;
    internal ulong name1;
}

/// <summary>struct bpf_map_create_opts of libbpf.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct bpf_map_create_opts
{
    internal nuint sz;
    internal uint btf_fd;
    internal uint btf_key_type_id;
    internal uint btf_value_type_id;
    internal uint btf_vmlinux_value_type_id;
    internal uint inner_map_fd;
    internal uint map_flags;
    internal ulong map_extra;
    internal uint numa_node;
    internal uint map_ifindex;
}
