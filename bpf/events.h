/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples of what is dropped, at most one in a jiffy however many packets there are, so that a flood
 * costs a load and a comparison.
 */
#ifndef PANGEA_EVENTS_H
#define PANGEA_EVENTS_H

#include "filter.h"
#include "parse.h"

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 16);
} events SEC(".maps");

__noinline int sample(struct xdp_md *ctx, __u64 slot_reason, __u32 malformed_dropped)
{
    __u64 bytes = (void *)(long)ctx->data_end - (void *)(long)ctx->data;
    struct policy_event *event;

    event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event)
        return 0;
    event->time_ns = now_ns();
    event->ifindex = interface_index(ctx);
    event->frame_bytes = bpf_xdp_get_buff_len(ctx);
    event->slot = (__u32)(slot_reason >> 32);
    event->reason = (__u8)slot_reason;
    event->malformed = (__u8)malformed_dropped;
    event->dropped = (__u8)(malformed_dropped >> 8);
    if (bytes > POLICY_EVENT_HEAD_BYTES)
        bytes = POLICY_EVENT_HEAD_BYTES;
    event->head_bytes = 0;
    if (bytes > 0 && !bpf_xdp_load_bytes(ctx, 0, event->head, bytes))
        event->head_bytes = bytes;
    bpf_ringbuf_submit(event, 0);
    return 0;
}

INLINE void maybe_sample(
    struct xdp_md *ctx, struct packet *packet, __u32 reason, __u32 slot, int dropped)
{
    __u64 tick = config.is_test ? state.test_now_ns : bpf_jiffies64();

    if (state.event_tick == tick)
        return;
    state.event_tick = tick;
    sample(ctx, (__u64)slot << 32 | reason, packet->malformed | (dropped ? 256 : 0));
}

#endif
