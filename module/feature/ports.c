// SPDX-License-Identifier: GPL-2.0
/* Feature ports: a port is changed only for what is alive. */

#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/skbuff.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include <net/tcp.h>

#include "core/claim.h"
#include "core/ct.h"
#include "core/nat.h"
#include "core/new.h"
#include "core/owner.h"
#include "core/portcheck.h"
#include "core/repick.h"
#include "core/sock.h"
#include "feature/ports.h"
#include "net.h"
#include "report/event.h"

/*
 * NAT has chosen when this is asked, and conntrack has not confirmed yet. NAT
 * knows the conntrack ledger only, which can be wrong both ways:
 *
 * - it has an entry whose sockets are gone, and a flow that wants the same reply
 *   tuple had its source port changed: the dead entry goes and the rules, run
 *   again, leave the port alone;
 * - it has no entry for a connection that lives or lingers, because that expired
 *   or was never made: a claim stands in for it while the rules run again.
 *
 * A port that nothing alive needs stays what NAT made it: it may be what the
 * client's peers know it by. Sockets that only receive on it are the business of
 * feature listeners.
 *
 * Most flows need neither, and asking afterwards costs them nothing.
 */

/* Has the remote end of a flow that this host opened let go of it? Only if our end
 * closed first and is in TIME_WAIT proper: then the remote's FIN has come and was
 * acknowledged. What conntrack saw pass is no proof:
 *
 * - a reset of ours may have been lost on its way (CLOSE);
 * - a remote that closed first is in TIME_WAIT itself, and may refuse a SYN from the
 *   same port: as that gets another origin by NAT, its numbers may seem older.
 */
static bool lt_ports_remote_let_go(const struct nf_conn *holder,
				   const struct sock *client)
{
	return READ_ONCE(holder->proto.tcp.state) == TCP_CONNTRACK_TIME_WAIT &&
	       client && client->sk_state == TCP_TIME_WAIT &&
	       READ_ONCE(inet_twsk(client)->tw_substate) == TCP_TIME_WAIT;
}

/* Is a TCP holder dead? No end of it is a live socket of ours, and the other
 * one, if it is not on this host, can't be either; an end elsewhere that opened the
 * flow may be anything.
 */
static bool lt_ports_is_dead_tcp(struct net *net, const struct nf_conn *holder,
				 const struct lt_ends *ends)
{
	if (lt_ends_live(ends) ||
	    !lt_sock_is_local(net, lt_ct_tuple(holder, IP_CT_DIR_ORIGINAL)))
		return false;

	return lt_sock_is_local(net, lt_ct_tuple(holder, IP_CT_DIR_REPLY)) ||
	       lt_ports_remote_let_go(holder, ends->sk[IP_CT_DIR_ORIGINAL]);
}

static bool lt_ports_is_dead_udp(const struct nf_conn *holder,
				 struct lt_event *ev)
{
	const struct lt_owner *owner = lt_owner_find(holder);

	if (!owner)
		return false;

	ev->holder_owner = lt_owner_who(owner);
	return lt_owner_is_dead_udp(owner);
}

/* Look at the holder of the port a flow lost; evict it if it is dead. Return:
 * true if NAT may choose again.
 */
static bool lt_ports_evict(struct lt_net *ln, struct nf_conn *holder,
			   struct lt_event *ev, bool enforce)
{
	bool tcp = nf_ct_protonum(holder) == IPPROTO_TCP;
	struct net *net = nf_ct_net(holder);
	struct lt_ends ends = {};
	bool dead;

	ev->holder = *lt_ct_tuple(holder, IP_CT_DIR_ORIGINAL);
	if (tcp) {
		lt_ends_find(&ends, holder, NULL);
		dead = lt_ports_is_dead_tcp(net, holder, &ends);
		ev->holder_owner = lt_sock_who(ends.sk[IP_CT_DIR_ORIGINAL]);
	} else {
		dead = lt_ports_is_dead_udp(holder, ev);
	}
	dead = dead && lt_ct_may_evict(holder);

	if (!dead) {
		lt_stats_inc(&ln->stats, PORTS_REWRITTEN);
		lt_event_send(net, ev, NF_LOOPTRACK_DECISION_REWRITTEN);
	} else {
		lt_stats_inc(&ln->stats, PORTS_DEAD);
		if (!enforce)
			lt_event_send(net, ev, NF_LOOPTRACK_DECISION_OBSERVED);
	}

