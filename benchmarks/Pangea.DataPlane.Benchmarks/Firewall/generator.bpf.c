/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs of the benchmark: one that sends what it is given, and the least that a filter can do.
 * Live frames (BPF_F_TEST_XDP_LIVE_FRAMES) through `transmit` are the fastest source of packets
 * that the kernel has.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("xdp")
int transmit(struct xdp_md *ctx)
{
    return XDP_TX;
}

/* The first bytes of the frame, up to the destination in IPv4's header. */
struct frame_head {
    __u64 words[4];
};

const volatile struct frame_head head SEC(".rodata.head");

/*
 * The same for frames that somebody may route: pages come back as they left the other side, with
 * another hop count and other addresses of Ethernet.
 */
SEC("xdp")
int transmit_anew(struct xdp_md *ctx)
{
    __u64 *data = (void *)(long)ctx->data;

    if (data + 4 > (__u64 *)(long)ctx->data_end)
        return XDP_DROP;
    data[0] = head.words[0];
    data[1] = head.words[1];
    data[2] = head.words[2];
    data[3] = head.words[3];
    return XDP_TX;
}

SEC("xdp")
int pass(struct xdp_md *ctx)
{
    return XDP_PASS;
}

SEC("xdp")
int drop(struct xdp_md *ctx)
{
    return XDP_DROP;
}

/* Reads one field, as every filter must: the frame then comes into this core's cache. */
SEC("xdp")
int look(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data;

    if (data + 14 > (void *)(long)ctx->data_end)
        return XDP_PASS;
    return *(__u16 *)(data + 12) == 0 ? XDP_PASS : XDP_DROP;
}
