// SPDX-License-Identifier: GPL-2.0
/* Feature ports: a port is used only if both ledgers say that it is free. */

#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include <net/tcp.h>

#include "core/ct.h"
#include "report/event.h"
#include "core/nat.h"
#include "net.h"
#include "core/owner.h"
#include "feature/ports.h"
#include "core/sock.h"

/*
 * NAT has chosen when this is asked, and conntrack has not confirmed yet. NAT
 * knows the conntrack ledger only, which can be wrong both ways:
 *
 * - it has an entry whose sockets are gone, and a flow that wants the same reply
 *   tuple had its source port changed: the dead entry goes and the rules, run
 *   again, leave the port alone;
 * - it has no entry for a socket that lives or lingers, because that expired or
 *   was never made: a claim stands in for it while the rules run again.
 *
 * Most flows need neither, and asking afterwards costs them nothing.
 */

/*
 * Is a TCP holder dead? No end of it is a live socket of ours, and the other
 * one, if it is not on this host, can't be either:
 *
 * - an end elsewhere that opened the flow may be anything;
 * - one elsewhere that was connected to has let go if it was reset, or if our
 *   end closed first and got the last FIN, as its TIME_WAIT shows. If the remote
 *   closed first it is in TIME_WAIT itself, and may refuse a SYN from the same
 *   port: as that gets another origin by NAT, its numbers may seem older.
 */
static bool lt_ports_is_dead_tcp(struct net *net, const struct nf_conn *holder,
				 const struct lt_ends *ends)
{
	const struct sock *client = ends->sk[IP_CT_DIR_ORIGINAL];
	u8 state = READ_ONCE(holder->proto.tcp.state);

	if (lt_ends_live(ends) ||
	    !lt_sock_is_local(net, lt_ct_tuple(holder, IP_CT_DIR_ORIGINAL)))
		return false;

	return lt_sock_is_local(net, lt_ct_tuple(holder, IP_CT_DIR_REPLY)) ||
	       state == TCP_CONNTRACK_CLOSE ||
	       (state == TCP_CONNTRACK_TIME_WAIT && client);
}

static bool lt_ports_is_dead_udp(struct lt_net *ln, const struct nf_conn *holder,
				 struct lt_event *ev)
{
	const struct lt_owner *owner = lt_owner_find(holder);

	if (!owner)
		return false;

	ev->holder_owner = lt_owner_who(owner);
	return lt_owner_is_dead_udp(owner);
}

/* Is the server's end on this host? */
static bool lt_ports_is_arriving(const struct nf_hook_state *state)
{
	return state->hook == NF_INET_LOCAL_IN ||
	       state->out->flags & IFF_LOOPBACK;
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
		dead = lt_ports_is_dead_udp(ln, holder, ev);
	}

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
static unsigned int lt_ports_again(struct lt_net *ln, struct sk_buff *skb,
				   struct nf_conn *ct,
				   const struct nf_hook_state *state,
				   struct lt_event *ev, bool *again)
{
	const struct nf_conntrack_tuple before =
		*lt_ct_tuple(ct, IP_CT_DIR_REPLY);
	unsigned int verdict = NF_ACCEPT;
	int err;

	err = lt_nat_repick(skb, ct, state, READ_ONCE(ln->noting), &verdict);
	*again = !err && verdict == NF_ACCEPT;

	if (err != -ESTALE && verdict == NF_ACCEPT)
		return NF_ACCEPT;

	lt_net_want(ln, LT_HOOK_NOTE);
	if (err == -ESTALE || (verdict & NF_VERDICT_MASK) == NF_DROP) {
		lt_nat_bind(skb, ct, state, &before);
		return NF_ACCEPT;
	}

	lt_event_send(state->net, ev, NF_LOOPTRACK_DECISION_REFUSED);

