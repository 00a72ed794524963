// SPDX-License-Identifier: GPL-2.0
/* The socket ledger: which local socket owns a connection or a port. */

#include <linux/cgroup.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <net/addrconf.h>
#include <net/inet6_hashtables.h>
#include <net/inet_hashtables.h>
#include <net/route.h>
#include <net/tcp.h>
#include <net/udp.h>

#include "core/ct.h"
#include "core/sock.h"

/*
 * A socket is asked for by the tuple of what it sends: source is its own end.
 *
 * The kernel's own lookups want to know the device a packet came by, as sockets
 * may be bound to one. Who wants to prove that nobody owns a connection has no
 * packet and must not miss such a socket: unprivileged processes can bind to
 * a device, and could otherwise have a flow of somebody else taken for dead.
 * Hence lt_sock_find() looks for itself and at all of them.
 */

/**
 * lt_sock_who() - whom a socket belongs to
 * @sk: any socket, or NULL; its cookie is told if it has one already
 *
 * Return: known if @sk is a full socket.
 */
struct lt_who lt_sock_who(const struct sock *sk)
{
	struct lt_who who = {};

	if (sk && sk_fullsock(sk)) {
		who.cookie = atomic64_read(&sk->sk_cookie);
		who.uid = READ_ONCE(sk->sk_uid);
		who.known = true;
	}
	return who;
}

/**
 * lt_sock_new_cookie() - give a socket its cookie
 * @sk: full socket, which may have got one meanwhile
 *
 * Context: any.
 * Return: the cookie, not 0.
 */
u64 lt_sock_new_cookie(struct sock *sk)
{
	u32 parts[2];

	sock_diag_save_cookie(sk, parts);
	return atomic64_read(&sk->sk_cookie);
}

/**
 * lt_sock_is_in_cgroup() - was a socket made in a cgroup, or in one below it
 * @sk: full socket
 * @id: number of the cgroup
 *
 * Context: any.
 * Return: false if not, or if the kernel doesn't keep the cgroups of sockets.
 */
bool lt_sock_is_in_cgroup(struct sock *sk, u64 id)
{
	struct cgroup *cgroup;

	for (cgroup = lt_sock_cgroup(sk); cgroup; cgroup = cgroup_parent(cgroup))
		if (cgroup_id(cgroup) == id)
			return true;

	return false;
}

/**
 * lt_sock_is_akin() - have two sockets the same user and the same cgroup
 * @a: full socket
 * @b: full socket
 *
 * Context: any.
 * Return: true if they have. Where the kernel doesn't keep the cgroups of sockets
 * there is but one.
 */
bool lt_sock_is_akin(struct sock *a, struct sock *b)
{
	return uid_eq(READ_ONCE(a->sk_uid), READ_ONCE(b->sk_uid)) &&
	       lt_sock_cgroup(a) == lt_sock_cgroup(b);
}

/**
 * lt_sock_sent() - what a TCP socket sends, or used to
 * @t: where to
 * @sk: full socket. Its port may have been given back: inet_num may be 0,
 *	inet_sport is not.
 *
 * Context: any.
 * Return: false if it isn't connected and hasn't been.
 */
bool lt_sock_sent(struct nf_conntrack_tuple *t, const struct sock *sk)
{
	const struct inet_sock *inet = inet_sk(sk);

	if (!inet->inet_sport || !sk->sk_dport)
		return false;

	*t = (struct nf_conntrack_tuple) {
		.src.u.tcp.port = inet->inet_sport,
		.dst.u.tcp.port = sk->sk_dport,
		.dst.protonum = IPPROTO_TCP,
		.dst.dir = IP_CT_DIR_ORIGINAL,
	};

#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6 && !ipv6_addr_v4mapped(&sk->sk_v6_daddr)) {
		t->src.l3num = NFPROTO_IPV6;
		t->src.u3.in6 = sk->sk_v6_rcv_saddr;
		t->dst.u3.in6 = sk->sk_v6_daddr;
		return true;
	}
#endif
	t->src.l3num = NFPROTO_IPV4;
	t->src.u3.ip = sk->sk_rcv_saddr;
	t->dst.u3.ip = sk->sk_daddr;
	return true;
}

