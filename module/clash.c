// SPDX-License-Identifier: GPL-2.0
/* Feature clash: a flow that lost the race for its port picks again. */

#include <linux/netfilter.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "clash.h"
#include "ct.h"
#include "event.h"
#include "nat.h"
#include "netns.h"

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

/* How often a flow may choose. Each time the kernel tries up to 248 ports, in
 * runs that start at random places; in a range of 128 or fewer it tries all.
 * Bounded because this is softirq: a full range costs this many searches.
 */
#define LT_CLASH_PICKS	16

static void lt_clash_describe(struct lt_event *ev, const struct nf_conn *ct,
			      const struct nf_conn *holder)
{
	*ev = (struct lt_event) {
		.feature = NF_LOOPTRACK_FEATURE_CLASH,
		.zone = nf_ct_zone(ct)->id,
		.flow = *lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL),
		.wanted = *lt_ct_tuple(ct, IP_CT_DIR_REPLY),
	};

	if (holder)
		ev->holder = *lt_ct_tuple(holder, IP_CT_DIR_ORIGINAL);
}

static void lt_clash_report(struct net *net, struct lt_event *ev,
			    enum nf_looptrack_decision decision)
{
	ev->decision = decision;
	lt_event_send(net, ev);
}

/* Look at who holds the tuple. Return: true if another flow does, and ev tells
 * about it; false if it is the other end of this one.
 */
static bool lt_clash_seen(struct lt_net *ln, const struct nf_conn *ct,
			  struct lt_event *ev)
{
	struct nf_conn *holder = lt_ct_holder_get(ct);
	bool twin = holder && lt_ct_is_twin(ct, holder);

	if (!twin) {
		lt_clash_describe(ev, ct, holder);
		lt_stats_inc(&ln->stats, CLASH_SEEN);
	}
	if (holder)
		nf_ct_put(holder);

	return !twin;
}

static noinline unsigned int
lt_clash_observe(struct lt_net *ln, const struct nf_conn *ct,
		 const struct nf_hook_state *state)
{
	struct lt_event ev;

	if (nf_conntrack_tuple_taken(lt_ct_tuple(ct, IP_CT_DIR_REPLY), ct) &&
	    lt_clash_seen(ln, ct, &ev))
		lt_clash_report(state->net, &ev, NF_LOOPTRACK_DECISION_OBSERVED);

	return NF_ACCEPT;
}

/* The first attempt has failed, with tried. */
static noinline unsigned int
lt_clash_repick(struct lt_net *ln, struct sk_buff *skb, struct nf_conn *ct,
		const struct nf_hook_state *state, enum lt_commit tried)
{
	struct lt_event ev;

	if (tried == LT_COMMIT_TAKEN && !lt_clash_seen(ln, ct, &ev))
		return NF_ACCEPT;
	if (tried == LT_COMMIT_REFUSED)
		lt_clash_describe(&ev, ct, NULL);

	for (;;) {
		unsigned int verdict;

		if (tried == LT_COMMIT_REFUSED) {
			/* What confirm would say is known: don't have it
			 * counted twice.
			 */
			if (lt_ct_original_taken(ct))
				return NF_DROP;
			lt_stats_inc(&ln->stats, CLASH_LOST);
		}

		if (ev.picks == LT_CLASH_PICKS ||
		    lt_nat_repick(skb, ct, state, &verdict))
			break;
		ev.picks++;

		if (verdict != NF_ACCEPT) {
			lt_clash_report(state->net, &ev,
					NF_LOOPTRACK_DECISION_VERDICT);
			return verdict;
		}

		/* A commit may merge the entry away: note the tuple before. */
		ev.got = *lt_ct_tuple(ct, IP_CT_DIR_REPLY);
		tried = lt_ct_commit(skb, ct);
		if (tried == LT_COMMIT_DONE) {
			lt_stats_inc(&ln->stats, CLASH_COMMITTED);
			lt_stats_inc(&ln->stats, CLASH_REPICKED);
			lt_clash_report(state->net, &ev,
					NF_LOOPTRACK_DECISION_REPICKED);
			return NF_ACCEPT;
		}
	}

	memset(&ev.got, 0, sizeof(ev.got));
	lt_stats_inc(&ln->stats, CLASH_EXHAUSTED);
	lt_clash_report(state->net, &ev, NF_LOOPTRACK_DECISION_EXHAUSTED);

	return NF_ACCEPT;
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
 * so; anything else is what the NAT rules said.
 */
unsigned int lt_clash_commit(struct lt_net *ln, struct sk_buff *skb,
			     struct nf_conn *ct,
			     const struct nf_hook_state *state)
{
	u8 mode = READ_ONCE(ln->mode[NF_LOOPTRACK_FEATURE_CLASH]);
	enum lt_commit tried;

	if (mode == NF_LOOPTRACK_MODE_OFF)
		return NF_ACCEPT;

	if (!lt_ct_is_exclusive(skb, ct)) {
		lt_stats_inc(&ln->stats, CLASH_EXCLUDED);
		return NF_ACCEPT;
	}

	if (mode == NF_LOOPTRACK_MODE_OBSERVE)
		return lt_clash_observe(ln, ct, state);

	tried = lt_ct_commit(skb, ct);
	if (unlikely(tried != LT_COMMIT_DONE))
		return lt_clash_repick(ln, skb, ct, state, tried);

	lt_stats_inc(&ln->stats, CLASH_COMMITTED);
	return NF_ACCEPT;
}
