// SPDX-License-Identifier: GPL-2.0
/* UDP sockets: which of them can send a flow. */

#include <net/ip.h>
#include <net/ipv6.h>
#include <net/udp.h>

#include "core/udp.h"

/*
 * A UDP socket is known by its port only. Any number of sockets can have one port,
 * of one user or several: by addresses of their own (all of 127.0.0.0/8), by
 * SO_REUSEADDR and SO_REUSEPORT, by devices. A look at all of them would let one user
 * make the flows of another dear, so no more than LT_UDP_LOOKS are looked at, and
 * with many of them those by address: the kernel keeps the sockets in a second table,
 * by address and port. There a flow's sender is found by the flow's source address or
 * by the address that stands for all.
 */
#define LT_UDP_LOOKS	64
#define LT_UDP_FEW	16

/**
 * struct lt_udp_wanted - which socket is looked for
 * @t: what it sends
 * @cookie: its cookie, or 0 for any socket that can send @t
 * @except: a socket that doesn't count, or NULL
 */
struct lt_udp_wanted {
	const struct nf_conntrack_tuple *t;
	u64 cookie;
	const struct sock *except;
};

/* Could this socket send the flow? Its port is right. */
static bool lt_udp_may_send(const struct sock *sk,
			    const struct nf_conntrack_tuple *t)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (t->src.l3num == NFPROTO_IPV6)
		return sk->sk_family == AF_INET6 &&
		       (ipv6_addr_any(&sk->sk_v6_rcv_saddr) ||
			ipv6_addr_equal(&sk->sk_v6_rcv_saddr, &t->src.u3.in6));
	if (sk->sk_family == AF_INET6 && sk->sk_ipv6only)
		return false;
#endif
	return !sk->sk_rcv_saddr || sk->sk_rcv_saddr == t->src.u3.ip;
}

static bool lt_udp_is_wanted(const struct net *net, const struct sock *sk,
			     const struct lt_udp_wanted *w)
{
	if (udp_sk(sk)->udp_port_hash != ntohs(w->t->src.u.udp.port) ||
	    !net_eq(sock_net(sk), net) || sk == w->except)
		return false;

	return w->cookie ? atomic64_read(&sk->sk_cookie) == w->cookie :
			   lt_udp_may_send(sk, w->t);
}

/* Look at the sockets of a port. Under the lock of the slot, which keeps sockets of
 * the port from being bound, moved or released.
 */
static enum lt_udp lt_udp_by_port(const struct net *net,
				  const struct udp_hslot *slot,
				  const struct lt_udp_wanted *w)
{
	const struct sock *sk;

	sk_for_each(sk, &slot->head)
		if (lt_udp_is_wanted(net, sk, w))
			return LT_UDP_SOME;

	return LT_UDP_NONE;
}

/* Look at the sockets of a port and an address. */
static enum lt_udp lt_udp_chain(const struct net *net, struct udp_hslot *slot,
				const struct lt_udp_wanted *w, unsigned int *left)
{
	enum lt_udp ret = LT_UDP_NONE;
	const struct sock *sk;

	/* Sockets of other ports are here, too, and come and go. */
	spin_lock(&slot->lock);
	udp_portaddr_for_each_entry(sk, &slot->head) {
		if (!(*left)--) {
			*left = 0;
			ret = LT_UDP_UNKNOWN;
			break;
		}
		if (lt_udp_is_wanted(net, sk, w)) {
			ret = LT_UDP_SOME;
			break;
		}
	}
	spin_unlock(&slot->lock);

	return ret;
}

static u32 lt_udp_hash(const struct net *net, const struct nf_conntrack_tuple *t,
		       bool any)
{
	u16 port = ntohs(t->src.u.udp.port);

#if IS_ENABLED(CONFIG_IPV6)
	if (t->src.l3num == NFPROTO_IPV6)
		return ipv6_portaddr_hash(net, any ? &in6addr_any : &t->src.u3.in6,
					  port);
#endif
	/* That of all IPv6 addresses is the same. */
	return ipv4_portaddr_hash(net, any ? 0 : t->src.u3.ip, port);
}

static enum lt_udp lt_udp_by_address(const struct net *net,
				     struct udp_table *table,
				     const struct lt_udp_wanted *w)
{
	unsigned int left = LT_UDP_LOOKS;
	enum lt_udp ret;

	ret = lt_udp_chain(net, udp_hashslot2(table, lt_udp_hash(net, w->t, false)),
			   w, &left);
	if (ret != LT_UDP_NONE)
		return ret;

	return lt_udp_chain(net, udp_hashslot2(table, lt_udp_hash(net, w->t, true)),
			    w, &left);
}

static enum lt_udp lt_udp_look(const struct net *net,
			       const struct lt_udp_wanted *w)
{
	struct udp_table *table = lt_compat_udp_table(net);
	struct udp_hslot *slot;
	enum lt_udp ret;

	slot = udp_hashslot(table, (struct net *)net,
			    ntohs(w->t->src.u.udp.port));

	/* A socket that connects changes its address, and its place in the second
	 * table: under this lock none escapes by being moved.
	 */
	spin_lock_bh(&slot->lock);
	if (slot->count <= LT_UDP_FEW)
		ret = lt_udp_by_port(net, slot, w);
	else
		ret = lt_udp_by_address(net, table, w);
	spin_unlock_bh(&slot->lock);

	return ret;
}

/**
 * lt_udp_has() - does a UDP socket still have the port that it sent a flow from
 * @net: network namespace
 * @t: what it sent
 * @cookie: of the socket; not 0
 *
 * Context: any but hard interrupts.
 * Return: LT_UDP_NONE if the socket is gone or has another port; see enum lt_udp.
 */
enum lt_udp lt_udp_has(const struct net *net, const struct nf_conntrack_tuple *t,
		       u64 cookie)
{
	const struct lt_udp_wanted wanted = { .t = t, .cookie = cookie };

	return lt_udp_look(net, &wanted);
}

/**
 * lt_udp_senders() - are there sockets that can send a flow
 * @net: network namespace
 * @t: what they would send
 * @except: a socket that doesn't count, or NULL
 *
 * SO_REUSEPORT, SO_REUSEADDR and devices let several sockets have one port.
 *
 * Context: any but hard interrupts.
 * Return: see enum lt_udp.
 */
enum lt_udp lt_udp_senders(const struct net *net,
			   const struct nf_conntrack_tuple *t,
			   const struct sock *except)
{
	const struct lt_udp_wanted wanted = { .t = t, .except = except };

	return lt_udp_look(net, &wanted);
}
