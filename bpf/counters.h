/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters, a run of them for each CPU. Programs of one CPU never interrupt each other, so plain
 * additions suffice; the loader maps all of them and adds up.
 */
#ifndef PANGEA_COUNTERS_H
#define PANGEA_COUNTERS_H

#include "filter.h"

INLINE void count(__u32 index, __u32 bytes, int dropped)
{
    __u32 at = bpf_get_smp_processor_id() * config.counter_stride + index;
    struct policy_counter *counter = bpf_map_lookup_elem(&counters, &at);

    if (!counter)
        return;
    if (dropped) {
        counter->dropped_packets++;
        counter->dropped_bytes += bytes;
    } else {
        counter->passed_packets++;
        counter->passed_bytes += bytes;
    }
}

#endif
