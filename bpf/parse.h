/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From bytes to the facts that rules ask for. The twin is PacketParser in C#; it makes the same tests
 * in the same order, because a frame that is wrong in two ways must be called by the same name.
 */
#ifndef PANGEA_PARSE_H
#define PANGEA_PARSE_H

#include "filter.h"

#define ETHER_IPV4 0x0800
#define ETHER_ARP 0x0806
#define ETHER_IPV6 0x86dd
#define ETHER_VLAN 0x8100
#define ETHER_SERVICE_VLAN 0x88a8
#define EXTENSIONS_MAX 8
#define DATAGRAM_BYTES_MAX 65535
/* No driver makes first parts shorter than this, but for those that split headers off. */
#define FIRST_PART_BYTES_MIN 1500

struct packet {
    __u64 source_high; /* IPv4: 0, and the address as a number in low */
    __u64 source_low;
    __u64 destination_high;
    __u64 destination_low;
    __u32 frame_bytes;
    __u32 ifindex;
    __u16 source_port;
    __u16 destination_port;
    __u16 vlan;
    __u16 inner_vlan;
    __u16 protocol;
    __u16 icmp;
    __u8 icmp_code;
    __u8 family;
    __u8 fragment;
    __u8 malformed;
    __u8 has_ports;
    __u8 syn;
    __u8 essential;
};

INLINE __u16 get16(const void *p) { return bpf_ntohs(*(const __u16 *)p); }
INLINE __u32 get32(const void *p) { return bpf_ntohl(*(const __u32 *)p); }
INLINE __u64 get64(const void *p)
{
    return ((__u64)bpf_ntohl(*(const __u32 *)p) << 32) | bpf_ntohl(*(const __u32 *)(p + 4));
}

/* A part may not be empty, nor end behind the largest datagram. */
INLINE int fragment_fits(__u32 offset, __u32 payload, __u32 header, int more)
{
    return payload > 0 && offset + payload + header <= DATAGRAM_BYTES_MAX &&
        (!more || (payload & 7) == 0);
}

/*
 * Frames above a page come in parts, and only the first can be read directly; headers stand there.
 * The whole length is asked for where the first part is long, and here, where it does not suffice.
 */
INLINE int reaches(struct xdp_md *ctx, struct packet *packet, __u32 bytes)
{
    if (bytes <= packet->frame_bytes)
        return 1;
    if (config.frames_in_parts)
        packet->frame_bytes = bpf_xdp_get_buff_len(ctx);
    return bytes <= packet->frame_bytes;
}

/* position counts from the beginning of the frame, end is that of the packet. */
INLINE void parse_transport(
    struct packet *packet, void *data, void *data_end, __u32 position, __u32 end)
{
    __u32 bytes = end - position;
    int whole = packet->fragment == FRAGMENT_KIND_NONE;
    void *header = data + position;

    if (packet->protocol == 6) {
        __u32 length;

        if (bytes < 20 || header + 20 > data_end) {
            packet->malformed = MALFORMED_KIND_TRANSPORT_TRUNCATED;
            return;
        }
        packet->source_port = get16(header);
        packet->destination_port = get16(header + 2);
        packet->has_ports = 1;
        length = (*(__u8 *)(header + 12) >> 4) * 4;
        packet->syn = (*(__u8 *)(header + 13) & 0x12) == 0x02;
        if (length < 20 || (whole && length > bytes))
            packet->malformed = MALFORMED_KIND_TCP_HEADER;
    } else if (packet->protocol == 17) {
        __u32 length;

        if (bytes < 8 || header + 8 > data_end) {
            packet->malformed = MALFORMED_KIND_TRANSPORT_TRUNCATED;
            return;
        }
        packet->source_port = get16(header);
        packet->destination_port = get16(header + 2);
        packet->has_ports = 1;
        length = get16(header + 4);
        if (length < 8 || (whole && length > bytes))
            packet->malformed = MALFORMED_KIND_UDP_LENGTH;
    } else if (packet->protocol == (packet->family == PACKET_FAMILY_IPV6 ? 58 : 1)) {
        if (bytes < 4 || header + 4 > data_end) {
            packet->malformed = MALFORMED_KIND_TRANSPORT_TRUNCATED;
            return;
        }
        packet->icmp = *(__u8 *)header;
        packet->icmp_code = *(__u8 *)(header + 1);
        if (packet->family == PACKET_FAMILY_IPV6) {
            packet->icmp += POLICY_ICMP_V6;
            /* The hop limit is tested by the caller (RFC 4861: 133 to 137, code 0). */
            packet->essential = *(__u8 *)header >= 133 && *(__u8 *)header <= 137 &&
                *(__u8 *)(header + 1) == 0 && whole;
        }
    } else if (packet->protocol == 132) {
        if (bytes < 12 || header + 12 > data_end) {
            packet->malformed = MALFORMED_KIND_TRANSPORT_TRUNCATED;
            return;
        }
        packet->source_port = get16(header);
        packet->destination_port = get16(header + 2);
        packet->has_ports = 1;
    }
}