	if (!dead || !enforce) {
		lt_ends_put(&ends);
		return false;
	}

	lt_ct_evict(holder);
	/* The one at the server's end would meet the SYN. */
	if (lt_ct_is_loopback(holder))
		lt_ends_reap(&ends);
	else
		lt_ends_put(&ends);

	return true;
}

/* Have the rules choose again. What they said first stands if they now say what
 * can't be right, or that the packet is to be dropped: it would not have been. One
 * that nft has dropped is gone in most kernels (NF_DROP_REASON), and a datagram's
 * sender is told EPERM; the next one is seen by rules as the first time: they go by
 * marks, which are noted from now on.
 * Return: NF_ACCEPT with *again set if the choice is a new one; else a verdict.
 */
static unsigned int lt_ports_again(struct lt_new *new, struct lt_event *ev,
				   bool *again)
{
	const struct lt_nat_binding before = lt_nat_save(new->ct);
	unsigned int verdict = NF_ACCEPT;
	int err;

	err = lt_nat_repick(new, &verdict);
	*again = !err && verdict == NF_ACCEPT;

	if (err != -ESTALE && verdict == NF_ACCEPT)
		return NF_ACCEPT;

	lt_net_want(new->ln, LT_HOOK_NOTE);
	if (err == -ESTALE || (verdict & NF_VERDICT_MASK) == NF_DROP)
		return lt_nat_bind(new, &before);

	lt_event_send(new->state->net, ev, NF_LOOPTRACK_DECISION_REFUSED);

	return verdict;
}

static struct nf_conn *lt_ports_holder(const struct lt_new *new,
				       const struct nf_conntrack_tuple *wanted)
{
	return lt_ct_find(new->state->net, nf_ct_zone(new->ct), wanted, NULL);
}

/* NAT took another port for the flow. Was there need to?
 *
 * Of a port that nobody holds a rule has said so; or the holder went meanwhile, by
 * linger, stale or conntrack itself, all of which are busy on loopback:
 *
 *	CPU 0					CPU 1
 *	NAT: is port P free? no
 *						who holds P is evicted
 *	who holds P? nobody
 *
 * There the rules are asked which it is. Another flow may be faster, so that what
 * they say is looked at again. A claim is gone as soon as CPU 1 has chosen.
 */
static unsigned int lt_ports_port_changed(struct lt_new *new, bool enforce)
{
	const struct nf_conntrack_tuple *reply;
	struct net *net = new->state->net;
	struct nf_conntrack_tuple wanted;
	unsigned int verdict = NF_ACCEPT;
	const unsigned int before = new->picks;
	struct lt_net *ln = new->ln;
	struct nf_conn *holder;
	bool again = enforce;
	struct lt_event ev;

	reply = lt_ct_tuple(new->ct, IP_CT_DIR_REPLY);
	wanted = *reply;
	wanted.dst.u.all = lt_ct_tuple(new->ct, IP_CT_DIR_ORIGINAL)->src.u.all;
	holder = lt_ports_holder(new, &wanted);
	if (likely(!holder) && !lt_portcheck_is_arriving(new))
		return NF_ACCEPT;

	lt_event_describe(&ev, NF_LOOPTRACK_FEATURE_PORTS, new->ct,
			  new->state->sk);
	ev.wanted = wanted;
	ev.got = *reply;
	do {
		if (holder) {
			again = lt_claim_is(holder) ? enforce :
				lt_ports_evict(ln, holder, &ev, enforce);
			nf_ct_put(holder);
		}
		if (!again || !lt_nat_may_pick(new))
			break;

		verdict = lt_ports_again(new, &ev, &again);
		if (verdict != NF_ACCEPT || !again)
			break;

		ev.picks = new->picks - before;
		ev.got = *reply;
		if (nf_ct_tuple_equal(reply, &wanted)) {
			/* Who held it is evicted and counted, or went by itself. */
			if (!holder)
				lt_stats_inc(&ln->stats, PORTS_DEAD);
			lt_stats_inc(&ln->stats, PORTS_KEPT);
			lt_event_send(net, &ev, NF_LOOPTRACK_DECISION_KEPT);
			break;
		}
		if (holder)
			lt_event_send(net, &ev, NF_LOOPTRACK_DECISION_EVICTED);
		holder = lt_ports_holder(new, &wanted);
	} while (holder);

	return verdict;
}

