// SPDX-License-Identifier: GPL-2.0
/* How a packet looks, to be known again when its memory may be another's. */

#include <linux/ip.h>
#include <linux/skbuff.h>
#include <linux/string.h>

#include "report/drop_look.h"

/* Copy what is between the network header and the end of the linear data. Whatever
 * has the memory now: where the headers are is not believed.
 */
static bool lt_drop_copy(const struct sk_buff *skb, unsigned int offset, void *to,
			 unsigned int size)
{
	unsigned int at = skb->network_header + offset;

	if (!skb->head || at + size > skb_tail_pointer(skb) - skb->head)
		return false;

	memcpy(to, skb->head + at, size);
	return true;
}

/* Without TTL, DSCP and checksum. Return: where the next header begins, or 0. */
static unsigned int lt_drop_look4(const struct sk_buff *skb,
				  struct lt_drop_look *look, u8 *protocol)
{
	struct iphdr iph;

	if (!lt_drop_copy(skb, 0, &iph, sizeof(iph)))
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

	if (!lt_drop_copy(skb, 0, &iph, sizeof(iph)))
		return 0;

	*protocol = iph.nexthdr;
	iph.priority = 0;
	iph.flow_lbl[0] &= 0x0f;
	iph.hop_limit = 0;
	memcpy(look->head, &iph, sizeof(iph));
	return sizeof(iph);
}

/**
 * lt_drop_look() - how a packet looks
 * @skb: the packet, or whatever has its memory now
 * @look: to be filled
 *
 * Context: any.
 * Return: false if it has no such headers.
 */
bool lt_drop_look(const struct sk_buff *skb, struct lt_drop_look *look)
{
	unsigned int next;
	u8 version, protocol;

	memset(look, 0, sizeof(*look));
	if (!lt_drop_copy(skb, 0, &version, sizeof(version)))
		return false;

	version >>= 4;
	next = version == 4 ? lt_drop_look4(skb, look, &protocol) :
	       version == 6 ? lt_drop_look6(skb, look, &protocol) : 0;
	if (!next)
		return false;

	lt_drop_copy(skb, next, &look->ports, sizeof(look->ports));
	/* Others have a checksum there, which may be left to the device. */
	if (protocol == IPPROTO_TCP)
		lt_drop_copy(skb, next + sizeof(look->ports), &look->seq,
			     sizeof(look->seq));
	return true;
}
