/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands beside the policy image: the loader's constants, the state that both sides write, the
 * maps. Sizes of maps are set by the loader before the load; the constants name them again, as
 * masks. FilterLayoutTests compares the structs with their C# twins.
 */
#ifndef PANGEA_FILTER_H
#define PANGEA_FILTER_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "policy.h"

#define INLINE static __always_inline

/*
 * Read-only data: constants to the verifier, so what they switch off is not even loaded. Masks are
 * count - 1 of a power of two.
 */
struct filter_config {
    struct policy_geometry geometry;
    __u32 half_bytes;       /* room of one image, a power of two; the map holds two */
    __u32 counter_stride;   /* counters of one CPU */
    __u32 cpu_count;
    __u32 ban4_mask;        /* buckets of IPv4 bans */
    __u32 bloom4_mask;      /* words of the filters before the bans */
    __u32 bloom6_mask;
    __u32 rate_mask;        /* sets of per-source rates */
    __u32 is_test;          /* 1: clock and interface come from the state, the way is traced */
    __u32 frames_in_parts;  /* 1: frames may be longer than their first part */
    __u32 padding;
    __u64 tick_ns;          /* length of a jiffy */
    __u64 clock_offset_ns;  /* CLOCK_BOOTTIME when jiffies were 0; may be negative */
    __u64 seed;             /* of the hash of sources; secret */
    __u64 reserved[3];
};

/* Shared with the loader, which maps it. */
struct filter_state {
    __u32 active;           /* 0 or half_bytes: which image counts */
    __u32 has_bans6;        /* 1: the filter before the IPv6 bans is not empty */
    __u64 event_tick;       /* jiffy of the last event; each has at most one */
    __u64 clock_ticks;      /* what filter_clock found */
    __u64 bans_refused;     /* bans of the data path that found no room */
    __u64 test_now_ns;
    __u32 test_ifindex;
    __u32 trace_slot;       /* what was decided last, for tests */
    __u32 trace_reason;
    __u32 trace_malformed;
    __u32 trace_dropped;
    __u32 test_source_mask; /* bits of the source address that are drawn by lot, for benchmarks */
    __u64 reserved[8];
};

const volatile struct filter_config config SEC(".rodata.config");
struct filter_state state SEC(".data.state");

/* Both images, one behind the other; a single value. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __uint(key_size, 4);
    __uint(value_size, 4096);
} images SEC(".maps");

/* counter_stride for each CPU; see POLICY_COUNTER_*. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct policy_counter);
} counters SEC(".maps");

#define FEATURE(name) (config.geometry.features & POLICY_FEATURE_##name)

INLINE void *image_base(void)
{
    __u32 zero = 0;

    return bpf_map_lookup_elem(&images, &zero);
}

INLINE __u64 now_ns(void)
{
    if (config.is_test)
        return state.test_now_ns;
    return bpf_jiffies64() * config.tick_ns + config.clock_offset_ns;
}

INLINE __u32 interface_index(struct xdp_md *ctx)
{
    __u32 index = ctx->ingress_ifindex;

    /* Without this the compiler chooses between two addresses, which the verifier refuses. */
    asm volatile("" : "+r"(index));
    return config.is_test ? state.test_ifindex : index;
}

/* murmur3's finalizer: every bit of the input changes half of the output. */
INLINE __u64 mix(__u64 x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdull;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ull;
    return x ^ (x >> 33);
}

#endif
