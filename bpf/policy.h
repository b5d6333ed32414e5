/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy image: a compiled rule set as one flat run of bytes, little-endian, without pointers.
 * The XDP program and the userspace twin classify packets over the very same bytes, so this header
 * and its C# twins (src/engines/Pangea.DataPlane.Firewall/Image, and the enums of Packets) must
 * agree; PolicyLayoutTests compares every name, number, size and offset of both.
 *
 * Sections stand at byte offsets that the geometry names. The program gets the geometry as
 * read-only data before it is loaded, so offsets and masks are constants to the verifier, and every
 * index is masked instead of checked. All sections start at a multiple of 64.
 *
 * A section of a feature that the geometry does not have is absent and its offset is 0.
 */
#ifndef PANGEA_POLICY_H
#define PANGEA_POLICY_H

#ifdef __VMLINUX_H__
#else
#include <linux/types.h>
#endif

#define POLICY_IMAGE_MAGIC 0x31594c50u /* "PLY1" */
#define POLICY_IMAGE_VERSION 1u

/* What the rule set uses; a program variant is loaded for a set of features. */
enum policy_feature {
    POLICY_FEATURE_SOURCE4 = 1 << 0,           /* root table of IPv4 sources */
    POLICY_FEATURE_DESTINATION4 = 1 << 1,
    POLICY_FEATURE_SOURCE6 = 1 << 2,
    POLICY_FEATURE_DESTINATION6 = 1 << 3,
    POLICY_FEATURE_PINS = 1 << 4,              /* some result has POLICY_RESULT_PINNED */
    POLICY_FEATURE_COMPLEX = 1 << 5,           /* vectors, complex; summaries if words > 1 */
    POLICY_FEATURE_POLICE = 1 << 6,            /* police, police_rules */
    POLICY_FEATURE_SOURCE_PORT = 1 << 7,       /* the dimensions of vectors and police words */
    POLICY_FEATURE_DESTINATION_PORT = 1 << 8,
    POLICY_FEATURE_PROTOCOL = 1 << 9,
    POLICY_FEATURE_ICMP = 1 << 10,
    POLICY_FEATURE_VLAN = 1 << 11,
    POLICY_FEATURE_INNER_VLAN = 1 << 12,
    POLICY_FEATURE_SHAPE = 1 << 13,
    POLICY_FEATURE_INTERFACE = 1 << 14,        /* interfaces: default and vector of each */
    POLICY_FEATURE_LIMITS = 1 << 15,           /* slot_limits, limits */
    POLICY_FEATURE_BANS = 1 << 16,             /* sources are looked up among the bans */
    POLICY_FEATURE_VIOLATIONS = 1 << 17,       /* some limit bans who breaks it too often */
    POLICY_FEATURE_EVENTS = 1 << 18,           /* drops are sampled; set by the loader only */
};

/* Index 0..4095 of a VLAN table is the tag, this one a frame without that tag. */
#define POLICY_VLAN_NONE 4096u
/* Index into the protocol table of a frame that is not IP. */
#define POLICY_PROTOCOL_NONE 256u
/* Type for ICMP, 256 + type for ICMPv6; the index into the ICMP table is 256 times that + code. */
#define POLICY_ICMP_V6 256u
/* All else, which has its vector in the header. */
#define POLICY_ICMP_NONE 512u

#define POLICY_ROOT_ENTRIES 65536u
#define POLICY_PORT_ENTRIES 65536u
#define POLICY_PROTOCOL_ENTRIES 512u
#define POLICY_ICMP_ENTRIES 131072u
#define POLICY_VLAN_ENTRIES 8192u
#define POLICY_SHAPE_ENTRIES 32u
#define POLICY_INTERFACE_ENTRIES 1024u
#define POLICY_POLICE_ENTRIES 64u
#define POLICY_VECTOR_WORDS_MAX 16u
#define POLICY_NODE_BYTES 64u
#define POLICY_TRIE_STEPS_MAX 28u