/* A connection holds what NAT gave the flow: have another port chosen. */
static unsigned int lt_ports_move(struct lt_new *new, const struct lt_who *who,
				  bool enforce)
{
	const struct lt_nat_binding first = lt_nat_save(new->ct);
	const unsigned int before = new->picks;
	struct net *net = new->state->net;
	struct lt_net *ln = new->ln;
	enum lt_choice choice;
	unsigned int verdict;
	struct lt_event ev;

	lt_stats_inc(&ln->stats, PORTS_BLOCKED);
	lt_event_describe(&ev, NF_LOOPTRACK_FEATURE_PORTS, new->ct,
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
		lt_stats_inc(&ln->stats, PORTS_MOVED);
		lt_event_send(net, &ev, NF_LOOPTRACK_DECISION_REPICKED);
		return NF_ACCEPT;
	}

	verdict = lt_repick_undo(new, choice, verdict, &first);
	if (verdict != NF_ACCEPT) {
		lt_event_send(net, &ev, NF_LOOPTRACK_DECISION_REFUSED);
		return verdict;
	}
	lt_stats_inc(&ln->stats, PORTS_EXHAUSTED);
	lt_event_send(net, &ev, NF_LOOPTRACK_DECISION_EXHAUSTED);

	return NF_ACCEPT;
}

static noinline unsigned int lt_ports_ask(struct lt_new *new, bool enforce)
{
	unsigned int verdict = NF_ACCEPT;
	struct lt_who who;

	if (lt_ct_port_changed(new->ct)) {
		verdict = lt_ports_port_changed(new, enforce);
		/* A rule that didn't match before may have given it a helper. */
		if (verdict != NF_ACCEPT ||
		    !lt_ct_is_exclusive(new->skb, new->ct))
			return verdict;
	}

	if (lt_portcheck_connection(new, enforce, &who))
		verdict = lt_ports_move(new, &who, enforce);

	return verdict;
}

/**
 * lt_ports_settle() - see to it that a new flow has the port it should have
 * @new: the flow
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 * Return: a netfilter verdict: NF_ACCEPT, unless the NAT rules, run again, said
 * otherwise.
 */
unsigned int lt_ports_settle(struct lt_new *new)
{
	u8 mode = lt_mode(new->ln, NF_LOOPTRACK_FEATURE_PORTS);

	if (mode == NF_LOOPTRACK_MODE_OFF || !lt_portcheck_concerns(new) ||
	    !lt_ct_is_exclusive(new->skb, new->ct))
		return NF_ACCEPT;

	return lt_ports_ask(new, mode == NF_LOOPTRACK_MODE_ENFORCE);
}

/**
 * lt_ports_check_demux() - has a packet the socket that its port says
 * @ln: the module's part of the network namespace
 * @skb: packet at LOCAL_IN, after NAT, with a socket from early demux
 *
 * The kernel looks for the socket of a TCP or connected UDP flow as soon as a
 * packet arrives, and NAT changes the source port only in LOCAL_IN. In between
 * the packet of a flow that was given another port looks like one of the flow
 * that has this port.
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 */
void lt_ports_check_demux(struct lt_net *ln, struct sk_buff *skb)
{
	const struct sock *sk = skb->sk;
	u8 mode = lt_mode(ln, NF_LOOPTRACK_FEATURE_PORTS);
	const __be16 *sport;
	__be16 buf;

	/* TPROXY's choice is a rule's, and another a program's. */
	if (mode == NF_LOOPTRACK_MODE_OFF || !sk->sk_dport ||
	    skb_sk_is_prefetched(skb) || inet_sk_transparent((struct sock *)sk))
		return;

	sport = skb_header_pointer(skb, skb_transport_offset(skb), sizeof(buf),
				   &buf);
	if (!sport || *sport == sk->sk_dport)
		return;

	lt_stats_inc(&ln->stats, PORTS_DEMUXED);
	if (mode == NF_LOOPTRACK_MODE_ENFORCE)
		skb_orphan(skb);
}
