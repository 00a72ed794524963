/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_UNANSWERED_H
#define _LT_UNANSWERED_H

#include <net/netfilter/nf_conntrack.h>

struct lt_net;

/* Two bits in the status of an entry, see ct.h: how often the walk has met it without
 * an answer. At the third time its next packet is due for a look.
 */
#define LT_UNANSWERED_SHIFT	60
#define LT_UNANSWERED_ONCE	BIT_ULL(LT_UNANSWERED_SHIFT)
#define LT_UNANSWERED_DUE	(3ULL << LT_UNANSWERED_SHIFT)

/**
 * lt_unanswered_is_due() - is a flow's next packet to be looked at
 * @ct: its entry
 *
 * Context: any.
 * Return: true if it had no answer for two rounds at least, or is TCP, and has none
 * now.
 */
static inline bool lt_unanswered_is_due(const struct nf_conn *ct)
{
	return ((u64)READ_ONCE(ct->status) &
		(LT_UNANSWERED_DUE | IPS_SEEN_REPLY)) == LT_UNANSWERED_DUE;
}

bool lt_unanswered_take(struct nf_conn *ct);
bool lt_unanswered_still(const struct nf_conn *ct);

void lt_unanswered_start(struct lt_net *ln);
void lt_unanswered_stop(struct lt_net *ln);

void lt_unanswered_arm(void);
void lt_unanswered_init(bool (*wants)(struct lt_net *ln, struct nf_conn *ct,
				      bool due));

#endif /* _LT_UNANSWERED_H */