/*
 * The shape of a packet, index of the shape table:
 * family (0 IPv4, 1 IPv6, 2 other) | fragment << 2 (0 none, 1 first, 2 later) | syn << 4.
 */
enum packet_family {
    PACKET_FAMILY_IPV4 = 0,
    PACKET_FAMILY_IPV6 = 1,
    PACKET_FAMILY_OTHER = 2,
};

enum fragment_kind {
    FRAGMENT_KIND_NONE = 0,
    FRAGMENT_KIND_FIRST = 1,
    FRAGMENT_KIND_LATER = 2,
};

#define POLICY_SHAPE_FRAGMENT_SHIFT 2u
#define POLICY_SHAPE_SYN 16u /* TCP, SYN set and ACK clear */

/* Why a packet cannot be judged. Bit (1 << kind) of header.malformed_drop says drop. */
enum malformed_kind {
    MALFORMED_KIND_NONE = 0,
    MALFORMED_KIND_FRAME_TRUNCATED = 1,      /* fewer than 14 bytes */
    MALFORMED_KIND_VLAN_TRUNCATED = 2,
    MALFORMED_KIND_VLAN_DEPTH = 3,           /* a third tag */
    MALFORMED_KIND_IPV4_TRUNCATED = 4,       /* fixed header or options end early */
    MALFORMED_KIND_IPV4_HEADER = 5,          /* version or header length impossible */
    MALFORMED_KIND_IPV4_LENGTH = 6,          /* total length < header, or > frame */
    MALFORMED_KIND_IPV6_TRUNCATED = 7,
    MALFORMED_KIND_IPV6_HEADER = 8,          /* version is not 6 */
    MALFORMED_KIND_IPV6_LENGTH = 9,          /* payload length > frame */
    MALFORMED_KIND_EXTENSION_TRUNCATED = 10,
    MALFORMED_KIND_EXTENSION_DEPTH = 11,     /* a ninth extension header */
    MALFORMED_KIND_TRANSPORT_TRUNCATED = 12, /* fixed header of TCP, UDP, SCTP, ICMP ends early */
    MALFORMED_KIND_TCP_HEADER = 13,          /* data offset < 5 or behind the packet */
    MALFORMED_KIND_UDP_LENGTH = 14,          /* length < 8 or behind the packet */
    MALFORMED_KIND_FRAGMENT_BOUNDS = 15,     /* ends behind 65535, or an inner part not of 8 */
};

/* Why a packet passes or drops, in the order of the tests. */
enum policy_reason {
    POLICY_REASON_ESSENTIAL = 0, /* ARP, neighbour discovery */
    POLICY_REASON_MALFORMED = 1,
    POLICY_REASON_PINNED = 2,
    POLICY_REASON_BAN = 3,
    POLICY_REASON_RATE = 4,
    POLICY_REASON_RULE = 5,
    POLICY_REASON_DEFAULT = 6,
};

/* An entry of a trie: leaf with a result index, skip or branch with a node index. */
#define POLICY_ENTRY_LEAF 0x80000000u
#define POLICY_ENTRY_SKIP 0x40000000u
#define POLICY_ENTRY_INDEX 0x3fffffffu

/* A decision word: slot of the rule and what to do. */
#define POLICY_DECISION_SLOT 0x00ffffffu
#define POLICY_DECISION_LIMIT 0x20000000u   /* slot_limits[slot] names a limit to charge */
#define POLICY_DECISION_MONITOR 0x40000000u /* counted as if, but passes; never bans */
#define POLICY_DECISION_DENY 0x80000000u

#define POLICY_ORDER_NONE 0xffffffffu
#define POLICY_SLOT_NONE 0x00ffffffu
#define POLICY_RESULT_PINNED 1u
#define POLICY_FLAG_MONITOR 1u /* header.flags: nothing drops, nothing bans */