	return verdict;
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
 * they say is looked at again.
 */
static unsigned int lt_ports_port_changed(struct lt_net *ln, struct sk_buff *skb,
					  struct nf_conn *ct,
					  const struct nf_hook_state *state,
					  bool enforce)
{
	const struct nf_conntrack_tuple *reply = lt_ct_tuple(ct, IP_CT_DIR_REPLY);
	struct nf_conntrack_tuple wanted = *reply;
	unsigned int verdict = NF_ACCEPT;
	struct nf_conn *holder;
	bool again = enforce;
	struct lt_event ev;

	wanted.dst.u.all = lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL)->src.u.all;
	holder = lt_ct_find(state->net, nf_ct_zone(ct), &wanted, NULL);
	if (likely(!holder) && !lt_ports_is_arriving(state))
		return NF_ACCEPT;

	lt_event_describe(&ev, NF_LOOPTRACK_FEATURE_PORTS, ct, state->sk);
	ev.wanted = wanted;
	ev.got = *reply;
	do {
		if (holder) {
			again = lt_ports_evict(ln, holder, &ev, enforce);
			nf_ct_put(holder);
		}
		if (!again || !lt_nat_may_pick(ev.picks))
			break;

		verdict = lt_ports_again(ln, skb, ct, state, &ev, &again);
		if (verdict != NF_ACCEPT || !again)
			break;

		ev.picks++;
		ev.got = *reply;
		if (nf_ct_tuple_equal(reply, &wanted)) {
			/* Who held it is evicted and counted, or went by itself. */
			if (!holder)
				lt_stats_inc(&ln->stats, PORTS_DEAD);
			lt_stats_inc(&ln->stats, PORTS_KEPT);
			lt_event_send(state->net, &ev, NF_LOOPTRACK_DECISION_KEPT);
			break;
		}
		if (holder)
			lt_event_send(state->net, &ev, NF_LOOPTRACK_DECISION_EVICTED);
		holder = lt_ct_find(state->net, nf_ct_zone(ct), &wanted, NULL);
	} while (holder);

	return verdict;
}

static const struct tcphdr *lt_ports_tcphdr(const struct sk_buff *skb,
					    const struct nf_hook_state *state,
					    struct tcphdr *buf)
{
	int offset = skb_network_offset(skb);

	/* The transport header isn't known of packets that arrive. */
	if (state->pf == NFPROTO_IPV6) {
		u8 next = ipv6_hdr(skb)->nexthdr;
		__be16 frag;

		offset = ipv6_skip_exthdr(skb, offset + sizeof(struct ipv6hdr),
					  &next, &frag);
		if (offset < 0)
			return NULL;
	} else {
		offset += ip_hdrlen(skb);
	}

	return skb_header_pointer(skb, offset, sizeof(*buf), buf);
}

/* A new connection on top of a socket that had the same addresses and ports,
 * before NAT gave them to this one. Without NAT it is the client that chose
 * them, and TCP knows what to do.
 */
static bool lt_ports_server_is_held(struct lt_net *ln, struct sk_buff *skb,
				    const struct nf_conn *ct,
				    const struct nf_hook_state *state,
				    bool enforce, struct lt_who *who)
{
	const struct nf_conntrack_tuple *reply = lt_ct_tuple(ct, IP_CT_DIR_REPLY);
	struct nf_conntrack_tuple peer;
	const struct tcphdr *th;
	struct tcphdr buf;
	struct sock *sk;
	bool held;

	sk = lt_sock_find(state->net, reply, NULL);
	if (likely(!sk))
		return false;

	/* In the middle of a connection the socket is what it is for. */
	th = lt_ports_tcphdr(skb, state, &buf);
	held = th && th->syn && !th->ack && !lt_sock_takes_syn(sk, skb, th);
	if (held && !lt_sock_is_live(sk) &&
	    READ_ONCE(inet_twsk(sk)->tw_substate) == TCP_TIME_WAIT &&
	    nf_ct_invert_tuple(&peer, reply) &&
	    lt_sock_is_local(state->net, &peer)) {
		/* Its peer was on this host and has sent its FIN. */
		if (enforce) {
			lt_sock_reap(sk);
			lt_stats_inc(&ln->stats, LINGER_REAPED);
			return false;
		}
		held = false;
	}
	*who = lt_sock_who(sk);
	sock_gen_put(sk);

	return held;
}

