/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits: the generic cell rate algorithm of policy.h, for a rule as a whole or for each source, and
 * what follows for those who break them too often.
 */
#ifndef PANGEA_RATES_H
#define PANGEA_RATES_H

#include "bans.h"
#include "filter.h"
#include "parse.h"

#define RATE_WAYS 4
#define RATE_ATTEMPTS 4
#define RATE_TAG_OF_NONE 1ull /* tags have their first bit set; 0 is a free place's */
#define RATE_MULTIPLIER 0xd6e8feb86659fd93ull

/*
 * One arrival time of one source under one limit; a limit of packets and bytes has two. The tag is
 * 38 bits of a keyed hash of source and slot, the slot << 1, and the unit: two sources of a rule with
 * one tag in one set would share a bucket, once in 2^32, and not to be brought about without the
 * key. The slot stands there so that the loader can forget a rule that went (SlotStates). 0: free.
 */
struct rate_way {
    __u64 tag;
    __u64 tat_ns;
};

/* One cache line. The source that has been idle for longest gives way to a new one. */
struct rate_set {
    struct rate_way ways[RATE_WAYS];
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct rate_set);
} source_rates SEC(".maps");

/* By slot, as many as the geometry's slot_mask says. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct rate_state);
} rule_rates SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 1);
    __type(key, struct rate_key);
    __type(value, struct violation_state);
} violations SEC(".maps");

INLINE void prefix_key(
    struct packet *packet, __u32 slot, __u32 bits4, __u32 bits6, struct rate_key *key)
{
    key->slot = slot;
    key->family = packet->family;
    key->high = 0;
    key->low = 0;
    if (packet->family == PACKET_FAMILY_IPV4) {
        key->low = packet->source_low & (0xffffffffull << (32 - (bits4 & 63)) & 0xffffffffull);
    } else if (packet->family == PACKET_FAMILY_IPV6) {
        if (bits6 > 64) {
            key->high = packet->source_high;
            key->low = packet->source_low & (~0ull << ((128 - bits6) & 63));
        } else if (bits6 == 0) {
            key->high = 0;
        } else {
            key->high = packet->source_high & (~0ull << ((64 - bits6) & 63));
        }
    }
}

/* The two arrival times of a limit; null where it has no such rate. */
struct rate_times {
    __u64 *packets;
    __u64 *bytes;
};

/* What the new arrival time would be, or 0 where the packet is over. */
INLINE __u64 gcra(__u64 tat, __u64 now, __u64 cost, __u64 burst)
{
    __u64 base = tat < now || tat - now > burst ? now : tat;

    return base + cost - now > burst ? 0 : base + cost;
}

/* Charges one packet; 1 where it is over. The exchange fails only against another CPU. */
INLINE int charge(struct rate_times *times, struct policy_limit *limit, __u64 now, __u32 bytes)
{
    __u64 packet_cost = limit->packet_cost_ns;
    __u64 byte_cost = (bytes * limit->byte_cost_q20) >> 20;
    int i;

    for (i = 0; i < RATE_ATTEMPTS; i++) {
        __u64 packets_tat = 0, bytes_tat = 0, packets_next = 0, bytes_next = 0;

        if (times->packets) {
            packets_tat = *times->packets;
            packets_next = gcra(packets_tat, now, packet_cost, limit->packet_burst_ns);
            if (!packets_next)
                return 1;
        }
        if (times->bytes) {
            bytes_tat = *times->bytes;
            bytes_next = gcra(bytes_tat, now, byte_cost, limit->byte_burst_ns);
            if (!bytes_next)
                return 1;
        }
        if (times->packets && __sync_val_compare_and_swap(
                times->packets, packets_tat, packets_next) != packets_tat)
            continue;
        if (times->bytes && __sync_val_compare_and_swap(
                times->bytes, bytes_tat, bytes_next) != bytes_tat && !times->packets)
            continue;
        return 0;
    }
    return 0;
}

/* The place of a tag in its set; a new one starts with a full bucket. */
INLINE __u64 *source_time(struct rate_set *set, __u64 tag, __u64 spared)
{
    __u64 oldest = ~0ull;
    struct rate_way *way;
    __u32 chosen = 0;
    int i;

#pragma unroll
    for (i = 0; i < RATE_WAYS; i++) {
        way = &set->ways[i];
        if (way->tag == tag)
            return &way->tat_ns;
        if (way->tat_ns < oldest && way->tag != spared) {
            oldest = way->tat_ns;
            chosen = i;
        }
    }
    /* Two CPUs may choose the same place; one of their sources then starts anew. */
    way = &set->ways[chosen & (RATE_WAYS - 1)];
    way->tat_ns = 0;
    way->tag = tag;
    return &way->tat_ns;
}

