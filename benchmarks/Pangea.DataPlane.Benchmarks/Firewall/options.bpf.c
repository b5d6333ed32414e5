/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the firewall could have been made of: the kernel's hash, its trie and its LRU tables, each in
 * a program that reads the address of a frame, draws another one by lot, and does nothing else.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define ENTRIES 131072
#define COST_NS 1000000
#define BURST_NS 1000000000ull

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct prefix {
    __u32 bits;
    __u32 address;
};

struct options {
    __u32 source_mask; /* bits of the address that are drawn by lot */
    __u32 found;
};

struct options options SEC(".data.options");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, ENTRIES);
    __type(key, __u32);
    __type(value, __u32);
} hosts SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, ENTRIES);
    __type(key, struct prefix);
    __type(value, __u32);
} prefixes SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, ENTRIES);
    __type(key, __u32);
    __type(value, __u64);
} shared_rates SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
    __uint(max_entries, ENTRIES);
    __type(key, __u32);
    __type(value, __u64);
} own_rates SEC(".maps");

static __always_inline int source_of(struct xdp_md *ctx, __u32 *address)
{
    void *data = (void *)(long)ctx->data;

    if (data + 34 > (void *)(long)ctx->data_end)
        return 0;
    *address = *(__u32 *)(data + 26);
    if (options.source_mask) /* the last bits, of a number in the network's order */
        *address ^= __builtin_bswap32(bpf_get_prandom_u32() & options.source_mask);
    return 1;
}

/* What the others are compared with. */
SEC("xdp")
int draw(struct xdp_md *ctx)
{
    __u32 address;

    if (!source_of(ctx, &address))
        return XDP_ABORTED;
    options.found += address == 1;
    return XDP_PASS;
}

SEC("xdp")
int hash(struct xdp_md *ctx)
{
    __u32 address;

    if (!source_of(ctx, &address))
        return XDP_ABORTED;
    return bpf_map_lookup_elem(&hosts, &address) ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int lpm(struct xdp_md *ctx)
{
    struct prefix key = {.bits = 32};

    if (!source_of(ctx, &key.address))
        return XDP_ABORTED;
    return bpf_map_lookup_elem(&prefixes, &key) ? XDP_DROP : XDP_PASS;
}

/* The generic cell rate algorithm of the firewall, in nanoseconds of the coarse clock. */
static __always_inline int charge(void *map, __u32 address, int is_shared)
{
    __u64 now = bpf_ktime_get_coarse_ns();
    __u64 *arrival = bpf_map_lookup_elem(map, &address);
    __u64 before, after;

    if (!arrival) {
        after = now + COST_NS;
        bpf_map_update_elem(map, &address, &after, BPF_ANY);
        return XDP_PASS;
    }
    before = *arrival;
    after = (before < now ? now : before) + COST_NS;
    if (after - now > BURST_NS)
        return XDP_DROP;
    if (is_shared)
        __sync_val_compare_and_swap(arrival, before, after);
    else
        *arrival = after;
    return XDP_PASS;
}

SEC("xdp")
int rate_shared(struct xdp_md *ctx)
{
    __u32 address;

    return source_of(ctx, &address) ? charge(&shared_rates, address, 1) : XDP_ABORTED;
}

SEC("xdp")
int rate_own(struct xdp_md *ctx)
{
    __u32 address;

    return source_of(ctx, &address) ? charge(&own_rates, address, 0) : XDP_ABORTED;
}