/* A flow that is about to leave with a port that a local socket has: replies to
 * the flow would be taken from that.
 *
 * A socket that has just sent its SYN is about to have an entry of its own. Which
 * of the two is first is clash's business, and a claim would be in the way:
 *
 *	CPU 0					CPU 1
 *	claim for the socket
 *						its SYN: confirm finds the claim,
 *						the packet is dropped
 *	the claim is withdrawn
 */
static bool lt_ports_client_is_held(struct net *net, const struct nf_conn *ct,
				    const struct nf_hook_state *state,
				    struct lt_who *who)
{
	__be16 port = lt_ct_tuple(ct, IP_CT_DIR_REPLY)->dst.u.all;
	int dif = (state->out ?: state->in)->ifindex;
	const struct sock *own = state->sk;
	struct nf_conntrack_tuple sent;
	struct sock *sk;
	bool held;

	if (likely(lt_sock_port_is_unused(net, nf_ct_protonum(ct), ntohs(port))))
		return false;

	if (!nf_ct_invert_tuple(&sent, lt_ct_tuple(ct, IP_CT_DIR_REPLY)))
		return false;

	/* Its own, and shared with whom it may be. */
	if (own && sk_fullsock(own) && inet_sk(own)->inet_sport == port)
		return false;

	sk = nf_ct_protonum(ct) == IPPROTO_TCP ?
		lt_sock_find(net, &sent, NULL) : NULL;
	if (!sk)
		sk = lt_sock_server_get(net, &sent, dif);
	if (!sk)
		return false;
	held = sk->sk_state != TCP_SYN_SENT;
	*who = lt_sock_who(sk);
	sock_gen_put(sk);

	/* Who listens to all addresses means those of this host. */
	return held && lt_sock_is_local(net, &sent);
}

static bool lt_ports_held(struct lt_net *ln, struct sk_buff *skb,
			  const struct nf_conn *ct,
			  const struct nf_hook_state *state, bool enforce,
			  struct lt_who *who)
{
	unsigned long status = READ_ONCE(ct->status);

	*who = (struct lt_who) {};

	return (nf_ct_protonum(ct) == IPPROTO_TCP && lt_ports_is_arriving(state) &&
		lt_ports_server_is_held(ln, skb, ct, state, enforce, who)) ||
	       (status & IPS_SRC_NAT &&
		lt_ports_client_is_held(state->net, ct, state, who));
}

static bool lt_ports_concerns(const struct nf_conn *ct)
{
	u8 proto = nf_ct_protonum(ct);

	return READ_ONCE(ct->status) & IPS_NAT_MASK &&
	       (proto == IPPROTO_TCP || proto == IPPROTO_UDP);
}

/**
 * lt_ports_are_held() - does a local socket hold what NAT gave a flow
 * @ln: the module's part of the network namespace
 * @skb: the flow's first packet
 * @ct: its entry, unconfirmed
 * @state: of the hook, POST_ROUTING or LOCAL_IN, that @skb is in
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 * Return: true if another choice is to be made; never if the mode isn't enforce.
 */
bool lt_ports_are_held(struct lt_net *ln, struct sk_buff *skb,
		       const struct nf_conn *ct,
		       const struct nf_hook_state *state)
{
	struct lt_who who;

	return lt_mode(ln, NF_LOOPTRACK_FEATURE_PORTS) == NF_LOOPTRACK_MODE_ENFORCE &&
	       lt_ports_concerns(ct) &&
	       lt_ports_held(ln, skb, ct, state, true, &who);
}

/**
 * struct lt_ports_claims - what stands for sockets while NAT chooses
 * @claim: from lt_ct_claim()
 * @count: how many
 */
struct lt_ports_claims {
	struct nf_conn *claim[LT_NAT_PICKS];
	unsigned int count;
};