/* Both stand in one set, and finding the second one does not push out the first. */
INLINE void source_times(
    struct rate_key *key, struct policy_limit *limit, struct rate_times *times)
{
    __u64 hash = (config.seed ^ key->low ^ (__u64)key->slot << 40) * RATE_MULTIPLIER;
    __u32 index;
    struct rate_set *set;
    __u64 tag;

    hash ^= hash >> 32;
    hash = (hash ^ key->high ^ (__u64)key->family << 62) * BAN_MULTIPLIER;
    hash ^= hash >> 32; /* prefixes of IPv6 differ in their first bits, which stand at the end */
    hash *= RATE_MULTIPLIER;
    hash ^= hash >> 29;
    tag = hash << 25 | 1ull << 63 | (__u64)(key->slot & POLICY_DECISION_SLOT) << 1;
    index = (__u32)(hash >> 32) & config.rate_mask;
    set = bpf_map_lookup_elem(&source_rates, &index);
    if (!set)
        return;
    if (limit->packet_cost_ns)
        times->packets = source_time(set, tag, RATE_TAG_OF_NONE);
    if (limit->byte_cost_q20)
        times->bytes = source_time(set, tag | 1, tag);
}

INLINE __u64 ban_expiry(__u64 now, __u64 ban_ns)
{
    __u32 ticks = ban_ns > BAN_FOREVER_NS - now ? BAN_TICKS_FOREVER : ban_ticks_of(now + ban_ns);

    /* Both executors round up, so that both let go of a source at the same moment (BanClock). */
    return ticks == BAN_TICKS_FOREVER ? BAN_FOREVER_NS : (__u64)ticks << BAN_TICK_SHIFT;
}

/* Counts a violation; too many within the window ban the source. */
INLINE void violate(struct packet *packet, struct policy_limit *limit, __u32 slot, __u64 now)
{
    struct violation_state fresh = {.window_start_ns = now, .count = 1};
    struct violation_state *found;
    struct rate_key key;
    __u32 count = 1;

    prefix_key(packet, slot, 32, limit->ban6, &key);
    found = bpf_map_lookup_elem(&violations, &key);
    if (!found) {
        bpf_map_update_elem(&violations, &key, &fresh, BPF_ANY);
    } else if (now < found->window_start_ns ||
        now - found->window_start_ns > limit->ban_window_ns) {
        found->window_start_ns = now;
        found->count = 1;
    } else {
        __sync_fetch_and_add(&found->count, 1);
        count = found->count;
    }
    if (count < limit->ban_after)
        return;
    bpf_map_delete_elem(&violations, &key);
    if (packet->family == PACKET_FAMILY_IPV4)
        ban4((__u32)packet->source_low, ban_expiry(now, limit->ban_ns), now);
    else if (packet->family == PACKET_FAMILY_IPV6)
        ban6(packet->source_high, limit->ban6 == 64 ? ~0ull : packet->source_low,
            ban_expiry(now, limit->ban_ns));
}

/*
 * Whether the packet is over the limit of a slot; it is charged if it is not. watched: monitor mode,
 * in which nobody is banned. A function of its own, so that the verifier looks at it once; half says
 * which image the packet began with.
 */
__noinline int is_over(struct packet *packet, __u32 half, __u32 slot, int watched)
{
    void *image = image_base();
    struct rate_times times = {};
    __u64 now = now_ns();
    struct policy_limit *limit;
    struct rate_key key;
    __u64 index;

    if (!image || !packet)
        return 0;
    image += half & config.half_bytes;
    index = *(__u16 *)(image + (__u64)config.geometry.slot_limits +
        (__u64)(slot & config.geometry.slot_mask) * 2);
    limit = image + (__u64)config.geometry.limits +
        (index & config.geometry.limit_mask) * sizeof(struct policy_limit);
    if (limit->scope == POLICY_SCOPE_SOURCE) {
        prefix_key(packet, slot, limit->prefix4, limit->prefix6, &key);
        source_times(&key, limit, &times);
    } else {
        __u32 at = slot & config.geometry.slot_mask;
        struct rate_state *rate = bpf_map_lookup_elem(&rule_rates, &at);

        if (rate && limit->packet_cost_ns)
            times.packets = &rate->packets_tat_ns;
        if (rate && limit->byte_cost_q20)
            times.bytes = &rate->bytes_tat_ns;
    }
    if (!charge(&times, limit, now, packet->frame_bytes))
        return 0;
    if (FEATURE(VIOLATIONS) && limit->ban_after && !watched &&
        packet->family != PACKET_FAMILY_OTHER)
        violate(packet, limit, slot, now);
    return 1;
}

#endif
