// SPDX-License-Identifier: GPL-2.0
/* Feature linger: what is left of a loopback flow goes with its last socket. */

#include "core/ct.h"
#include "core/owner.h"
#include "feature/linger.h"
#include "net.h"
#include "report/event.h"

/*
 * TIME_WAIT, of a socket and of an entry, is for packets that are still under
 * way, and for a peer that has not got the last one. Between two sockets of
 * one host there are no such packets, and when both have closed there is no peer.
 *
 * The packet that ends a TCP flow is seen as it leaves (linger_tcp.c). That a socket
 * of UDP is closed is found by a look from time to time (linger_udp.c).
 */

static void lt_linger_report(struct net *net, const struct nf_conn *ct,
			     const struct lt_owner *owner,
			     enum nf_looptrack_decision decision)
{
	struct lt_event ev;

	lt_event_describe(&ev, NF_LOOPTRACK_FEATURE_LINGER, ct, NULL);
	ev.holder = ev.flow;
	if (owner)
		ev.holder_owner = lt_owner_who(owner);
	lt_event_send(net, &ev, decision);
}

/**
 * lt_linger_end() - count and report a flow whose last socket has gone
 * @ln: the module's part of the network namespace
 * @ct: its entry, referenced
 * @owner: of the flow, or NULL if it isn't known
 * @enforce: evict the entry
 * @heard: report it, as lt_event_hears_linger() said
 *
 * Context: RCU read lock.
 */
void lt_linger_end(struct lt_net *ln, struct nf_conn *ct,
		   const struct lt_owner *owner, bool enforce, bool heard)
{
	/* The kernel, or who flushes the table, may be faster. */
	if (enforce && !lt_ct_evict(ct))
		return;

	lt_stats_inc(&ln->stats, LINGER_SEEN);
	if (enforce)
		lt_stats_inc(&ln->stats, LINGER_EVICTED);
	if (heard)
		lt_linger_report(ln->net, ct, owner,
				 enforce ? NF_LOOPTRACK_DECISION_EVICTED :
					   NF_LOOPTRACK_DECISION_OBSERVED);
}
