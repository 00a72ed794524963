// SPDX-License-Identifier: GPL-2.0
/* Feature stale: a new socket is not matched to the entry of an earlier one. */

#include <linux/netfilter.h>
#include <linux/tcp.h>
#include <net/inet_connection_sock.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "core/ct.h"
#include "report/event.h"
#include "net.h"
#include "core/owner.h"
#include "core/sock.h"
#include "core/udp.h"
#include "feature/stale.h"

/*
 * conntrack takes a packet for a part of the flow whose addresses and ports it
 * has, and guesses from flags whether that has ended. If the socket that the
 * entry was made for is gone without a packet that conntrack saw, a new socket
 * with the same port inherits its NAT: it lands where the old one was sent.
 *
 * A TCP socket that sends its first SYN owns its addresses and ports from now
 * on, says the socket ledger. Whatever entry there is belongs to the past. A UDP
 * socket proves less, see owner.c.
 */

/* What a socket sends was matched to an entry that isn't its own. */
static void lt_stale_describe(struct lt_event *ev, const struct nf_conn *ct,
			      const struct nf_conntrack_tuple *flow,
			      const struct sock *sk)
{
	lt_event_describe(ev, NF_LOOPTRACK_FEATURE_STALE, ct, sk);
	ev->holder = ev->flow;
	ev->flow = *flow;
}

/* Is the packet what a socket opens its connection with? Not one around it, a
 * tunnel's or IPsec's; and never one that is sent again, whose entry may be its
 * own by now: both counts are raised before the packet leaves.
 */
static bool lt_stale_is_first_syn(const struct sock *sk,
				  const struct sk_buff *skb,
				  const struct nf_conntrack_tuple *flow)
{
	const struct tcphdr *th = tcp_hdr(skb);

	return sk->sk_protocol == IPPROTO_TCP &&
	       flow->dst.protonum == IPPROTO_TCP &&
	       flow->src.u.tcp.port == inet_sk(sk)->inet_sport &&
	       th->syn && !th->ack && !inet_csk(sk)->icsk_retransmits &&
	       !tcp_sk(sk)->total_retrans;
}

static bool lt_stale_flow(struct nf_conntrack_tuple *flow,
			  const struct sk_buff *skb,
			  const struct nf_hook_state *state)
{
	return nf_ct_get_tuplepr(skb, skb_network_offset(skb), state->pf,
				 state->net, flow);
}

/*
 * Does the entry a new socket's SYN would match belong to the past?
 *
 * The socket ledger knows that for addresses of this host. With others a process
 * may send, too (IPV6_FREEBIND takes no privilege, IP_TRANSPARENT some), and
 * their flows are sockets' elsewhere.
 *
 * There can be two sockets of the same addresses and ports if they are bound to
 * devices. If the other one lives, the entry is left alone: no process may take
 * away the flow of another.
 *
 * A SYN that matches the reply direction crosses one of the peer's in a
 * simultaneous open as long as the entry is new. Later it is that of a socket
 * that takes the place of the one the peer was connected to; unless the peer is
 * a live socket of this host.
 */
static bool lt_stale_is_past(const struct nf_conn *ct,
			     const struct nf_conntrack_tuple *flow,
			     enum ip_conntrack_dir dir, const struct sock *sk)
{
	u8 state = READ_ONCE(ct->proto.tcp.state);
	struct lt_ends ends;
	bool past;

	/* Forwarded by a flowtable: not local. */
	if (test_bit(IPS_OFFLOAD_BIT, &ct->status) ||
	    !lt_sock_is_local(nf_ct_net(ct), flow))
		return false;

	if (dir == IP_CT_DIR_REPLY && (state == TCP_CONNTRACK_SYN_SENT ||
				       state == TCP_CONNTRACK_SYN_SENT2))
		return false;

	lt_ends_find(&ends, ct, sk);
	past = !lt_sock_is_live(ends.sk[dir]) &&
	       (dir == IP_CT_DIR_ORIGINAL || !lt_sock_is_live(ends.sk[!dir]));
	lt_ends_put(&ends);

	return past;
}

/* Did this very socket open the flow? It may send a first SYN twice: with TCP Fast
 * Open, when the one with data could not be sent.
 */
static bool lt_stale_is_own(const struct nf_conn *ct, const struct sock *sk)
{
	const struct lt_owner *owner = lt_owner_find(ct);

	return owner && owner->cookie == atomic64_read(&sk->sk_cookie);
}

static bool lt_stale_is_off(const struct lt_net *ln)
{
	return lt_mode(ln, NF_LOOPTRACK_FEATURE_STALE) == NF_LOOPTRACK_MODE_OFF;
}

