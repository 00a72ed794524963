// SPDX-License-Identifier: GPL-2.0
/* Does a local socket have the port that NAT gave a flow? */

#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <net/inet_sock.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/udp.h>

#include "core/ct.h"
#include "core/exempt.h"
#include "core/new.h"
#include "core/portcheck.h"
#include "core/rules.h"
#include "net.h"

/*
 * Two questions, which two features ask. A port must be free, but not more than
 * that: a client's own port is often what its peers know it by.
 *
 * - Is there a connection with the flow's addresses and ports (ports)? Two such
 *   flows can't both work.
 * - Is there a socket that receives on the port, from whoever sends (listeners)?
 *   Both can work, for conntrack tells their packets apart. But what the remote
 *   sends to that socket from this very address and port goes to the flow.
 */

/* So many UDP sockets of one address and port are looked at. */
#define LT_PORTCHECK_UDP_MAX	128

/**
 * lt_portcheck_concerns() - may a flow have a port that somebody else has
 * @new: the flow
 *
 * Context: any.
 * Return: false if NAT has not changed it, or it has no ports.
 */
bool lt_portcheck_concerns(const struct lt_new *new)
{
	u8 proto = nf_ct_protonum(new->ct);

	return READ_ONCE(new->ct->status) & IPS_NAT_MASK &&
	       (proto == IPPROTO_TCP || proto == IPPROTO_UDP);
}

/**
 * lt_portcheck_is_arriving() - is the server's end on this host
 * @new: the flow
 *
 * Context: any.
 * Return: true if it is.
 */
bool lt_portcheck_is_arriving(const struct lt_new *new)
{
	return new->state->hook == NF_INET_LOCAL_IN ||
	       new->state->out->flags & IFF_LOOPBACK;
}

static const struct tcphdr *lt_portcheck_tcphdr(const struct lt_new *new,
						struct tcphdr *buf)
{
	const struct sk_buff *skb = new->skb;
	int offset = skb_network_offset(skb);