#if IS_ENABLED(CONFIG_IPV6)
/* Not if only a device of a VRF has the address: what such a flow leaves and
 * comes by is not known. (IPv4 looks into the table of no VRF.)
 */
static bool lt_sock_is_local6(struct net *net, const struct in6_addr *addr)
{
	const struct net_device *dev;

	/* Without IPv6 (ipv6.disable=1) nobody has made the table of addresses, but
	 * bridges and ctnetlink have entries of IPv6 all the same.
	 */
	if (!ipv6_mod_enabled() || ipv6_addr_type(addr) & IPV6_ADDR_LINKLOCAL)
		return false;

	dev = ipv6_dev_find(net, addr, NULL);
	return dev && !netif_is_l3_slave(dev) && !netif_is_l3_master(dev);
}
#endif

/**
 * lt_sock_is_local() - is the source of a tuple an address of this host
 * @net: network namespace
 * @t: tuple
 *
 * A link-local address is none: without a device it may be a neighbour's, too.
 * Neither is an address that is known within a VRF only.
 *
 * Context: RCU read lock.
 * Return: true if it is.
 */
bool lt_sock_is_local(struct net *net, const struct nf_conntrack_tuple *t)
{
	if (t->src.l3num == NFPROTO_IPV4)
		return ipv4_is_loopback(t->src.u3.ip) ||
		       inet_addr_type(net, t->src.u3.ip) == RTN_LOCAL;
#if IS_ENABLED(CONFIG_IPV6)
	return ipv6_addr_loopback(&t->src.u3.in6) ||
	       lt_sock_is_local6(net, &t->src.u3.in6);
#else
	return false;
#endif
}

static u32 lt_sock_hash(const struct net *net,
			const struct nf_conntrack_tuple *t)
{
	u16 port = ntohs(t->src.u.tcp.port);

#if IS_ENABLED(CONFIG_IPV6)
	if (t->src.l3num == NFPROTO_IPV6)
		return inet6_ehashfn(net, &t->src.u3.in6, port,
				     &t->dst.u3.in6, t->dst.u.tcp.port);
#endif
	return inet_ehashfn(net, t->src.u3.ip, port,
			    t->dst.u3.ip, t->dst.u.tcp.port);
}

static bool lt_sock_match(const struct net *net, const struct sock *sk,
			  const struct nf_conntrack_tuple *t)
{
	if (!net_eq(sock_net(sk), net) ||
	    sk->sk_num != ntohs(t->src.u.tcp.port) ||
	    sk->sk_dport != t->dst.u.tcp.port)
		return false;

#if IS_ENABLED(CONFIG_IPV6)
	if (t->src.l3num == NFPROTO_IPV6)
		return sk->sk_family == AF_INET6 &&
		       ipv6_addr_equal(&sk->sk_v6_rcv_saddr, &t->src.u3.in6) &&
		       ipv6_addr_equal(&sk->sk_v6_daddr, &t->dst.u3.in6);
#endif
	/* Those of AF_INET6 may talk IPv4, and have these fields, too. */
	return sk->sk_rcv_saddr == t->src.u3.ip && sk->sk_daddr == t->dst.u3.ip;
}

/**
 * lt_sock_find() - find the TCP socket of a connection
 * @net: network namespace
 * @t: what it sends
 * @except: a socket that doesn't count, or NULL
 *
 * Where several have the same addresses and ports, bound to devices, a live one
 * is found first.
 *
 * Context: RCU read lock; BHs may be on.
 * Return: a full, request or TIME_WAIT socket, to be released by
 * sock_gen_put(), or NULL.
 */
