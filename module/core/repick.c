// SPDX-License-Identifier: GPL-2.0
/* Have a flow's source chosen again, until no socket holds the choice. */

#include <linux/bottom_half.h>
#include <linux/err.h>
#include <linux/netfilter.h>

#include "core/claim.h"
#include "core/ct.h"
#include "core/nat.h"
#include "core/new.h"
#include "core/portcheck.h"
#include "core/repick.h"
#include "net.h"

/**
 * struct lt_repick - a search
 * @claim: what stands for sockets meanwhile
 * @count: how many
 * @alone: the last choice was claimed by this search
 */
struct lt_repick {
	struct nf_conn *claim[LT_NAT_PICKS];
	unsigned int count;
	bool alone;
};

/* Let something stand for the socket. Two CPUs may want that at once, for two flows
 * that were given the same port:
 *
 *	CPU 0					CPU 1
 *	claims P
 *						P is claimed already
 *	the rules choose Q
 *						the rules choose R
 *
 * For CPU 1 the claim of the other is as good as its own would be. Should that be
 * withdrawn before the rules look, they choose P again, and so does this search.
 *
 * Return: false if it is no use to go on.
 */
static bool lt_repick_claim(const struct lt_new *new, struct lt_repick *r)
{
	struct nf_conn *claim;

	if (r->count == LT_NAT_PICKS)
		return false;

	claim = lt_claim(new->ct);
	r->alone = !IS_ERR(claim);
	if (IS_ERR(claim))
		return PTR_ERR(claim) == -EEXIST;

	r->claim[r->count++] = claim;
	return true;
}

/* With BHs off. */
static enum lt_choice lt_repick_search(struct lt_new *new, struct lt_repick *r,
				       bool held, unsigned int *verdict)
{
	const struct nf_conntrack_tuple *reply;
	struct nf_conntrack_tuple last;
	int err;

	reply = lt_ct_tuple(new->ct, IP_CT_DIR_REPLY);
	do {
		r->alone = false;
		if (!lt_nat_may_pick(new) || (held && !lt_repick_claim(new, r)))
			return LT_CHOICE_NONE;

		last = *reply;
		err = lt_nat_repick(new, verdict);
		if (err)
			return err == -ESTALE ? LT_CHOICE_STALE :
						LT_CHOICE_UNABLE;
		if (*verdict != NF_ACCEPT)
			return LT_CHOICE_VERDICT;
		/* A rule that didn't match before may have given it a helper. */
		if (!lt_ct_is_exclusive(new->skb, new->ct))
			return LT_CHOICE_UNABLE;
		/* Asked for another, the rules have but this one. */
		if (r->alone && nf_ct_tuple_equal(&last, reply))
			return LT_CHOICE_NONE;
		held = lt_portcheck_is_held(new);
	} while (held);

	return LT_CHOICE_FREE;
}

/**
 * lt_repick() - have a flow's source chosen again
 * @new: the flow, whose entry is exclusive
 * @held: a socket holds the choice there is: another one is to be made. Else the
 *	hash says what is taken.
 * @verdict: set to that of the rules, NF_ACCEPT unless LT_CHOICE_VERDICT is
 *	returned. The packet is no longer there if it is NF_STOLEN.
 *
 * Claims are in the hash as long as this takes, so that it must not be interrupted
 * by a softirq or another task. It is bounded by the budget of struct lt_work.
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 * Return: see enum lt_choice. Unless it is LT_CHOICE_VERDICT, the flow has the last
 * choice there was.
 */
enum lt_choice lt_repick(struct lt_new *new, bool held, unsigned int *verdict)
{
	struct lt_repick r = {};
	enum lt_choice choice;

	*verdict = NF_ACCEPT;
	local_bh_disable();
	choice = lt_repick_search(new, &r, held, verdict);
	while (r.count)
		lt_unclaim(r.claim[--r.count]);
	local_bh_enable();
	if (choice != LT_CHOICE_VERDICT)
		*verdict = NF_ACCEPT;

	return choice;
}

/**
 * lt_repick_undo() - go back to the choice there was before lt_repick()
 * @new: the flow
 * @choice: what lt_repick() returned, not LT_CHOICE_FREE
 * @verdict: what it set
 * @first: the choice before it, from lt_nat_save()
 *
 * Also where the rules would drop the packet now, which they would not have done if
 * they had not run again; unless it is gone. Then marks are noted in the namespace
 * from now on, so that rules can see them a second time.
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 * Return: a netfilter verdict: NF_ACCEPT unless the rules have another one than
 * drop, or IPsec has no way for the packet now.
 */
unsigned int lt_repick_undo(struct lt_new *new, enum lt_choice choice,
			    unsigned int verdict,
			    const struct lt_nat_binding *first)
{
	if (choice == LT_CHOICE_NONE)
		lt_nat_search_failed(new);
	if (choice == LT_CHOICE_STALE || choice == LT_CHOICE_VERDICT)
		lt_net_want(new->ln, LT_HOOK_NOTE);
	if (choice == LT_CHOICE_VERDICT &&
	    (verdict & NF_VERDICT_MASK) != NF_DROP)
		return verdict;
	/* Whoever has made the entry his own meanwhile has seen the last choice. */
	if (!lt_ct_is_exclusive(new->skb, new->ct))
		return NF_ACCEPT;

	return lt_nat_bind(new, first);
}
