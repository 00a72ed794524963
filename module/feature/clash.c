// SPDX-License-Identifier: GPL-2.0
/* Feature clash: a flow that lost the race for its port picks again. */

#include <linux/netfilter.h>

#include "feature/clash.h"
#include "core/ct.h"
#include "report/event.h"
#include "core/nat.h"
#include "net.h"
#include "feature/ports.h"

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

/* Look at who holds the tuple. Return: true if another flow does, and ev tells
 * about it; false if it is the other end of this one.
 */
static bool lt_clash_seen(struct lt_net *ln, const struct nf_conn *ct,
			  const struct nf_hook_state *state,
			  struct lt_event *ev)
{
	struct nf_conn *holder = lt_ct_holder_get(ct);
	bool twin = holder && lt_ct_is_twin(ct, holder);

	if (!twin) {
		lt_event_describe(ev, NF_LOOPTRACK_FEATURE_CLASH, ct,
				  state->sk);
		ev->wanted = *lt_ct_tuple(ct, IP_CT_DIR_REPLY);
		if (holder)
			ev->holder = *lt_ct_tuple(holder, IP_CT_DIR_ORIGINAL);
		lt_stats_inc(&ln->stats, CLASH_SEEN);
	}
	if (holder)
		nf_ct_put(holder);

	return !twin;
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
static unsigned int
lt_clash_repick(struct lt_net *ln, struct sk_buff *skb, struct nf_conn *ct,
		const struct nf_hook_state *state, struct lt_event *ev)
{
	struct nf_conntrack_tuple last = ev->wanted;
	bool noted = READ_ONCE(ln->noting);
	enum ip_conntrack_info ctinfo;
	struct net *net = state->net;
	enum lt_commit tried;
	unsigned int verdict;
	int err;

	while (lt_nat_may_pick(ev->picks)) {
		err = lt_nat_repick(skb, ct, state, noted, &verdict);
		/* The kernel would have dropped it, too. */
		if (err == -ESTALE)
			verdict = NF_DROP;
		else if (err)
			return lt_clash_end(ln, net, ev,
					    NF_LOOPTRACK_DECISION_UNABLE,
					    NF_ACCEPT);
		ev->picks++;

		if (verdict != NF_ACCEPT) {
			lt_net_want(ln, LT_HOOK_NOTE);
			return lt_clash_end(ln, net, ev,
					    NF_LOOPTRACK_DECISION_REFUSED,
					    verdict);
		}

		/* A rule that didn't match before may have given it a helper. */
		if (!lt_ct_is_exclusive(skb, ct))
			return lt_clash_end(ln, net, ev,
					    NF_LOOPTRACK_DECISION_UNABLE,
					    NF_ACCEPT);

		/* Free in one ledger is not enough. */
		if (lt_ports_are_held(ln, skb, ct, state))
			tried = LT_COMMIT_TAKEN;
		else
			tried = lt_ct_commit(skb, ct);
		switch (tried) {
		case LT_COMMIT_DONE:
			/* UDP may have been merged into another entry. */
			ct = nf_ct_get(skb, &ctinfo);
			ev->got = *lt_ct_tuple(ct, IP_CT_DIR_REPLY);
			lt_stats_inc(&ln->stats, CLASH_COMMITTED);
			return lt_clash_end(ln, net, ev,
					    NF_LOOPTRACK_DECISION_REPICKED,
					    NF_ACCEPT);
		case LT_COMMIT_REFUSED:
			return lt_clash_end(ln, net, ev,
					    NF_LOOPTRACK_DECISION_REFUSED,
					    NF_DROP);
		case LT_COMMIT_LOST:
			lt_stats_inc(&ln->stats, CLASH_LOST);
			break;
		case LT_COMMIT_TAKEN:
			break;
		}

		/* Asked for another, the rules have but this one. */
		if (nf_ct_tuple_equal(&last, lt_ct_tuple(ct, IP_CT_DIR_REPLY)))
			break;
		last = *lt_ct_tuple(ct, IP_CT_DIR_REPLY);
	}

	return lt_clash_end(ln, net, ev, NF_LOOPTRACK_DECISION_EXHAUSTED,
			    NF_ACCEPT);
}

/* The first attempt has failed, with tried. */
static noinline unsigned int
lt_clash_failed(struct lt_net *ln, struct sk_buff *skb, struct nf_conn *ct,
		const struct nf_hook_state *state, enum lt_commit tried,
		bool enforce)
{
	/* Where the kernel would drop the packet: at confirm, unless confirm
	 * has just said so. It would count it twice.
	 */
	unsigned int vanilla = tried == LT_COMMIT_TAKEN ? NF_ACCEPT : NF_DROP;
	struct lt_event ev;

	if (tried == LT_COMMIT_REFUSED || !lt_clash_seen(ln, ct, state, &ev))
		return vanilla;

	if (tried == LT_COMMIT_LOST)
		lt_stats_inc(&ln->stats, CLASH_LOST);

	if (enforce)
		return lt_clash_repick(ln, skb, ct, state, &ev);

	lt_event_send(state->net, &ev, NF_LOOPTRACK_DECISION_OBSERVED);
	return vanilla;
}

/**
 * lt_clash_commit() - commit a new flow, with another port if its own is gone
 * @ln: the module's part of the network namespace
 * @skb: the flow's first packet, at its last hook before confirm
 * @ct: its entry: unconfirmed, with a source binding
 * @state: of the hook
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 * Return: a netfilter verdict. NF_ACCEPT, after which confirm has nothing left
 * to do, or does what it would without us; NF_DROP where confirm has just said
 * so, or where the rules have and it would; else what the NAT rules said.
 */
unsigned int lt_clash_commit(struct lt_net *ln, struct sk_buff *skb,
			     struct nf_conn *ct,
			     const struct nf_hook_state *state)
{
	u8 mode = lt_mode(ln, NF_LOOPTRACK_FEATURE_CLASH);
	enum lt_commit tried;

	if (mode == NF_LOOPTRACK_MODE_OFF)
		return NF_ACCEPT;

	if (!lt_ct_is_exclusive(skb, ct)) {
		lt_stats_inc(&ln->stats, CLASH_EXCLUDED);
		return NF_ACCEPT;
	}

	/* To observe, commit too: a look alone would miss what is taken between
	 * it and confirm, which was two clashes of three when it was tried. The
	 * loser goes on to confirm as it is, and is dropped there.
	 */
	tried = lt_ct_commit(skb, ct);
	if (unlikely(tried != LT_COMMIT_DONE))
		return lt_clash_failed(ln, skb, ct, state, tried,
				       mode == NF_LOOPTRACK_MODE_ENFORCE);

	lt_stats_inc(&ln->stats, CLASH_COMMITTED);
	return NF_ACCEPT;
}