/*
 * The order of tests, the same in both executors (UserspaceFilter.Judge is the C# one):
 *  1 essential: pass. 2 malformed: pass or drop by header.malformed_drop. 3 result of source, then
 *  of destination pinned: pass, slot = pin_slot. 4 source banned: drop. 5 lowest bit of the AND of
 *  police[class] over the fields: charge its limit; over: drop, Rate. A police rule that has
 *  MONITOR counts what is over in its slot as dropped and the search goes on, as it does within the
 *  limit (counted in its slot as passed). 6 lowest order among source result, destination result
 *  (equal only if both are none) and first complex rule; none: Default by interface. DENY: drop;
 *  LIMIT: charge; over: drop, Rate. A drop of a rule with MONITOR, or of anything under
 *  POLICY_FLAG_MONITOR, is counted as dropped in its slot and in [16 + reason], and passes.
 * Violations count only where neither kind of monitor holds, and only sources that are IP.
 * The fields of a class AND: source, destination, and those whose feature header.features has.
 */

/* Counters: [reason], [16 + reason] what monitor mode let pass, [32 + malformed kind], [64 + slot]. */
#define POLICY_COUNTER_MONITOR 16u
#define POLICY_COUNTER_MALFORMED 32u
#define POLICY_COUNTER_SLOTS 64u

/* Where everything stands; masks are count - 1 of a power of two. */
struct policy_geometry {
    __u32 version;
    __u32 features;
    __u32 image_bytes;
    __u32 source4;         /* u32[POLICY_ROOT_ENTRIES], entries; index = first 16 bits */
    __u32 destination4;
    __u32 source6;
    __u32 destination6;
    __u32 nodes;           /* POLICY_NODE_BYTES each: policy_branch or policy_skip */
    __u32 node_mask;
    __u32 results;         /* policy_result[] */
    __u32 result_mask;
    __u32 source_port;     /* u16[POLICY_PORT_ENTRIES], vector of the port */
    __u32 destination_port;
    __u32 protocol;        /* u16[POLICY_PROTOCOL_ENTRIES] */
    __u32 icmp;            /* u16[POLICY_ICMP_ENTRIES] */
    __u32 vlan;            /* u16[POLICY_VLAN_ENTRIES] */
    __u32 inner_vlan;      /* u16[POLICY_VLAN_ENTRIES] */
    __u32 shape;           /* u16[POLICY_SHAPE_ENTRIES] */
    __u32 interfaces;      /* policy_interface[POLICY_INTERFACE_ENTRIES] */
    __u32 vectors;         /* u64[vector_count][vector_words] */
    __u32 vector_mask;
    __u32 vector_words;    /* 1, 2, 4, 8 or 16: 64 complex rules a word */
    __u32 summaries;       /* u16[vector_count]: bit w = word w is not 0; absent if words == 1 */
    __u32 police;          /* u64[vector_count]: police rules of the class */
    __u32 complex_rules;   /* policy_rule[64 * vector_words], ascending order */
    __u32 police_rules;    /* policy_rule[POLICY_POLICE_ENTRIES], order unused */
    __u32 slot_limits;     /* u16[slot_count], index of the limit */
    __u32 limits;          /* policy_limit[] */
    __u32 limit_mask;
    __u32 slot_mask;       /* slot_count - 1: size of counters and of per-rule rate states */
    __u32 reserved[2];
};

/* Stands at offset 0 of the image, 256 bytes. */
struct policy_header {
    __u32 magic;
    __u32 version;
    __u64 generation;            /* of the rule set */
    __u32 features;              /* what the rules need; a subset of the geometry's */
    __u32 image_bytes;
    __u32 flags;                 /* POLICY_FLAG_* */
    __u32 malformed_drop;
    __u32 source_any[4];         /* result index by family, where there is no root table */
    __u32 destination_any[4];
    __u32 interface_multiplier;  /* index of interfaces = (u32)(ifindex * multiplier) >> 22 */
    __u32 default_deny;          /* 1: deny, on interfaces that are not listed */
    __u16 source_port_none;      /* vectors of packets that have no ports */
    __u16 destination_port_none;
    __u16 interface_other;       /* vector of interfaces that are not listed */
    __u16 icmp_none;             /* vector of packets that are neither ICMP nor ICMPv6 */
    __u32 complex_count;
    __u32 police_count;
    __u32 complex_order_min;     /* order of the first complex rule, or POLICY_ORDER_NONE */
    __u32 reserved[35];
};

