/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From facts to the first rule that matches, over the policy image (policy.h says how it is laid
 * out). The twin is UserspaceFilter in C#.
 */
#ifndef PANGEA_CLASSIFY_H
#define PANGEA_CLASSIFY_H

#include "filter.h"
#include "parse.h"

#define GEOMETRY(name) ((__u64)config.geometry.name)

/* What rules make of one packet; the vector of each dimension that some rule asks for. */
struct classes {
    __u32 source;      /* result index */
    __u32 destination;
    __u16 source_vector;
    __u16 destination_vector;
    __u16 source_port;
    __u16 destination_port;
    __u16 protocol;
    __u16 icmp;
    __u16 vlan;
    __u16 inner_vlan;
    __u16 shape;
    __u16 interface;
};

INLINE struct policy_result *result_of(void *image, __u32 index)
{
    __u64 masked = index & GEOMETRY(result_mask);

    return image + GEOMETRY(results) + masked * sizeof(struct policy_result);
}

INLINE void *node_of(void *image, __u32 entry)
{
    __u64 masked = entry & POLICY_ENTRY_INDEX & GEOMETRY(node_mask);

    return image + GEOMETRY(nodes) + masked * POLICY_NODE_BYTES;
}

/*
 * One step: next four bits of the address, or a folded run of them. bits has the rest of the address
 * at its top. Returns how many bits were used.
 */
INLINE __u32 trie_step(void *image, __u32 *entry, __u64 bits)
{
    void *node = node_of(image, *entry);
    __u32 count;

    if (*entry & POLICY_ENTRY_SKIP) {
        struct policy_skip *skip = node;

        count = skip->bit_count & 63;
        *entry = (((bits ^ skip->want) >> ((64 - count) & 63)) == 0) ? skip->match : skip->miss;
        return count;
    }
    *entry = *(__u32 *)(node + ((bits >> 60) & 15) * 4);
    return 4;
}

INLINE __u32 trie4(void *image, __u64 root, __u32 address)
{
    __u32 entry = *(__u32 *)(image + root + (__u64)(address >> 16) * 4);
    __u64 bits = (__u64)address << 48;
    int step;

    for (step = 0; step < 4; step++) {
        if (entry & POLICY_ENTRY_LEAF)
            break;
        bits <<= trie_step(image, &entry, bits);
    }
    return entry & POLICY_ENTRY_INDEX;
}

/*
 * The same for IPv6. A function of its own, so that the verifier looks at its 28 steps once; half
 * says which image the packet began with.
 */
__noinline __u64 trie6(__u64 high, __u64 low, __u32 half, __u32 is_destination)
{
    void *image = image_base();
    __u64 root = is_destination ? GEOMETRY(destination6) : GEOMETRY(source6);
    __u64 step;
    __u32 entry;

    if (!image)
        return 0;
    image += half & config.half_bytes;
    entry = *(__u32 *)(image + root + (high >> 48) * 4);
    high = (high << 16) | (low >> 48);
    low <<= 16;
    for (step = 0; step < POLICY_TRIE_STEPS_MAX; step++) {
        __u32 used;

        if (entry & POLICY_ENTRY_LEAF)
            break;
        used = trie_step(image, &entry, high);
        high = (high << used) | (low >> ((64 - used) & 63));
        low <<= used;
    }
    return entry & POLICY_ENTRY_INDEX;
}

INLINE __u16 table16(void *image, __u64 table, __u64 index)
{
    return *(__u16 *)(image + table + index * 2);
}

/* The addresses: what they alone decide, and the vectors of their dimensions. */
INLINE void classify_addresses(
    void *image, __u32 half, struct packet *packet, struct classes *classes)
{
    struct policy_header *header = image;

    if (packet->family == PACKET_FAMILY_IPV4) {
        classes->source = FEATURE(SOURCE4)
            ? trie4(image, GEOMETRY(source4), packet->source_low)
            : header->source_any[PACKET_FAMILY_IPV4];
        classes->destination = FEATURE(DESTINATION4)
            ? trie4(image, GEOMETRY(destination4), packet->destination_low)
            : header->destination_any[PACKET_FAMILY_IPV4];
    } else if (packet->family == PACKET_FAMILY_IPV6) {
        classes->source = FEATURE(SOURCE6)
            ? trie6(packet->source_high, packet->source_low, half, 0)
            : header->source_any[PACKET_FAMILY_IPV6];
        classes->destination = FEATURE(DESTINATION6)
            ? trie6(packet->destination_high, packet->destination_low, half, 1)
            : header->destination_any[PACKET_FAMILY_IPV6];
    } else {
        classes->source = header->source_any[PACKET_FAMILY_OTHER];
        classes->destination = header->destination_any[PACKET_FAMILY_OTHER];
    }
}

INLINE struct policy_interface *interface_of(void *image, struct packet *packet)
{
    struct policy_header *header = image;
    __u32 hash = packet->ifindex * header->interface_multiplier;
    struct policy_interface *found =
        image + GEOMETRY(interfaces) + (__u64)(hash >> 22) * sizeof(struct policy_interface);

    return packet->ifindex && found->ifindex == packet->ifindex ? found : 0;
}