static bool lt_stale_enforces(const struct lt_net *ln)
{
	return lt_mode(ln, NF_LOOPTRACK_FEATURE_STALE) ==
	       NF_LOOPTRACK_MODE_ENFORCE;
}

static void lt_stale_evicted(struct lt_net *ln, struct lt_event *ev)
{
	lt_stats_inc(&ln->stats, STALE_SEEN);
	lt_stats_inc(&ln->stats, STALE_EVICTED);
	lt_event_send(ln->net, ev, NF_LOOPTRACK_DECISION_EVICTED);
}

static void lt_stale_observed(struct lt_net *ln, struct lt_event *ev)
{
	lt_stats_inc(&ln->stats, STALE_SEEN);
	lt_event_send(ln->net, ev, NF_LOOPTRACK_DECISION_OBSERVED);
}

/* The entry that a packet was matched to, or that spoilt it: conntrack calls
 * invalid what doesn't fit its idea of the connection, and lets go of the entry.
 * Return: the entry, referenced, and what the packet sends; NULL if there is
 * none.
 */
static struct nf_conn *lt_stale_entry(const struct sk_buff *skb,
				      const struct nf_hook_state *state,
				      struct nf_conntrack_tuple *flow,
				      enum ip_conntrack_dir *dir)
{
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct = nf_ct_get(skb, &ctinfo);

	if (!ct) {
		if (ctinfo == IP_CT_UNTRACKED || !lt_ct_is_on(state->net) ||
		    !lt_stale_flow(flow, skb, state))
			return NULL;
		return lt_ct_find(state->net, &nf_ct_zone_dflt, flow, dir);
	}

	*dir = CTINFO2DIR(ctinfo);
	*flow = *lt_ct_tuple(ct, *dir);
	nf_conntrack_get(&ct->ct_general);
	return ct;
}

/**
 * lt_stale_check_syn() - evict what a new connection must not be matched to
 * @ln: the module's part of the network namespace
 * @skb: packet of a socket in SYN_SENT, after conntrack has seen it; without an
 *	entry, or with one that is confirmed
 * @state: of the hook, LOCAL_OUT
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 * Return: a netfilter verdict: conntrack's, if it was asked again.
 */
unsigned int lt_stale_check_syn(struct lt_net *ln, struct sk_buff *skb,
				const struct nf_hook_state *state)
{
	const struct sock *sk = state->sk;
	unsigned int verdict = NF_ACCEPT;
	struct nf_conntrack_tuple flow;
	enum ip_conntrack_dir dir;
	struct lt_event ev;
	struct nf_conn *ct;

	if (lt_stale_is_off(ln))
		return NF_ACCEPT;

	ct = lt_stale_entry(skb, state, &flow, &dir);
	if (likely(!ct))
		return NF_ACCEPT;

	if (!lt_stale_is_first_syn(sk, skb, &flow) || lt_stale_is_own(ct, sk) ||
	    !lt_stale_is_past(ct, &flow, dir, sk)) {
		nf_ct_put(ct);
		return NF_ACCEPT;
	}

	lt_stale_describe(&ev, ct, &flow, sk);
	if (lt_stale_enforces(ln)) {
		if (!lt_ct_restart(skb, ct, state, &verdict))
			lt_stale_evicted(ln, &ev);
	} else {
		lt_stale_observed(ln, &ev);
		nf_ct_put(ct);
	}

	return verdict;
}

/**
 * lt_stale_check_zoned_syn() - the same, for what can't be seen afterwards
 * @ln: the module's part of the network namespace
 * @skb: packet of a socket in SYN_SENT, before conntrack sees it
 * @state: of the hook, LOCAL_OUT
 *
 * A SYN that conntrack finds invalid has lost its entry, and the template that
 * named its zone, too. Only a match in the reply direction makes it so.
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 */
void lt_stale_check_zoned_syn(struct lt_net *ln, const struct sk_buff *skb,
			      const struct nf_hook_state *state)
{
	const struct sock *sk = state->sk;
	enum ip_conntrack_info ctinfo;
	const struct nf_conn *tmpl = nf_ct_get(skb, &ctinfo);
	const struct nf_conntrack_zone *zone;
	struct nf_conntrack_tuple flow;
	struct nf_conntrack_zone buf;
	enum ip_conntrack_dir dir;
	struct lt_event ev;
	struct nf_conn *ct;

	/* VRF: the second time the packet has its entry already. */
	if (lt_stale_is_off(ln) || !tmpl || !nf_ct_is_template(tmpl) ||
	    !lt_stale_flow(&flow, skb, state))
		return;

	zone = nf_ct_zone_tmpl(tmpl, skb, &buf);
	ct = lt_ct_find(state->net, zone, &flow, &dir);
	if (!ct)
		return;

	if (dir == IP_CT_DIR_REPLY && lt_stale_is_first_syn(sk, skb, &flow) &&
	    lt_stale_is_past(ct, &flow, dir, sk)) {
		lt_stale_describe(&ev, ct, &flow, sk);
		if (lt_stale_enforces(ln)) {
			lt_ct_evict(ct);
			lt_stale_evicted(ln, &ev);
		} else {
			lt_stale_observed(ln, &ev);
		}
	}
	nf_ct_put(ct);
}

