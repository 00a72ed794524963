/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_DROP_LOOK_H
#define _LT_DROP_LOOK_H

#include <linux/ipv6.h>
#include <linux/types.h>

struct sk_buff;

/**
 * struct lt_drop_look - what a packet is known again by
 * @head: its IP header, without what a host may change on the way
 * @ports: of TCP and UDP, or what others have there
 * @seq: of TCP
 */
struct lt_drop_look {
	u8 head[sizeof(struct ipv6hdr)];
	__be32 ports;
	__be32 seq;
};

bool lt_drop_look(const struct sk_buff *skb, struct lt_drop_look *look);

#endif /* _LT_DROP_LOOK_H */
