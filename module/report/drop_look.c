// SPDX-License-Identifier: GPL-2.0
/* How a packet looks, to be known again when its memory may be another's. */

#include <linux/ip.h>
#include <linux/minmax.h>
#include <linux/skbuff.h>
#include <linux/string.h>

#include "report/drop_look.h"

/* Copy what there is between the network header and the end of the linear data. Whatever
 * has the memory now: where the headers are is not believed. Return: how much it was.
 */
static unsigned int lt_drop_copy(const struct sk_buff *skb, unsigned int offset, void *to,
				 unsigned int size)
{
	unsigned int at = skb->network_header + offset;
	unsigned int end = skb_tail_pointer(skb) - skb->head;

	if (!skb->head || at >= end)
		return 0;

	size = min(size, end - at);
	memcpy(to, skb->head + at, size);
	return size;
}

/* Without TTL, DSCP and checksum. Return: where the next header begins, or 0. */
static unsigned int lt_drop_look4(const struct sk_buff *skb,
				  struct lt_drop_look *look, u8 *protocol)
{
	struct iphdr iph;

	if (lt_drop_copy(skb, 0, &iph, sizeof(iph)) != sizeof(iph))
		return 0;

	*protocol = iph.protocol;
	iph.tos = 0;
	iph.ttl = 0;
	iph.check = 0;
	memcpy(look->head, &iph, sizeof(iph));
	return iph.ihl * 4;
}

static unsigned int lt_drop_look6(const struct sk_buff *skb,
				  struct lt_drop_look *look, u8 *protocol)
{
	struct ipv6hdr iph;

	if (lt_drop_copy(skb, 0, &iph, sizeof(iph)) != sizeof(iph))
		return 0;

	*protocol = iph.nexthdr;
	iph.priority = 0;
	iph.flow_lbl[0] &= 0x0f;
	iph.hop_limit = 0;
	memcpy(look->head, &iph, sizeof(iph));
	return sizeof(iph);
}

/* All but the next header. Return: where that begins, or 0 if it is no IP packet. */
static unsigned int lt_drop_look_head(const struct sk_buff *skb,
				      struct lt_drop_look *look, u8 *protocol)
{
	u8 version;

	memset(look, 0, sizeof(*look));
	if (!lt_drop_copy(skb, 0, &version, sizeof(version)))
		return 0;

	version >>= 4;
	return version == 4 ? lt_drop_look4(skb, look, protocol) :
	       version == 6 ? lt_drop_look6(skb, look, protocol) : 0;
}

/* How much of the next header tells packets apart. Behind their ports others than TCP have
 * a checksum, which may be left to the device.
 */
static unsigned int lt_drop_next_size(u8 protocol)
{
	return protocol == IPPROTO_TCP ? 8 : 4;
}

/**
 * lt_drop_look() - how a packet looks
 * @skb: the packet; its next header need not be in the linear data yet
 * @look: to be filled
 *
 * Context: as a hook.
 * Return: false if it is no IP packet.
 */
bool lt_drop_look(const struct sk_buff *skb, struct lt_drop_look *look)
{
	unsigned int next, size;
	u8 protocol;

	next = lt_drop_look_head(skb, look, &protocol);
	if (!next)
		return false;

	size = lt_drop_next_size(protocol);
	if (!skb_copy_bits(skb, skb_network_offset(skb) + next, look->next, size))
		look->next_len = size;
	return true;
}

/**
 * lt_drop_looks_so() - may this be the packet that looked so
 * @skb: the packet, or whatever has its memory now
 * @look: how it looked in a hook
 *
 * What is not in the linear data is not looked at: its pages may be anybody's.
 *
 * Context: any.
 * Return: true if what there is of its headers is the same.
 */
bool lt_drop_looks_so(const struct sk_buff *skb, const struct lt_drop_look *look)
{
	struct lt_drop_look now;
	unsigned int next, size;
	u8 protocol;

	next = lt_drop_look_head(skb, &now, &protocol);
	if (!next || memcmp(now.head, look->head, sizeof(now.head)))
		return false;

	size = lt_drop_copy(skb, next, now.next, look->next_len);
	return !memcmp(now.next, look->next, size);
}
