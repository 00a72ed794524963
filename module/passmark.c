// SPDX-License-Identifier: GPL-2.0
/* Feature passmark: rules can tell the second pass from the first. */

#include <linux/skbuff.h>

#include "netns.h"
#include "passmark.h"

/**
 * lt_passmark_packet() - mark a packet on its second pass
 * @ln: the module's part of the network namespace
 * @skb: the packet, before any rule sees it
 *
 * Context: softirq with a hook's RCU read lock.
 */
void lt_passmark_packet(struct lt_net *ln, struct sk_buff *skb)
{
	u32 mask = READ_ONCE(ln->passmark.mask);
	u32 value = READ_ONCE(ln->passmark.value);

	lt_stats_inc(&ln->stats, PASSMARK_SEEN);
	if (lt_mode(ln, NF_LOOPTRACK_FEATURE_PASSMARK) !=
	    NF_LOOPTRACK_MODE_ENFORCE)
		return;

	skb->mark = (skb->mark & ~mask) | (value & mask);
	lt_stats_inc(&ln->stats, PASSMARK_MARKED);
}
