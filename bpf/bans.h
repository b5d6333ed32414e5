/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is banned. IPv4: an own table of one cache line per bucket, eight words of address and expiry,
 * so that both the loader and this program change an entry with one atomic exchange, and a source
 * that is not banned costs one line. IPv6: the kernel's hash, behind a small filter of bits.
 */
#ifndef PANGEA_BANS_H
#define PANGEA_BANS_H

#include "filter.h"
#include "parse.h"

/* Expiry counts in units of 2^26 ns (67 ms), rounded up; all ones is for ever. */
#define BAN_TICK_SHIFT 26
#define BAN_TICKS_FOREVER 0xffffffffu
#define BAN_BUCKET_ENTRIES 8
#define BAN_PROBES 8
#define BAN_MULTIPLIER 0x9e3779b97f4a7c15ull
#define BAN_FOREVER_NS 0xffffffffffffffffull

/*
 * address << 32 | expiry in ticks; 0 was never used. A bucket with no 0 left may have let entries
 * over into its next ones, so an entry that is removed leaves ticks 1, and 0 only comes back when
 * the loader builds the table anew.
 */
struct ban_bucket {
    __u64 entries[BAN_BUCKET_ENTRIES];
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct ban_bucket);
} bans4 SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1);
    __type(key, struct ban_key6);
    __type(value, __u64);
} bans6 SEC(".maps");

/*
 * One word a source, three bits of it: a source that is not banned seldom gets further, and the
 * filters are small enough to stay in a cache where the tables are not. Stale bits only cost time.
 * A ban is written into its table first: whoever builds a filter anew then finds it there, or its
 * bits are set later.
 */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} bloom4 SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} bloom6 SEC(".maps");

INLINE __u64 bloom_bits(__u64 hash)
{
    return 1ull << (hash & 63) | 1ull << ((hash >> 6) & 63) | 1ull << ((hash >> 12) & 63);
}

INLINE __u64 ban_hash4(__u32 address)
{
    __u64 hash = address * BAN_MULTIPLIER;

    return hash ^ (hash >> 32);
}

/* Multiplied twice: addresses in a row, which are banned together, else fill few of the buckets. */
INLINE __u64 ban_place(__u32 address)
{
    return ban_hash4(address) * BAN_MULTIPLIER;
}

INLINE __u32 ban_bucket_of(__u32 address)
{
    return (__u32)(ban_place(address) >> 40) & config.ban4_mask;
}

/* An odd step leads through all buckets. */
INLINE __u32 ban_step(__u32 address)
{
    return (__u32)(ban_place(address) >> 8) | 1;
}

/* Ticks of the ban, 0 without one; full says whether the next bucket counts. */
INLINE __u32 ban_in_bucket(struct ban_bucket *bucket, __u32 address, int *full)
{
    int i;

    *full = 0;
#pragma unroll
    for (i = 0; i < BAN_BUCKET_ENTRIES; i++) {
        __u64 entry = bucket->entries[i];

        if (entry == 0)
            return 0;
        if ((__u32)(entry >> 32) == address)
            return (__u32)entry;
    }
    *full = 1;
    return 0;
}

INLINE int ban_holds(__u32 ticks)
{
    return ticks == BAN_TICKS_FOREVER || ((__u64)ticks << BAN_TICK_SHIFT) > now_ns();
}

INLINE int is_banned4(__u32 address)
{
    __u64 hash = ban_hash4(address);
    __u64 bits = bloom_bits(hash);
    __u32 index = (__u32)(hash >> 32) & config.bloom4_mask;
    __u64 *word = bpf_map_lookup_elem(&bloom4, &index);
    int probe;

    if (!word || (*word & bits) != bits)
        return 0;
    index = ban_bucket_of(address);
    for (probe = 0; probe < BAN_PROBES; probe++) {
        struct ban_bucket *bucket = bpf_map_lookup_elem(&bans4, &index);
        __u32 ticks;
        int full;

        if (!bucket)
            return 0;
        ticks = ban_in_bucket(bucket, address, &full);
        if (ticks)
            return ban_holds(ticks);
        if (!full)
            return 0;
        index = (index + ban_step(address)) & config.ban4_mask;
    }
    return 0;
}