struct sock *lt_sock_find(struct net *net, const struct nf_conntrack_tuple *t,
			  const struct sock *except)
{
	const struct inet_hashinfo *table = net->ipv4.tcp_death_row.hashinfo;
	u32 hash = lt_sock_hash(net, t);
	u32 slot = hash & table->ehash_mask;
	const struct hlist_nulls_node *node;
	struct sock *sk, *found = NULL;

again:
	sk_nulls_for_each_rcu(sk, node, &table->ehash[slot].chain) {
		if (sk->sk_hash != hash || sk == except ||
		    !lt_sock_match(net, sk, t))
			continue;
		if (found && !lt_sock_is_live(sk))
			continue;
		if (unlikely(!refcount_inc_not_zero(&sk->sk_refcnt))) {
			/* A request that its socket has just replaced, or a
			 * TIME_WAIT that isn't complete yet.
			 */
			if (hlist_nulls_unhashed_lockless(&sk->sk_nulls_node))
				goto restart;
			continue;
		}
		if (found)
			sock_gen_put(found);
		found = sk;
		/* It may have gone, and be another one's, before it was held. */
		if (unlikely(hlist_nulls_unhashed_lockless(&sk->sk_nulls_node) ||
			     !lt_sock_match(net, sk, t)))
			goto restart;
		if (lt_sock_is_live(sk))
			return sk;
	}
	/* The chain may end in another slot: a socket was moved meanwhile. */
	if (likely(get_nulls_value(node) == slot))
		return found;
restart:
	if (found)
		sock_gen_put(found);
	found = NULL;
	goto again;
}

/**
 * lt_sock_port_is_unused() - is it certain that no local socket has a port
 * @net: network namespace
 * @proto: IPPROTO_TCP or IPPROTO_UDP
 * @port: in host byte order
 *
 * One look at an empty hash slot saves most searches.
 *
 * Context: any.
 * Return: true if none has, in any state; false means that one might.
 */
bool lt_sock_port_is_unused(const struct net *net, u8 proto, u16 port)
{
	const struct inet_hashinfo *table = net->ipv4.tcp_death_row.hashinfo;
	u32 slot;

	if (proto == IPPROTO_UDP)
		return hlist_empty(&udp_hashslot(lt_compat_udp_table(net),
						 (struct net *)net, port)->head);

	slot = inet_bhashfn(net, port, table->bhash_size);
	return hlist_empty(&table->bhash[slot].chain);
}

/**
 * lt_sock_takes_syn() - is a SYN welcome to the socket it meets
 * @sk: of the same addresses and ports
 * @skb: packet
 * @th: its TCP header, a SYN
 *
 * A socket that has sent its own waits for it: both open at once. A request may
 * be for this very SYN, sent again after its entry has gone. And, as
 * tcp_timewait_state_process() decides, one that is clearly later than all the
 * old connection sent ends the TIME_WAIT.
 *
 * Return: true if it would.
 */
bool lt_sock_takes_syn(const struct sock *sk, const struct sk_buff *skb,
		       const struct tcphdr *th)
{
	const struct tcp_timewait_sock *tw = tcp_twsk(sk);
	struct tcp_options_received opt = {};
	u32 seq = ntohl(th->seq);

	if (sk->sk_state == TCP_SYN_SENT)
		return true;
	if (sk->sk_state == TCP_NEW_SYN_RECV)
		return tcp_rsk(inet_reqsk(sk))->rcv_isn == seq;

	if (sk->sk_state != TCP_TIME_WAIT ||
	    READ_ONCE(inet_twsk(sk)->tw_substate) != TCP_TIME_WAIT)
		return false;

	opt.ts_recent_stamp = READ_ONCE(tw->tw_ts_recent_stamp);
	if (opt.ts_recent_stamp) {
		/* Options that can't be read don't speak against it. */
		if ((const u8 *)th != skb_transport_header(skb) ||
		    skb_transport_offset(skb) + th->doff * 4 > skb_headlen(skb))
			return true;
		tcp_parse_options(sock_net(sk), skb, &opt, 0, NULL);
		opt.ts_recent = READ_ONCE(tw->tw_ts_recent);
		opt.ts_recent_stamp = READ_ONCE(tw->tw_ts_recent_stamp);
		if (opt.saw_tstamp && tcp_paws_reject(&opt, 0))
			return false;
	}

	return after(seq, READ_ONCE(tw->tw_rcv_nxt)) ||
	       (opt.saw_tstamp && (s32)(opt.ts_recent - opt.rcv_tsval) < 0);
}

/**
 * lt_sock_reap() - remove a TIME_WAIT socket that guards nothing
 * @sk: in TIME_WAIT; the reference is consumed
 *
 * Context: any but hard interrupts, without locks of the socket tables.
 */
void lt_sock_reap(struct sock *sk)
{
	local_bh_disable();
	inet_twsk_deschedule_put(inet_twsk(sk));
	local_bh_enable();
}