/* Choose until no socket holds the choice. Return: true if one was found. */
static bool lt_ports_repick(struct lt_net *ln, struct sk_buff *skb,
			    struct nf_conn *ct,
			    const struct nf_hook_state *state,
			    struct lt_event *ev, struct lt_ports_claims *claims,
			    unsigned int *verdict)
{
	const struct nf_conntrack_tuple *reply = lt_ct_tuple(ct, IP_CT_DIR_REPLY);
	struct nf_conntrack_tuple last;
	struct lt_who who;
	bool again;

	do {
		struct nf_conn *claim = NULL;

		if (lt_nat_may_pick(ev->picks))
			claim = lt_ct_claim(ct);
		if (!claim)
			return false;
		claims->claim[claims->count++] = claim;

		last = *reply;
		*verdict = lt_ports_again(ln, skb, ct, state, ev, &again);
		if (!again)
			return false;
		ev->picks++;
		/* Asked for another, the rules have but this one. */
		if (nf_ct_tuple_equal(&last, reply))
			return false;
	} while (lt_ports_held(ln, skb, ct, state, true, &who));

	return true;
}

static unsigned int lt_ports_move(struct lt_net *ln, struct sk_buff *skb,
				  struct nf_conn *ct,
				  const struct nf_hook_state *state,
				  const struct lt_who *who, bool enforce)
{
	const struct nf_conntrack_tuple *reply = lt_ct_tuple(ct, IP_CT_DIR_REPLY);
	const struct nf_conntrack_tuple first = *reply;
	struct lt_ports_claims claims = {};
	unsigned int verdict = NF_ACCEPT;
	struct lt_event ev;
	bool moved;

	lt_stats_inc(&ln->stats, PORTS_BLOCKED);
	lt_event_describe(&ev, NF_LOOPTRACK_FEATURE_PORTS, ct, state->sk);
	ev.wanted = first;
	ev.holder_owner = *who;
	if (!enforce) {
		lt_event_send(state->net, &ev, NF_LOOPTRACK_DECISION_OBSERVED);
		return NF_ACCEPT;
	}

	moved = lt_ports_repick(ln, skb, ct, state, &ev, &claims, &verdict);
	while (claims.count)
		lt_ct_unclaim(claims.claim[--claims.count]);
	if (verdict != NF_ACCEPT)
		return verdict;

	if (moved) {
		ev.got = *reply;
		lt_stats_inc(&ln->stats, PORTS_MOVED);
		lt_event_send(state->net, &ev, NF_LOOPTRACK_DECISION_REPICKED);
		return NF_ACCEPT;
	}

	if (!nf_ct_tuple_equal(reply, &first))
		lt_nat_bind(skb, ct, state, &first);
	lt_stats_inc(&ln->stats, PORTS_EXHAUSTED);
	lt_event_send(state->net, &ev, NF_LOOPTRACK_DECISION_EXHAUSTED);
	return NF_ACCEPT;
}

static noinline unsigned int lt_ports_ask(struct lt_net *ln, struct sk_buff *skb,
					  struct nf_conn *ct,
					  const struct nf_hook_state *state,
					  bool enforce)
{
	unsigned int verdict = NF_ACCEPT;
	struct lt_who who;

	if (lt_ct_port_changed(ct)) {
		verdict = lt_ports_port_changed(ln, skb, ct, state, enforce);
		/* A rule that didn't match before may have given it a helper. */
		if (verdict != NF_ACCEPT || !lt_ct_is_exclusive(skb, ct))
			return verdict;
	}

	if (lt_ports_held(ln, skb, ct, state, enforce, &who))
		verdict = lt_ports_move(ln, skb, ct, state, &who, enforce);

	return verdict;
}

/**
 * lt_ports_settle() - see to it that a new flow has the port it should have
 * @ln: the module's part of the network namespace
 * @skb: the flow's first packet, at its last hook before it is committed
 * @ct: its entry: unconfirmed, with a source binding
 * @state: of the hook
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 * Return: a netfilter verdict: NF_ACCEPT, unless the NAT rules, run again, said
 * otherwise.
 */
unsigned int lt_ports_settle(struct lt_net *ln, struct sk_buff *skb,
			     struct nf_conn *ct,
			     const struct nf_hook_state *state)
{
	u8 mode = lt_mode(ln, NF_LOOPTRACK_FEATURE_PORTS);

	if (mode == NF_LOOPTRACK_MODE_OFF || !lt_ports_concerns(ct) ||
	    !lt_ct_is_exclusive(skb, ct))
		return NF_ACCEPT;

	return lt_ports_ask(ln, skb, ct, state,
			    mode == NF_LOOPTRACK_MODE_ENFORCE);
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