INLINE __u64 ban_hash6(__u64 high, __u64 low)
{
    return mix((high * BAN_MULTIPLIER) ^ low);
}

INLINE int is_banned6_as(__u64 high, __u64 low)
{
    __u64 hash = ban_hash6(high, low);
    __u32 index = (__u32)(hash >> 32) & config.bloom6_mask;
    __u64 bits = bloom_bits(hash);
    __u64 *word = bpf_map_lookup_elem(&bloom6, &index);
    struct ban_key6 key = {.high = high, .low = low};
    __u64 *expiry;

    if (!word || (*word & bits) != bits)
        return 0;
    expiry = bpf_map_lookup_elem(&bans6, &key);
    return expiry && *expiry > now_ns();
}

/* A /64 is banned under its all-ones address. */
INLINE int is_banned6(__u64 high, __u64 low)
{
    if (!state.has_bans6)
        return 0;
    return is_banned6_as(high, low) || is_banned6_as(high, ~0ull);
}

INLINE int is_banned(struct packet *packet)
{
    if (packet->family == PACKET_FAMILY_IPV4)
        return is_banned4((__u32)packet->source_low);
    if (packet->family == PACKET_FAMILY_IPV6)
        return is_banned6(packet->source_high, packet->source_low);
    return 0;
}

INLINE __u32 ban_ticks_of(__u64 expiry_ns)
{
    __u64 ticks = (expiry_ns >> BAN_TICK_SHIFT) +
        ((expiry_ns & ((1ull << BAN_TICK_SHIFT) - 1)) != 0);

    return ticks >= BAN_TICKS_FOREVER ? BAN_TICKS_FOREVER : (__u32)ticks;
}

/* Takes the address's own entry, a free one, or an expired one; 0 where the bucket is full. */
INLINE int ban_into_bucket(__u32 index, __u32 address, __u32 ticks, __u32 now_ticks)
{
    struct ban_bucket *bucket = bpf_map_lookup_elem(&bans4, &index);
    __u64 wanted = (__u64)address << 32 | ticks;
    int i;

    if (!bucket)
        return 0;
#pragma unroll
    for (i = 0; i < BAN_BUCKET_ENTRIES; i++) {
        __u64 entry = bucket->entries[i];

        if ((__u32)entry <= now_ticks &&
            __sync_val_compare_and_swap(&bucket->entries[i], entry, wanted) == entry)
            return 1;
    }
    return 0;
}

INLINE void ban4(__u32 address, __u64 expiry_ns, __u64 now)
{
    __u32 index = ban_bucket_of(address);
    __u32 ticks = ban_ticks_of(expiry_ns);
    __u32 now_ticks = (__u32)(now >> BAN_TICK_SHIFT);
    __u64 hash = ban_hash4(address);
    __u32 at = (__u32)(hash >> 32) & config.bloom4_mask;
    int probe;

    for (probe = 0; probe < BAN_PROBES; probe++) {
        if (ban_into_bucket(index, address, ticks, now_ticks)) {
            __u64 *word = bpf_map_lookup_elem(&bloom4, &at);

            if (word)
                __sync_fetch_and_or(word, bloom_bits(hash));
            return;
        }
        index = (index + ban_step(address)) & config.ban4_mask;
    }
    __sync_fetch_and_add(&state.bans_refused, 1);
}

INLINE void ban6(__u64 high, __u64 low, __u64 expiry_ns)
{
    __u64 hash = ban_hash6(high, low);
    __u32 index = (__u32)(hash >> 32) & config.bloom6_mask;
    __u64 *word = bpf_map_lookup_elem(&bloom6, &index);
    struct ban_key6 key = {.high = high, .low = low};

    if (bpf_map_update_elem(&bans6, &key, &expiry_ns, BPF_ANY))
        __sync_fetch_and_add(&state.bans_refused, 1);
    if (word)
        __sync_fetch_and_or(word, bloom_bits(hash));
    state.has_bans6 = 1;
}

#endif
