/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_DROP_LOOK_H
#define _LT_DROP_LOOK_H

#include <linux/ipv6.h>
#include <linux/types.h>

struct sk_buff;

/**
 * struct lt_drop_look - what a packet is known again by
 * @head: its IP header, without what a host may change on the way
 * @next: the beginning of the next header: ports, of TCP also the number
 * @next_len: how much of @next is known
 */
struct lt_drop_look {
	u8 head[sizeof(struct ipv6hdr)];
	u8 next[8];
	u8 next_len;
};

bool lt_drop_look(const struct sk_buff *skb, struct lt_drop_look *look);
bool lt_drop_looks_so(const struct sk_buff *skb, const struct lt_drop_look *look);

#endif /* _LT_DROP_LOOK_H */
