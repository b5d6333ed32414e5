/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firewall's XDP program. This file is the order of decisions; each header has one concern. The
 * userspace twin (UserspaceFilter in C#) judges by the same image in the same order.
 */
#include "filter.h"
#include "parse.h"
#include "classify.h"
#include "bans.h"
#include "rates.h"
#include "counters.h"
#include "events.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct verdict {
    __u32 reason;
    __u32 slot;
    int is_drop;
    int is_watched; /* monitor mode: what would drop is counted and passes */
};

/* By a rule's decision word. */
INLINE void decide(struct verdict *verdict, __u32 reason, __u32 decision, int is_drop)
{
    verdict->reason = reason;
    verdict->slot = decision & POLICY_DECISION_SLOT;
    verdict->is_drop = is_drop;
    verdict->is_watched |= (decision & POLICY_DECISION_MONITOR) != 0;
}

INLINE void count_slot(struct packet *packet, __u32 slot, int is_drop)
{
    count(POLICY_COUNTER_SLOTS + (slot & config.geometry.slot_mask), packet->frame_bytes, is_drop);
}

/*
 * 1 where a police rule decides. One in monitor mode counts what is over, and the search goes on.
 */
INLINE int judge_police(
    void *image, __u32 half, struct packet *packet, struct classes *classes,
    struct verdict *verdict)
{
    __u32 index = first_police(image, classes);
    struct policy_rule *rule;
    __u32 decision, slot;
    int over, watched;

    if (index >= POLICY_POLICE_ENTRIES)
        return 0;
    rule = image + GEOMETRY(police_rules) + (__u64)(index & 63) * sizeof(struct policy_rule);
    decision = rule->decision;
    slot = decision & POLICY_DECISION_SLOT;
    watched = (decision & POLICY_DECISION_MONITOR) != 0;
    over = is_over(packet, half, slot, verdict->is_watched || watched);
    if (over && !watched) {
        decide(verdict, POLICY_REASON_RATE, decision, 1);
        return 1;
    }
    count_slot(packet, slot, over);
    return 0;
}

INLINE void judge_policy(
    void *image, __u32 half, struct packet *packet, struct classes *classes,
    struct verdict *verdict)
{
    struct policy_header *header = image;
    struct policy_result *source = result_of(image, classes->source);
    struct policy_result *destination = result_of(image, classes->destination);
    __u32 order = source->order;
    __u32 decision = source->decision;

    if (destination->order < order) {
        order = destination->order;
        decision = destination->decision;
    }
    if (FEATURE(COMPLEX) && header->complex_order_min < order) {
        int index = first_complex(image, classes);

        if (index >= 0) {
            struct policy_rule *rule = image + GEOMETRY(complex_rules) +
                (__u64)(index & 1023) * sizeof(struct policy_rule);

            if (rule->order < order) {
                order = rule->order;
                decision = rule->decision;
            }
        }
    }
    if (order == POLICY_ORDER_NONE) {
        struct policy_interface *interface =
            FEATURE(INTERFACE) ? interface_of(image, packet) : 0;

        verdict->reason = POLICY_REASON_DEFAULT;
        verdict->is_drop = interface ? interface->deny != 0 : header->default_deny != 0;
        return;
    }
    decide(verdict, POLICY_REASON_RULE, decision, (decision & POLICY_DECISION_DENY) != 0);
    if (FEATURE(LIMITS) && !verdict->is_drop && (decision & POLICY_DECISION_LIMIT) &&
        is_over(packet, half, verdict->slot, verdict->is_watched))
        decide(verdict, POLICY_REASON_RATE, decision, 1);
}

INLINE void judge(void *image, __u32 half, struct packet *packet, struct verdict *verdict)
{
    struct policy_header *header = image;
    struct classes classes = {};

    verdict->slot = POLICY_SLOT_NONE;
    verdict->is_watched = header->flags & POLICY_FLAG_MONITOR;
    if (packet->malformed) {
        verdict->reason = POLICY_REASON_MALFORMED;
        verdict->is_drop = (header->malformed_drop >> (packet->malformed & 31)) & 1;
        return;
    }
    if (packet->essential) {
        verdict->reason = POLICY_REASON_ESSENTIAL;
        return;
    }
    if (FEATURE(PINS)) {
        classify_addresses(image, half, packet, &classes);
        struct policy_result *source = result_of(image, classes.source);
        struct policy_result *destination = result_of(image, classes.destination);
        struct policy_result *pinned =
            source->flags & POLICY_RESULT_PINNED ? source : destination;

        if (pinned->flags & POLICY_RESULT_PINNED) {
            verdict->reason = POLICY_REASON_PINNED;
            verdict->slot = pinned->pin_slot;
            return;
        }
    }
    if (FEATURE(BANS) && is_banned(packet)) {
        verdict->reason = POLICY_REASON_BAN;
        verdict->is_drop = 1;
        return;
    }
    if (!FEATURE(PINS)) /* a flood of banned sources then costs no look-up of prefixes */
        classify_addresses(image, half, packet, &classes);
    if (FEATURE(COMPLEX) || FEATURE(POLICE))
        classify_rest(image, packet, &classes);
    if (FEATURE(POLICE) && judge_police(image, half, packet, &classes, verdict))
        return;
    judge_policy(image, half, packet, &classes, verdict);
}

INLINE int act(struct xdp_md *ctx, struct packet *packet, struct verdict *verdict)
{
    int dropped = verdict->is_drop && !verdict->is_watched;
    __u32 row = verdict->reason;

    if (verdict->is_drop && verdict->is_watched)
        row += POLICY_COUNTER_MONITOR;
    count(row, packet->frame_bytes, verdict->is_drop);
    if (packet->malformed)
        count(POLICY_COUNTER_MALFORMED + (packet->malformed & 31), packet->frame_bytes,
            verdict->is_drop);
    if (verdict->slot != POLICY_SLOT_NONE)
        count_slot(packet, verdict->slot, verdict->is_drop);
    if (FEATURE(EVENTS) && verdict->is_drop)
        maybe_sample(ctx, packet, verdict->reason, verdict->slot, dropped);
    if (config.is_test) {
        state.trace_slot = verdict->slot;
        state.trace_reason = verdict->reason;
        state.trace_malformed = packet->malformed;
        state.trace_dropped = verdict->is_drop | verdict->is_watched << 1;
    }
    return dropped ? XDP_DROP : XDP_PASS;
}

SEC("xdp.frags")
int firewall(struct xdp_md *ctx)
{
    struct packet packet = {};
    struct verdict verdict = {};
    void *image = image_base();
    __u32 half = state.active & config.half_bytes;

    if (!image)
        return XDP_PASS;
    image += half;
    if (FEATURE(INTERFACE))
        packet.ifindex = interface_index(ctx);
    parse(ctx, &packet);
    if (config.is_test && state.test_source_mask)
        packet.source_low ^= bpf_get_prandom_u32() & state.test_source_mask;
    judge(image, half, &packet, &verdict);
    return act(ctx, &packet, &verdict);
}

/* Tells the loader where the data path's clock stands; run by BPF_PROG_TEST_RUN only. */
SEC("xdp")
int filter_clock(struct xdp_md *ctx)
{
    state.clock_ticks = bpf_jiffies64();
    return XDP_PASS;
}