/* The vectors of all other dimensions that some rule asks for. */
INLINE void classify_rest(void *image, struct packet *packet, struct classes *classes)
{
    struct policy_header *header = image;

    classes->source_vector = result_of(image, classes->source)->vector;
    classes->destination_vector = result_of(image, classes->destination)->vector;
    if (FEATURE(SOURCE_PORT))
        classes->source_port = packet->has_ports
            ? table16(image, GEOMETRY(source_port), packet->source_port)
            : header->source_port_none;
    if (FEATURE(DESTINATION_PORT))
        classes->destination_port = packet->has_ports
            ? table16(image, GEOMETRY(destination_port), packet->destination_port)
            : header->destination_port_none;
    if (FEATURE(PROTOCOL))
        classes->protocol = table16(image, GEOMETRY(protocol), packet->protocol & 511);
    if (FEATURE(ICMP))
        classes->icmp = packet->icmp < POLICY_ICMP_NONE
            ? table16(image, GEOMETRY(icmp), (packet->icmp & 511) << 8 | packet->icmp_code)
            : header->icmp_none;
    if (FEATURE(VLAN))
        classes->vlan = table16(image, GEOMETRY(vlan), packet->vlan & 8191);
    if (FEATURE(INNER_VLAN))
        classes->inner_vlan = table16(image, GEOMETRY(inner_vlan), packet->inner_vlan & 8191);
    if (FEATURE(SHAPE))
        classes->shape = table16(image, GEOMETRY(shape),
            (packet->family | packet->fragment << POLICY_SHAPE_FRAGMENT_SHIFT |
                (packet->syn ? POLICY_SHAPE_SYN : 0)) & 31);
    if (FEATURE(INTERFACE)) {
        struct policy_interface *interface = interface_of(image, packet);

        classes->interface = interface ? interface->vector : header->interface_other;
    }
}

/* The AND over all dimensions of the element that load reads for a vector index. */
#define INTERSECT(load)                                                                     \
    ({                                                                                      \
        __u64 all = load(classes->source_vector) & load(classes->destination_vector);       \
        if (FEATURE(SOURCE_PORT))                                                           \
            all &= load(classes->source_port);                                              \
        if (FEATURE(DESTINATION_PORT))                                                      \
            all &= load(classes->destination_port);                                         \
        if (FEATURE(PROTOCOL))                                                              \
            all &= load(classes->protocol);                                                 \
        if (FEATURE(ICMP))                                                                  \
            all &= load(classes->icmp);                                                     \
        if (FEATURE(VLAN))                                                                  \
            all &= load(classes->vlan);                                                     \
        if (FEATURE(INNER_VLAN))                                                            \
            all &= load(classes->inner_vlan);                                               \
        if (FEATURE(SHAPE))                                                                 \
            all &= load(classes->shape);                                                    \
        if (FEATURE(INTERFACE))                                                             \
            all &= load(classes->interface);                                                \
        all;                                                                                \
    })

/* BPF has no instruction for it; de Bruijn would need a table. x is not 0. */
INLINE __u32 first_bit(__u64 x)
{
    __u32 at = 0;

    if (!(x & 0xffffffffull)) {
        at = 32;
        x >>= 32;
    }
    if (!(x & 0xffff)) {
        at += 16;
        x >>= 16;
    }
    if (!(x & 0xff)) {
        at += 8;
        x >>= 8;
    }
    if (!(x & 15)) {
        at += 4;
        x >>= 4;
    }
    if (!(x & 3)) {
        at += 2;
        x >>= 2;
    }
    return at + !(x & 1);
}

#define LOAD_POLICE(v) (*(__u64 *)(image + GEOMETRY(police) + ((v) & GEOMETRY(vector_mask)) * 8))

/* The first police rule that matches, or 64. */
INLINE __u32 first_police(void *image, struct classes *classes)
{
    __u64 all = INTERSECT(LOAD_POLICE);

    return all ? first_bit(all) : 64;
}

#define LOAD_WORD(v)                                                                        \
    (*(__u64 *)(image + GEOMETRY(vectors) +                                                 \
        (((v) & GEOMETRY(vector_mask)) * GEOMETRY(vector_words) + word) * 8))
#define LOAD_SUMMARY(v)                                                                     \
    ((__u64)*(__u16 *)(image + GEOMETRY(summaries) + ((v) & GEOMETRY(vector_mask)) * 2))

/* The first complex rule that matches, or -1. */
INLINE int first_complex(void *image, struct classes *classes)
{
    __u64 summary, all;
    __u64 word = 0;

    if (config.geometry.vector_words == 1) {
        all = INTERSECT(LOAD_WORD);
        return all ? (int)first_bit(all) : -1;
    }
    summary = INTERSECT(LOAD_SUMMARY);
    for (word = 0; word < POLICY_VECTOR_WORDS_MAX; word++) {
        if (word >= config.geometry.vector_words)
            break;
        if (!(summary & (1ull << word)))
            continue;
        all = INTERSECT(LOAD_WORD);
        if (all)
            return (int)(word * 64 + first_bit(all));
    }
    return -1;
}

#endif