static void lt_stale_share(struct lt_net *ln, struct lt_owner *owner)
{
	if (!lt_owner_test_and_set(owner, LT_OWNER_SHARED))
		lt_stats_inc(&ln->stats, STALE_SHARED);
}

/* Can it be that a socket had its port while the flow's sender had it, too? Then it
 * may go on with the flow of the other one, as when a server is replaced.
 */
static bool lt_stale_may_inherit(const struct sock *sk)
{
	return sk->sk_reuse || sk->sk_reuseport ||
	       READ_ONCE(sk->sk_bound_dev_if);
}

/* Is another socket than this one alive that has opened the flow or sent on it? */
static bool lt_stale_has_other(const struct lt_net *ln,
			       const struct lt_owner *owner, u64 cookie)
{
	u64 sender = READ_ONCE(owner->sender);

	return lt_udp_has(ln->net, &owner->flow, owner->cookie) != LT_UDP_NONE ||
	       (sender != owner->cookie && sender != cookie &&
		lt_udp_has(ln->net, &owner->flow, sender) != LT_UDP_NONE);
}

/* A socket sends on a flow that another one opened. Return: true if the other one is
 * gone, was the only one that could send on it when it was new, and this one has come
 * after it.
 */
static bool lt_stale_is_past_udp(struct lt_net *ln, struct lt_owner *owner,
				 struct sock *sk)
{
	if (!lt_owner_is(owner, LT_OWNER_NATTED) ||
	    lt_owner_is(owner, LT_OWNER_SHARED))
		return false;

	if (lt_stale_has_other(ln, owner, lt_sock_cookie(sk)) ||
	    (lt_stale_may_inherit(sk) && !lt_owner_is(owner, LT_OWNER_ORPHANED))) {
		lt_stale_share(ln, owner);
		return false;
	}

	return true;
}

static noinline unsigned int
lt_stale_evict_udp(struct lt_net *ln, struct sk_buff *skb, struct nf_conn *ct,
		   const struct nf_hook_state *state, struct lt_owner *owner)
{
	unsigned int verdict = NF_ACCEPT;
	struct lt_event ev;

	lt_stale_describe(&ev, ct, lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL),
			  state->sk);
	ev.holder_owner = lt_owner_who(owner);
	if (!lt_stale_enforces(ln)) {
		/* Once for each, not with each packet. */
		if (!lt_owner_test_and_set(owner, LT_OWNER_STALE_TOLD))
			lt_stale_observed(ln, &ev);
		/* The flow is this socket's from now on. */
		WRITE_ONCE(owner->sender, lt_sock_cookie(state->sk));
		return NF_ACCEPT;
	}

	nf_conntrack_get(&ct->ct_general);
	if (!lt_ct_restart(skb, ct, state, &verdict))
		lt_stale_evicted(ln, &ev);

	return verdict;
}

/**
 * lt_stale_check_udp() - evict an entry whose socket has been replaced
 * @ln: the module's part of the network namespace
 * @skb: packet in its flow's original direction, after conntrack has seen it
 * @ct: its entry: UDP, confirmed
 * @state: of the hook, LOCAL_OUT
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 * Return: a netfilter verdict: conntrack's, if it was asked again.
 */
unsigned int lt_stale_check_udp(struct lt_net *ln, struct sk_buff *skb,
				struct nf_conn *ct,
				const struct nf_hook_state *state)
{
	struct sock *sk = lt_owner_socket(ct, state);
	struct lt_owner *owner;
	u64 cookie, sender;

	if (!sk)
		return NF_ACCEPT;

	owner = lt_owner_find(ct);
	if (!owner)
		return NF_ACCEPT;

	/* It has opened the flow, as most often, or has been looked at before. */
	cookie = lt_sock_cookie(sk);
	sender = READ_ONCE(owner->sender);
	if (sender == cookie &&
	    (sender == owner->cookie || !lt_stale_enforces(ln)))
		return NF_ACCEPT;

	if (lt_stale_is_off(ln) || owner->cookie == cookie ||
	    !lt_stale_is_past_udp(ln, owner, sk)) {
		/* lt_owner_is_dead_udp() needs to know. */
		WRITE_ONCE(owner->sender, cookie);
		return NF_ACCEPT;
	}

	return lt_stale_evict_udp(ln, skb, ct, state, owner);
}