INLINE void parse_ipv4(
    struct xdp_md *ctx, struct packet *packet, void *data, void *data_end, __u32 offset)
{
    void *ip = data + offset;
    __u32 header, total, fragment;
    __u8 first;

    packet->family = PACKET_FAMILY_IPV4;
    if (ip + 20 > data_end) {
        packet->malformed = MALFORMED_KIND_IPV4_TRUNCATED;
        return;
    }
    first = *(__u8 *)ip;
    header = (first & 15) * 4;
    if ((first >> 4) != 4 || header < 20) {
        packet->malformed = MALFORMED_KIND_IPV4_HEADER;
        return;
    }
    if (header > 20 && ip + header > data_end) {
        packet->malformed = MALFORMED_KIND_IPV4_TRUNCATED;
        return;
    }
    total = get16(ip + 2);
    if (total < header || !reaches(ctx, packet, offset + total)) {
        packet->malformed = MALFORMED_KIND_IPV4_LENGTH;
        return;
    }
    packet->source_low = get32(ip + 12);
    packet->destination_low = get32(ip + 16);
    packet->protocol = *(__u8 *)(ip + 9);
    fragment = get16(ip + 6) & 0x3fff;
    if (fragment) {
        __u32 part = (fragment & 0x1fff) * 8;

        if (!fragment_fits(part, total - header, header, fragment & 0x2000)) {
            packet->malformed = MALFORMED_KIND_FRAGMENT_BOUNDS;
            return;
        }
        packet->fragment = part ? FRAGMENT_KIND_LATER : FRAGMENT_KIND_FIRST;
        if (part)
            return;
    }
    parse_transport(packet, data, data_end, offset + header, offset + total);
}

INLINE int is_extension(__u32 next)
{
    return next == 0 || next == 43 || next == 44 || next == 51 || next == 60 || next == 135 ||
        next == 139 || next == 140;
}

/*
 * Follows the chain of extension headers. A function of its own, so that the verifier looks at it
 * once. Result: next header | malformed << 8 | fragment << 16 | position << 32.
 */
__noinline __u64 parse_extensions(struct xdp_md *ctx, __u32 position, __u32 end, __u32 next)
{
    __u64 malformed = MALFORMED_KIND_NONE;
    __u64 fragment = FRAGMENT_KIND_NONE;
    void *data = (void *)(long)ctx->data;
    void *data_end = (void *)(long)ctx->data_end;
    __u32 count;

    for (count = 0; count <= EXTENSIONS_MAX; count++) {
        __u32 current = next;
        __u32 words;
        void *header;

        if (!is_extension(next))
            break;
        if (count == EXTENSIONS_MAX) {
            malformed = MALFORMED_KIND_EXTENSION_DEPTH;
            break;
        }
        position &= 0x7fff; /* 22 + 40 + 8 * 2048 at most: for the verifier only */
        header = data + position;
        if (position + 8 > end || header + 8 > data_end) {
            malformed = MALFORMED_KIND_EXTENSION_TRUNCATED;
            break;
        }
        next = *(__u8 *)header;
        words = *(__u8 *)(header + 1);
        if (current == 44)
            words = 8;
        else if (current == 51)
            words = (words + 2) * 4;
        else
            words = (words + 1) * 8;
        position += words;
        if (position > end) {
            malformed = MALFORMED_KIND_EXTENSION_TRUNCATED;
            break;
        }
        if (current == 44) {
            __u32 word = get16(header + 2);
            __u32 part = word & 0xfff8;

            /* Offset 0 without more is an atomic fragment, a whole datagram (RFC 6946). */
            if (part == 0 && !(word & 1))
                continue;
            if (!fragment_fits(part, end - position, 0, word & 1)) {
                malformed = MALFORMED_KIND_FRAGMENT_BOUNDS;
                break;
            }
            fragment = part ? FRAGMENT_KIND_LATER : FRAGMENT_KIND_FIRST;
            if (part)
                break;
        }
    }
    return next | malformed << 8 | fragment << 16 | (__u64)position << 32;
}