/* A listener is found without being referenced. */
static struct sock *lt_sock_listener_get(struct net *net,
					 const struct nf_conntrack_tuple *t,
					 int dif)
{
	struct inet_hashinfo *table = net->ipv4.tcp_death_row.hashinfo;
	struct sock *sk;

#if IS_ENABLED(CONFIG_IPV6)
	if (t->src.l3num == NFPROTO_IPV6)
		sk = inet6_lookup_listener(net, table, NULL, 0,
					   &t->dst.u3.in6, t->dst.u.tcp.port,
					   &t->src.u3.in6,
					   ntohs(t->src.u.tcp.port), dif, 0);
	else
#endif
		sk = __inet_lookup_listener(net, table, NULL, 0,
					    t->dst.u3.ip, t->dst.u.tcp.port,
					    t->src.u3.ip,
					    ntohs(t->src.u.tcp.port), dif, 0);

	return sk && refcount_inc_not_zero(&sk->sk_refcnt) ? sk : NULL;
}

/**
 * lt_sock_server_get() - find the local socket that takes what begins a flow
 * @net: network namespace
 * @t: what the socket would answer with, TCP or UDP
 * @dif: index of the device its peer's packets come by
 *
 * Of UDP, that is also one that is connected to the peer.
 *
 * Context: RCU read lock.
 * Return: a TCP listener or a UDP socket, to be released by sock_put(), or NULL.
 */
struct sock *lt_sock_server_get(struct net *net,
				const struct nf_conntrack_tuple *t, int dif)
{
	switch (t->dst.protonum) {
	case IPPROTO_TCP:
		return lt_sock_listener_get(net, t, dif);
	case IPPROTO_UDP:
#if IS_ENABLED(CONFIG_IPV6)
		if (t->src.l3num == NFPROTO_IPV6)
			return udp6_lib_lookup(net, &t->dst.u3.in6,
					       t->dst.u.udp.port, &t->src.u3.in6,
					       t->src.u.udp.port, dif);
#endif
		return udp4_lib_lookup(net, t->dst.u3.ip, t->dst.u.udp.port,
				       t->src.u3.ip, t->src.u.udp.port, dif);
	default:
		return NULL;
	}
}

/**
 * lt_ends_find() - find the local TCP sockets of both ends of a flow
 * @ends: where to; to be released by lt_ends_reap() or lt_ends_put()
 * @ct: entry
 * @except: a socket that doesn't count, or NULL
 *
 * Context: RCU read lock.
 */
void lt_ends_find(struct lt_ends *ends, const struct nf_conn *ct,
		  const struct sock *except)
{
	struct net *net = nf_ct_net(ct);
	unsigned int dir;

	for (dir = 0; dir < IP_CT_DIR_MAX; dir++)
		ends->sk[dir] = lt_sock_find(net, lt_ct_tuple(ct, dir), except);
}

/**
 * lt_ends_live() - is any of them live
 * @ends: both ends
 */
bool lt_ends_live(const struct lt_ends *ends)
{
	return lt_sock_is_live(ends->sk[IP_CT_DIR_ORIGINAL]) ||
	       lt_sock_is_live(ends->sk[IP_CT_DIR_REPLY]);
}

/**
 * lt_ends_reap() - remove those that are in TIME_WAIT, release the others
 * @ends: both ends
 *
 * Return: how many were removed.
 */
unsigned int lt_ends_reap(struct lt_ends *ends)
{
	unsigned int dir, reaped = 0;

	for (dir = 0; dir < IP_CT_DIR_MAX; dir++) {
		struct sock *sk = ends->sk[dir];

		if (!sk || lt_sock_is_live(sk))
			continue;
		lt_sock_reap(sk);
		ends->sk[dir] = NULL;
		reaped++;
	}
	lt_ends_put(ends);

	return reaped;
}

/**
 * lt_ends_put() - release them
 * @ends: both ends
 */
void lt_ends_put(struct lt_ends *ends)
{
	unsigned int dir;

	for (dir = 0; dir < IP_CT_DIR_MAX; dir++)
		if (ends->sk[dir])
			sock_gen_put(ends->sk[dir]);
}