	/* The transport header isn't known of packets that arrive. */
	if (new->state->pf == NFPROTO_IPV6) {
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
static bool lt_portcheck_server(const struct lt_new *new, bool enforce,
				struct lt_who *who)
{
	const struct nf_conntrack_tuple *reply;
	struct net *net = new->state->net;
	struct nf_conntrack_tuple peer;
	const struct tcphdr *th;
	struct tcphdr buf;
	struct sock *sk;
	bool held;

	reply = lt_ct_tuple(new->ct, IP_CT_DIR_REPLY);
	sk = lt_sock_find(net, reply, NULL);
	if (likely(!sk))
		return false;

	/* In the middle of a connection the socket is what it is for. */
	th = lt_portcheck_tcphdr(new, &buf);
	held = th && th->syn && !th->ack &&
	       !lt_sock_takes_syn(sk, new->skb, th);
	if (held && !lt_sock_is_live(sk) &&
	    READ_ONCE(inet_twsk(sk)->tw_substate) == TCP_TIME_WAIT &&
	    nf_ct_invert_tuple(&peer, reply) && lt_sock_is_local(net, &peer)) {
		/* Its peer was on this host and has sent its FIN. */
		if (enforce) {
			lt_sock_reap(sk);
			lt_stats_inc(&new->ln->stats, LINGER_REAPED);
			return false;
		}
		held = false;
	}
	*who = lt_sock_who(sk);
	sock_gen_put(sk);

	return held;
}

/* What a socket would send that has the flow's source, as the remote sees it.
 * Return: false if there is no such socket, or it is the flow's own.
 */
static bool lt_portcheck_sent(const struct lt_new *new,
			      struct nf_conntrack_tuple *sent)
{
	const struct nf_conntrack_tuple *reply;
	const struct sock *own = new->state->sk;
	__be16 port;

	reply = lt_ct_tuple(new->ct, IP_CT_DIR_REPLY);
	port = reply->dst.u.all;
	if (!(READ_ONCE(new->ct->status) & IPS_SRC_NAT) ||
	    likely(lt_sock_port_is_unused(new->state->net, reply->dst.protonum,
					  ntohs(port))))
		return false;

	/* Its own, and shared with whom it may be. Tunnels send by packet
	 * sockets, which have no port.
	 */
	if (own && sk_fullsock(own) &&
	    (own->sk_family == AF_INET || own->sk_family == AF_INET6) &&
	    inet_sk(own)->inet_sport == port)
		return false;

	return nf_ct_invert_tuple(sent, reply);
}

static bool lt_portcheck_udp_matches(const struct sock *sk,
				     const struct nf_conntrack_tuple *sent)
{
	if (inet_sk(sk)->inet_num != ntohs(sent->src.u.udp.port) ||
	    inet_sk(sk)->inet_dport != sent->dst.u.udp.port)
		return false;

#if IS_ENABLED(CONFIG_IPV6)
	if (sent->src.l3num == NFPROTO_IPV6)
		return sk->sk_family == AF_INET6 &&
		       ipv6_addr_equal(&sk->sk_v6_rcv_saddr, &sent->src.u3.in6) &&
		       ipv6_addr_equal(&sk->sk_v6_daddr, &sent->dst.u3.in6);
#endif
	return sk->sk_rcv_saddr == sent->src.u3.ip &&
	       sk->sk_daddr == sent->dst.u3.ip;
}

/* A connected UDP socket has an address, and is listed by that and its port.
 * Sockets stay what they are for an RCU grace period; one that changes its address
 * meanwhile may lead to another list, where the search ends some time.
 */
static bool lt_portcheck_udp_connected(const struct lt_new *new,
				       const struct nf_conntrack_tuple *sent,
				       struct lt_who *who)
{
	unsigned int port = ntohs(sent->src.u.udp.port), looked = 0;
	struct net *net = new->state->net;
	struct udp_hslot *slot;
	struct sock *sk;
	u32 hash;

#if IS_ENABLED(CONFIG_IPV6)
	if (sent->src.l3num == NFPROTO_IPV6)
		hash = ipv6_portaddr_hash(net, &sent->src.u3.in6, port);
	else
#endif
		hash = ipv4_portaddr_hash(net, sent->src.u3.ip, port);

	slot = udp_hashslot2(lt_compat_udp_table(net), hash);
	udp_portaddr_for_each_entry_rcu(sk, &slot->head) {
		if (looked++ == LT_PORTCHECK_UDP_MAX) {
			lt_stats_inc(&new->ln->stats, WORK_BOUNDED);
			break;
		}
		if (!net_eq(sock_net(sk), net) ||
		    !lt_portcheck_udp_matches(sk, sent))
			continue;
		*who = lt_sock_who(sk);
		return true;
	}

	return false;
}

/* A socket that has just sent its SYN is about to have an entry of its own. Which
 * of the two is first is clash's business, and a claim would be in the way:
 *
 *	CPU 0					CPU 1
 *	claim for the socket
 *						its SYN: confirm finds the claim,
 *						the packet is dropped
 *	the claim is withdrawn
 */
static bool lt_portcheck_client(const struct lt_new *new, struct lt_who *who)
{
	struct net *net = new->state->net;
	struct nf_conntrack_tuple sent;
	struct sock *sk;
	bool held;

	if (likely(!lt_portcheck_sent(new, &sent)))
		return false;

	if (sent.dst.protonum == IPPROTO_UDP)
		return lt_portcheck_udp_connected(new, &sent, who) &&
		       lt_sock_is_local(net, &sent);

	sk = lt_sock_find(net, &sent, NULL);
	if (!sk)
		return false;
	held = sk->sk_state != TCP_SYN_SENT;
	*who = lt_sock_who(sk);
	sock_gen_put(sk);

	return held && lt_sock_is_local(net, &sent);
}

/**
 * lt_portcheck_connection() - is there a connection where NAT put a flow
 * @new: a flow that lt_portcheck_concerns()
 * @enforce: what of it guards nothing may be removed
 * @who: set to its owner, if there is one
 *
 * That is a TCP socket, live or in TIME_WAIT, or a connected UDP socket of this
 * host, with the very addresses and ports of the flow.
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 * Return: true if there is.
 */
bool lt_portcheck_connection(const struct lt_new *new, bool enforce,
			     struct lt_who *who)
{
	*who = (struct lt_who) {};

	return (nf_ct_protonum(new->ct) == IPPROTO_TCP &&
		lt_portcheck_is_arriving(new) &&
		lt_portcheck_server(new, enforce, who)) ||
	       lt_portcheck_client(new, who);
}

/* Do NAT rules send elsewhere what the remote sends to the socket? Where the remote
 * is this host, no rule of PRE_ROUTING sees it.
 */
static bool lt_portcheck_is_published(const struct lt_new *new)
{
	const struct nf_hook_state *state = new->state;
	struct lt_question question = {
		.net = state->net,
		.zone = nf_ct_zone(new->ct),
		.hook = NF_INET_PRE_ROUTING,
		.packet = *lt_ct_tuple(new->ct, IP_CT_DIR_REPLY),
		.dev = state->out ?: state->in,
	};
	struct lt_answer answer;

	if (question.dev->flags & IFF_LOOPBACK)
		return false;

	question.packet.dst.dir = IP_CT_DIR_ORIGINAL;

	return !lt_rules_ask(&question, &answer) && answer.changed;
}

/**
 * lt_portcheck_listener() - is there a socket that would get a flow's replies
 * @new: a flow that lt_portcheck_concerns()
 * @who: set to its owner, if there is one
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 * Return: see enum lt_listener.
 */
enum lt_listener lt_portcheck_listener(const struct lt_new *new,
				       struct lt_who *who)
{
	const struct nf_hook_state *state = new->state;
	struct nf_conntrack_tuple sent;
	struct sock *sk;

	*who = (struct lt_who) {};
	/* Who listens to all addresses means those of this host. */
	if (likely(!lt_portcheck_sent(new, &sent)) ||
	    !lt_sock_is_local(state->net, &sent))
		return LT_LISTENER_NONE;

	sk = lt_sock_server_get(state->net, &sent,
				(state->out ?: state->in)->ifindex);
	if (!sk)
		return LT_LISTENER_NONE;
	*who = lt_sock_who(sk);
	sock_put(sk);

	if (lt_exempts_have(rcu_dereference(new->ln->exempts),
			    ntohs(sent.src.u.all)) ||
	    lt_portcheck_is_published(new))
		return LT_LISTENER_SPARED;

	return LT_LISTENER_HELD;
}

/**
 * lt_portcheck_is_held() - must a flow not have what NAT gave it
 * @new: the flow
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 * Return: true if another choice is to be made: for ports or for listeners, each
 * only if its mode is enforce.
 */
bool lt_portcheck_is_held(const struct lt_new *new)
{
	struct lt_net *ln = new->ln;
	struct lt_who who;

	if (!lt_portcheck_concerns(new))
		return false;

	return (lt_mode(ln, NF_LOOPTRACK_FEATURE_PORTS) ==
			NF_LOOPTRACK_MODE_ENFORCE &&
		lt_portcheck_connection(new, true, &who)) ||
	       (lt_mode(ln, NF_LOOPTRACK_FEATURE_LISTENERS) ==
			NF_LOOPTRACK_MODE_ENFORCE &&
		lt_portcheck_listener(new, &who) == LT_LISTENER_HELD);
}