INLINE void parse_ipv6(
    struct xdp_md *ctx, struct packet *packet, void *data, void *data_end, __u32 offset)
{
    void *ip = data + offset;
    __u32 position = offset + 40;
    __u32 end, next;
    __u8 hops;

    packet->family = PACKET_FAMILY_IPV6;
    if (ip + 40 > data_end) {
        packet->malformed = MALFORMED_KIND_IPV6_TRUNCATED;
        return;
    }
    if ((*(__u8 *)ip >> 4) != 6) {
        packet->malformed = MALFORMED_KIND_IPV6_HEADER;
        return;
    }
    end = position + get16(ip + 4);
    if (!reaches(ctx, packet, end)) {
        packet->malformed = MALFORMED_KIND_IPV6_LENGTH;
        return;
    }
    packet->source_high = get64(ip + 8);
    packet->source_low = get64(ip + 16);
    packet->destination_high = get64(ip + 24);
    packet->destination_low = get64(ip + 32);
    next = *(__u8 *)(ip + 6);
    hops = *(__u8 *)(ip + 7);
    if (is_extension(next)) {
        __u64 found = parse_extensions(ctx, position, end, next);

        next = found & 0xff;
        packet->malformed = (found >> 8) & 0xff;
        packet->fragment = (found >> 16) & 3;
        position = (found >> 32) & 0x7fff;
        if (packet->malformed)
            return;
    }
    packet->protocol = next;
    if (packet->fragment == FRAGMENT_KIND_LATER)
        return;
    parse_transport(packet, data, data_end, position, end);
    packet->essential &= hops == 255;
}

INLINE void parse(struct xdp_md *ctx, struct packet *packet)
{
    void *data = (void *)(long)ctx->data;
    void *data_end = (void *)(long)ctx->data_end;
    __u32 offset = 14;
    __u32 type;

    packet->frame_bytes = data_end - data;
    if (config.frames_in_parts && packet->frame_bytes >= FIRST_PART_BYTES_MIN)
        packet->frame_bytes = bpf_xdp_get_buff_len(ctx);
    packet->vlan = POLICY_VLAN_NONE;
    packet->inner_vlan = POLICY_VLAN_NONE;
    packet->protocol = POLICY_PROTOCOL_NONE;
    packet->icmp = POLICY_ICMP_NONE;
    packet->family = PACKET_FAMILY_OTHER;
    if (data + 14 > data_end) {
        packet->malformed = MALFORMED_KIND_FRAME_TRUNCATED;
        return;
    }
    type = get16(data + 12);
    if (type == ETHER_VLAN || type == ETHER_SERVICE_VLAN) {
        if (data + 18 > data_end) {
            packet->malformed = MALFORMED_KIND_VLAN_TRUNCATED;
            return;
        }
        packet->vlan = get16(data + 14) & 0xfff;
        type = get16(data + 16);
        offset = 18;
        if (type == ETHER_VLAN || type == ETHER_SERVICE_VLAN) {
            if (data + 22 > data_end) {
                packet->malformed = MALFORMED_KIND_VLAN_TRUNCATED;
                return;
            }
            packet->inner_vlan = get16(data + 18) & 0xfff;
            type = get16(data + 20);
            offset = 22;
            if (type == ETHER_VLAN || type == ETHER_SERVICE_VLAN) {
                packet->malformed = MALFORMED_KIND_VLAN_DEPTH;
                return;
            }
        }
    }
    if (type == ETHER_IPV4)
        parse_ipv4(ctx, packet, data, data_end, offset);
    else if (type == ETHER_IPV6)
        parse_ipv6(ctx, packet, data, data_end, offset);
    else
        packet->essential = type == ETHER_ARP;
}

#endif
