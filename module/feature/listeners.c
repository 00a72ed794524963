// SPDX-License-Identifier: GPL-2.0
/* Feature listeners: NAT gives no flow a port on which a local socket receives. */

#include <linux/netfilter.h>

#include "core/ct.h"
#include "core/nat.h"
#include "core/new.h"
#include "core/portcheck.h"
#include "core/repick.h"
#include "feature/listeners.h"
#include "net.h"
#include "report/event.h"

/*
 * Who may send through the host's SNAT can choose the source port, and with it
 * have what a remote sends to a service of the host (CVE-2021-3773). Against that
 * the flow gets another port, which is a price: a client's own port may be what
 * its peers know it by. Hence this is for those who ask for it, and it leaves alone
 *
 * - ports that the NAT rules send elsewhere: what arrives there is not for the
 *   socket anyway, and the flow is most often one of the published service's;
 * - ports that are exempt.
 */

static unsigned int lt_listeners_move(struct lt_new *new,
				      const struct lt_who *who, bool enforce)
{
	const struct lt_nat_binding first = lt_nat_save(new->ct);
	const unsigned int before = new->picks;
	struct net *net = new->state->net;
	struct lt_net *ln = new->ln;
	enum lt_choice choice;
	unsigned int verdict;
	struct lt_event ev;

	lt_stats_inc(&ln->stats, LISTENERS_SEEN);
	lt_event_describe(&ev, NF_LOOPTRACK_FEATURE_LISTENERS, new->ct,
			  new->state->sk);
	ev.wanted = first.reply;
	ev.holder_owner = *who;
	if (!enforce) {
		lt_event_send(net, &ev, NF_LOOPTRACK_DECISION_OBSERVED);
		return NF_ACCEPT;
	}

	choice = lt_repick(new, true, &verdict);
	ev.picks = new->picks - before;
	if (choice == LT_CHOICE_FREE) {
		ev.got = *lt_ct_tuple(new->ct, IP_CT_DIR_REPLY);
		lt_stats_inc(&ln->stats, LISTENERS_MOVED);
		lt_event_send(net, &ev, NF_LOOPTRACK_DECISION_REPICKED);
		return NF_ACCEPT;
	}

	verdict = lt_repick_undo(new, choice, verdict, &first);
	if (verdict != NF_ACCEPT)
		return verdict;
	lt_stats_inc(&ln->stats, LISTENERS_EXHAUSTED);
	lt_event_send(net, &ev, NF_LOOPTRACK_DECISION_EXHAUSTED);

	return NF_ACCEPT;
}

static noinline unsigned int lt_listeners_ask(struct lt_new *new, bool enforce)
{
	struct lt_who who;

	switch (lt_portcheck_listener(new, &who)) {
	case LT_LISTENER_HELD:
		return lt_listeners_move(new, &who, enforce);
	case LT_LISTENER_SPARED:
		lt_stats_inc(&new->ln->stats, LISTENERS_SPARED);
		break;
	case LT_LISTENER_NONE:
		break;
	}

	return NF_ACCEPT;
}

/**
 * lt_listeners_settle() - see to it that a new flow has no listener's port
 * @new: the flow
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 * Return: a netfilter verdict: NF_ACCEPT, unless the NAT rules, run again, said
 * otherwise.
 */
unsigned int lt_listeners_settle(struct lt_new *new)
{
	u8 mode = lt_mode(new->ln, NF_LOOPTRACK_FEATURE_LISTENERS);

	if (likely(mode == NF_LOOPTRACK_MODE_OFF) ||
	    !lt_portcheck_concerns(new) ||
	    !lt_ct_is_exclusive(new->skb, new->ct))
		return NF_ACCEPT;

	return lt_listeners_ask(new, mode == NF_LOOPTRACK_MODE_ENFORCE);
}
