// SPDX-License-Identifier: GPL-2.0
/* Feature passmark: rules can tell the second pass from the first. */

#include <linux/skbuff.h>
#include <net/netfilter/nf_conntrack.h>

#include "core/owner.h"
#include "net.h"
#include "feature/passmark.h"

/* Per flow, if its opener is known. */
static void lt_passmark_count(const struct sk_buff *skb)
{
	enum ip_conntrack_info ctinfo;
	const struct nf_conn *ct = nf_ct_get(skb, &ctinfo);
	struct lt_owner *owner;
	struct nf_conn_counter *pass;

	if (!ct || nf_ct_is_template(ct))
		return;

	owner = lt_owner_find(ct);
	if (!owner || !lt_owner_is(owner, LT_OWNER_COUNTED))
		return;

	pass = &owner->second[CTINFO2DIR(ctinfo)];
	atomic64_inc(&pass->packets);
	atomic64_add(skb->len, &pass->bytes);
}

/**
 * lt_passmark_packet() - mark a packet on its second pass
 * @ln: the module's part of the network namespace
 * @skb: the packet, before any rule sees it
 *
 * Context: softirq with a hook's RCU read lock.
 */
void lt_passmark_packet(struct lt_net *ln, struct sk_buff *skb)
{
	u8 mode = lt_mode(ln, NF_LOOPTRACK_FEATURE_PASSMARK);
	u32 mask = READ_ONCE(ln->passmark.mask);
	u32 value = READ_ONCE(ln->passmark.value);

	if (mode == NF_LOOPTRACK_MODE_OFF)
		return;

	lt_stats_inc(&ln->stats, PASSMARK_SEEN);
	lt_passmark_count(skb);
	if (mode != NF_LOOPTRACK_MODE_ENFORCE)
		return;

	skb->mark = (skb->mark & ~mask) | (value & mask);
	lt_stats_inc(&ln->stats, PASSMARK_MARKED);
}