/* A branch of a trie: the next four bits choose. */
struct policy_branch {
    __u32 child[16];
};

/*
 * A run of one-child branches, folded: if the next bit_count bits equal the top bits of want, go on
 * with match behind them, else with miss (always a leaf). bit_count is 4..60, a multiple of 4.
 */
struct policy_skip {
    __u64 want; /* the other bits are 0 */
    __u32 bit_count;
    __u32 match;
    __u32 miss;
    __u32 reserved[11];
};

/* What one address means. */
struct policy_result {
    __u32 order;        /* of the first simple rule with this address; POLICY_ORDER_NONE */
    __u32 decision;
    __u16 vector;       /* complex and police rules that allow this address */
    __u16 flags;        /* POLICY_RESULT_PINNED */
    __u32 pin_slot;
};

struct policy_rule {
    __u32 order;
    __u32 decision;
};

/* ifindex 0: free. */
struct policy_interface {
    __u32 ifindex;
    __u16 vector;
    __u8 deny;
    __u8 reserved;
};

enum policy_scope {
    POLICY_SCOPE_RULE = 0,   /* one bucket for the rule, at its slot */
    POLICY_SCOPE_SOURCE = 1, /* one bucket for each source prefix */
};

/*
 * A limit, generic cell rate algorithm with the theoretical arrival time as only state:
 *   base = tat < now or tat - now > burst ? now : tat   (tat > now + burst is a clock that jumped
 *                                                        or a limit that changed)
 *   over = base + cost - now > burst                    (state unchanged)
 *   tat = base + cost
 * Packets cost packet_cost_ns, bytes (frame bytes * byte_cost_q20) >> 20. With both, a packet must
 * keep both, and is charged only then. Cost 0: not limited.
 */
struct policy_limit {
    __u64 packet_cost_ns;
    __u64 packet_burst_ns;
    __u64 byte_cost_q20;
    __u64 byte_burst_ns;
    __u64 ban_window_ns;
    __u64 ban_ns;        /* length of the ban; all ones: for ever */
    __u32 ban_after;     /* violations within the window that ban; 0: never */
    __u8 scope;          /* enum policy_scope */
    __u8 prefix4;        /* bits of an IPv4 source that name its bucket */
    __u8 prefix6;
    __u8 ban6;           /* 64 or 128 bits of an IPv6 source are banned */
    __u64 reserved;
};

struct policy_counter {
    __u64 passed_packets;
    __u64 passed_bytes;
    __u64 dropped_packets;
    __u64 dropped_bytes;
};

/* Bucket of a source. IPv4: high is 0, low the address as a number; bits behind the prefix are 0. */
struct rate_key {
    __u64 high;
    __u64 low;
    __u32 slot;
    __u32 family;
};

struct rate_state {
    __u64 packets_tat_ns;
    __u64 bytes_tat_ns;
};

/* By rate_key with the bits that would be banned. A window starts with the first violation. */
struct violation_state {
    __u64 window_start_ns;
    __u32 count;
    __u32 reserved;
};

/*
 * IPv4 bans are keyed by the address as a number. A /64 is banned under its all-ones address, which
 * no host may use as source (RFC 2526), so exact bans and /64 bans share one table. The value is
 * the expiry in nanoseconds; a source is banned while expiry > now.
 */
struct ban_key6 {
    __u64 high;
    __u64 low;
};

#define POLICY_EVENT_HEAD_BYTES 96u

/* A sampled drop. */
struct policy_event {
    __u64 time_ns;
    __u32 ifindex;
    __u32 frame_bytes;
    __u32 slot;          /* POLICY_SLOT_NONE without a rule */
    __u8 dropped;        /* 0: monitor mode let it pass */
    __u8 reason;
    __u8 malformed;
    __u8 head_bytes;
    __u8 head[POLICY_EVENT_HEAD_BYTES];
};

#endif
