// SPDX-License-Identifier: GPL-2.0
/* Feature clash: a flow that lost the race for its port picks again. */

#include <linux/netfilter.h>
#include <net/netfilter/nf_conntrack_core.h>

#include "feature/clash.h"
#include "core/claim.h"
#include "core/ct.h"
#include "report/event.h"
#include "core/nat.h"
#include "core/new.h"
#include "core/repick.h"
#include "net.h"

/*
 * NAT chooses a source port that is free in the hash, and conntrack puts the
 * flow there a little later, when the packet leaves:
 *
 *	CPU 0					CPU 1
 *	NAT: is port P free? yes
 *						NAT: is port P free? yes
 *	confirm: in with P
 *						confirm: P is taken,
 *						the packet is dropped
 *
 * The client on CPU 1 learns it by a timeout: a second for a SYN, five for a
 * DNS lookup. Here, between NAT and confirm, the loser runs its rules again,
 * which see that P is taken, and commits what they choose then.
 */

static enum lt_commit lt_clash_try(const struct lt_new *new)
{
	if (LT_COMPAT_CLASH_MERGES_PLAIN && lt_claim_bars(new->ct))
		return LT_COMMIT_TAKEN;

	return lt_ct_commit(new->skb, new->ct);
}

/* Look at who holds the tuple. Return: false if it is the other end of this flow;
 * else true, and ev tells about it.
 */
static bool lt_clash_seen(const struct lt_new *new, struct nf_conn *holder,
			  struct lt_event *ev)
{
	if (holder && lt_ct_is_twin(new->ct, holder))
		return false;

	lt_event_describe(ev, NF_LOOPTRACK_FEATURE_CLASH, new->ct,
			  new->state->sk);
	ev->wanted = *lt_ct_tuple(new->ct, IP_CT_DIR_REPLY);
	if (holder)
		ev->holder = *lt_ct_tuple(holder, IP_CT_DIR_ORIGINAL);
	lt_stats_inc(&new->ln->stats, CLASH_SEEN);

	return true;
}

/* Count and report what became of a flow that lost its port. */
static unsigned int lt_clash_end(struct lt_net *ln, struct net *net,
				 struct lt_event *ev,
				 enum nf_looptrack_decision decision,
				 unsigned int verdict)
{
	static const u8 stat[] = {
		[NF_LOOPTRACK_DECISION_REPICKED] =
			NF_LOOPTRACK_A_STATS_CLASH_REPICKED,
		[NF_LOOPTRACK_DECISION_EXHAUSTED] =
			NF_LOOPTRACK_A_STATS_CLASH_EXHAUSTED,
		[NF_LOOPTRACK_DECISION_REFUSED] =
			NF_LOOPTRACK_A_STATS_CLASH_REFUSED,
		[NF_LOOPTRACK_DECISION_UNABLE] =
			NF_LOOPTRACK_A_STATS_CLASH_UNABLE,
	};

	this_cpu_inc(ln->stats.cpu->val[stat[decision]]);
	lt_event_send(net, ev, decision);

	return verdict;
}

/* Choose until a choice can be committed. */
static unsigned int lt_clash_repick(struct lt_new *new, struct lt_event *ev)
{
	struct nf_conntrack_tuple last = ev->wanted;
	struct net *net = new->state->net;
	const unsigned int before = new->picks;
	struct lt_net *ln = new->ln;
	enum ip_conntrack_info ctinfo;
	enum lt_choice choice;
	unsigned int verdict;
	struct nf_conn *ct;

	for (;;) {
		choice = lt_repick(new, false, &verdict);
		ev->picks = new->picks - before;

		switch (choice) {
		case LT_CHOICE_FREE:
			break;
		case LT_CHOICE_NONE:
			goto exhausted;
		case LT_CHOICE_STALE:
			/* The kernel would have dropped it, too. */
			verdict = NF_DROP;
			fallthrough;
		case LT_CHOICE_VERDICT:
			lt_net_want(ln, LT_HOOK_NOTE);
			return lt_clash_end(ln, net, ev,
					    NF_LOOPTRACK_DECISION_REFUSED,
					    verdict);
		case LT_CHOICE_UNABLE:
			return lt_clash_end(ln, net, ev,
					    NF_LOOPTRACK_DECISION_UNABLE,
					    NF_ACCEPT);
		}

		switch (lt_clash_try(new)) {
		case LT_COMMIT_DONE:
			/* UDP may have been merged into another entry. */
			ct = nf_ct_get(new->skb, &ctinfo);
			ev->got = *lt_ct_tuple(ct, IP_CT_DIR_REPLY);
			lt_stats_inc(&ln->stats, CLASH_COMMITTED);
			return lt_clash_end(ln, net, ev,
					    NF_LOOPTRACK_DECISION_REPICKED,
					    NF_ACCEPT);
		case LT_COMMIT_REFUSED:
			return lt_clash_end(ln, net, ev,
					    NF_LOOPTRACK_DECISION_REFUSED,
					    NF_DROP);
		case LT_COMMIT_TAKEN:
			break;
		}

		/* Asked for another, the rules have but this one. */
		if (nf_ct_tuple_equal(&last, lt_ct_tuple(new->ct, IP_CT_DIR_REPLY)))
			break;
		last = *lt_ct_tuple(new->ct, IP_CT_DIR_REPLY);
	}
exhausted:
	lt_nat_search_failed(new);
	return lt_clash_end(ln, net, ev, NF_LOOPTRACK_DECISION_EXHAUSTED,
			    NF_ACCEPT);
}

/* The first attempt has failed, with tried. Left to itself confirm fails, too, and drops
 * the packet.
 */
static noinline unsigned int
lt_clash_failed(struct lt_new *new, enum lt_commit tried, bool enforce)
{
	struct nf_conn *holder;
	struct lt_event ev;
	bool seen;

	if (tried == LT_COMMIT_REFUSED)
		return NF_DROP;

	holder = lt_ct_holder_get(new->ct);
	if (!holder && enforce) {
		/* It has left meanwhile. */
		tried = lt_clash_try(new);
		if (tried == LT_COMMIT_DONE) {
			lt_stats_inc(&new->ln->stats, CLASH_COMMITTED);
			return NF_ACCEPT;
		}
		if (tried == LT_COMMIT_REFUSED)
			return NF_DROP;
		holder = lt_ct_holder_get(new->ct);
	}
	seen = lt_clash_seen(new, holder, &ev);
	if (holder)
		nf_ct_put(holder);
	if (!seen)
		return NF_ACCEPT;

	if (enforce)
		return lt_clash_repick(new, &ev);

	lt_event_send(new->state->net, &ev, NF_LOOPTRACK_DECISION_OBSERVED);
	return NF_ACCEPT;
}

/**
 * lt_clash_commit() - commit a new flow, with another port if its own is gone
 * @new: the flow
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 * Return: a netfilter verdict. NF_ACCEPT, after which confirm has nothing left
 * to do, or does what it would without us; NF_DROP where confirm has just said
 * so, or where the rules have and it would; else what the NAT rules said.
 */
unsigned int lt_clash_commit(struct lt_new *new)
{
	u8 mode = lt_mode(new->ln, NF_LOOPTRACK_FEATURE_CLASH);
	enum lt_commit tried;

	if (mode == NF_LOOPTRACK_MODE_OFF)
		return NF_ACCEPT;

	if (!lt_ct_is_exclusive(new->skb, new->ct)) {
		lt_stats_inc(&new->ln->stats, CLASH_EXCLUDED);
		return NF_ACCEPT;
	}

	/* To observe, commit too: a look alone would miss what is taken between
	 * it and confirm, which was two clashes of three when it was tried. The
	 * loser goes on to confirm as it is, and is dropped there.
	 */
	tried = lt_clash_try(new);
	if (unlikely(tried != LT_COMMIT_DONE))
		return lt_clash_failed(new, tried,
				       mode == NF_LOOPTRACK_MODE_ENFORCE);

	lt_stats_inc(&new->ln->stats, CLASH_COMMITTED);
	return NF_ACCEPT;
}
