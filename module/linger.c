// SPDX-License-Identifier: GPL-2.0
/* Feature linger: what is left of a loopback flow goes with its last socket. */

#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <linux/workqueue.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack_helper.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "ct.h"
#include "event.h"
#include "linger.h"
#include "netns.h"
#include "owner.h"
#include "sock.h"

/*
 * TIME_WAIT, of a socket and of an entry, is for packets that are still under
 * way, and for a peer that has not got the last one. Between two sockets of
 * one host there are no such packets, and when both have closed there is no peer.
 *
 * TCP tells by a tracepoint that a socket is closed. UDP tells nobody; flows
 * opened by a local socket are looked after twice a second.
 */
#define LT_LINGER_SWEEP	(HZ / 2)

/* May the entry go before its time? Others rely on these: an offloaded flow has
 * a copy elsewhere; somebody has set the timeout for good; a helper expects
 * connections that belong to it.
 */
static bool lt_linger_may_evict(const struct nf_conn *ct)
{
	return !test_bit(IPS_OFFLOAD_BIT, &ct->status) &&
	       !test_bit(IPS_FIXED_TIMEOUT_BIT, &ct->status) &&
	       !nf_ct_is_dying(ct) && !nfct_help(ct);
}

static void lt_linger_report(struct net *net, const struct nf_conn *ct,
			     struct lt_who who,
			     enum nf_looptrack_decision decision)
{
	const struct lt_event ev = {
		.feature = NF_LOOPTRACK_FEATURE_LINGER,
		.decision = decision,
		.zone = nf_ct_zone(ct)->id,
		.flow = *lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL),
		.holder = *lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL),
		.holder_owner = who,
	};

	lt_event_send(net, &ev);
}

/* The last socket of a flow has gone. Return: true if its entry has, too. */
static bool lt_linger_evict(struct lt_net *ln, struct nf_conn *ct,
			    struct lt_who who)
{
	bool enforce = READ_ONCE(ln->mode[NF_LOOPTRACK_FEATURE_LINGER]) ==
		       NF_LOOPTRACK_MODE_ENFORCE;

	lt_stats_inc(&ln->stats, LINGER_SEEN);
	if (enforce) {
		lt_ct_evict(ct);
		lt_stats_inc(&ln->stats, LINGER_EVICTED);
	}
	lt_linger_report(ln->net, ct, who,
			 enforce ? NF_LOOPTRACK_DECISION_EVICTED :
				   NF_LOOPTRACK_DECISION_OBSERVED);

	return enforce;
}

/*
 * A TCP socket has closed: was it the last one of its flow?
 *
 * The sockets of both ends are looked for after this one left the ledger, and
 * each end that closes looks. Should both close at once, both see that, and
 * nf_ct_delete() lets one of them win. A new socket may come in between:
 *
 *	CPU 0					CPU 1
 *	last socket closed; no other is found
 *						connect() with the same port,
 *						SYN meets the old entry
 *	nf_ct_delete()
 *
 * With stale enforced the SYN has evicted the entry itself and CPU 0 only finds
 * it gone. Without, the SYN went on by an entry that conntrack would have
 * replaced or not; if not, the connection is sent to where the old one was, or
 * loses its answer and sends the SYN again.
 */
static void lt_linger_tcp(struct lt_net *ln, struct nf_conn *ct,
			  const struct sock *sk)
{
	struct lt_ends ends;
	unsigned int reaped;

	lt_ends_find(&ends, ct, sk);
	if (lt_ends_live(&ends) ||
	    (!sk->sk_rx_dst_ifindex && !lt_ct_is_loopback(ct)) ||
	    !lt_linger_evict(ln, ct, lt_sock_who(sk))) {
		lt_ends_put(&ends);
		return;
	}

	reaped = lt_ends_reap(&ends);
	this_cpu_add(ln->stats.cpu->val[NF_LOOPTRACK_A_STATS_LINGER_REAPED],
		     reaped);
}

/* What a socket that has just left the hash used to send. Its port may have been
 * given back: inet_num may be 0, inet_sport is not.
 */
static bool lt_linger_tuple(struct nf_conntrack_tuple *t, const struct sock *sk)
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

/* Can this have been the last socket of a loopback flow? What came to it came by
 * lo, if anything did; and the peer was not waiting for an answer to its FIN,
 * as it is when this socket goes from FIN_WAIT2 to TIME_WAIT.
 */
static bool lt_linger_may_be_last(const struct sock *sk, int oldstate)
{
	if (sk->sk_rx_dst_ifindex && sk->sk_rx_dst_ifindex != LOOPBACK_IFINDEX)
		return false;

	return oldstate != TCP_FIN_WAIT2 || !sock_flag(sk, SOCK_DONE);
}

/* Half of the calls come in process context with the socket owned, half in
 * softirq with its lock held.
 */
static void lt_linger_state(void *data, const struct sock *sk,
			    const int oldstate, const int newstate)
{
	struct nf_conntrack_tuple tuple;
	struct nf_conn *ct;
	struct lt_net *ln;

	/* The kernel's own sockets may outlive what we know of their namespace. */
	if (newstate != TCP_CLOSE || oldstate == TCP_LISTEN ||
	    sk->sk_protocol != IPPROTO_TCP || !sk->sk_net_refcnt ||
	    !lt_linger_may_be_last(sk, oldstate))
		return;

	ln = lt_net(sock_net(sk));
	if (READ_ONCE(ln->mode[NF_LOOPTRACK_FEATURE_LINGER]) ==
	    NF_LOOPTRACK_MODE_OFF || !lt_linger_tuple(&tuple, sk))
		return;

	rcu_read_lock();
	ct = lt_ct_find(ln->net, &nf_ct_zone_dflt, &tuple, NULL);
	if (ct) {
		if (lt_linger_may_evict(ct))
			lt_linger_tcp(ln, ct, sk);
		nf_ct_put(ct);
	}
	rcu_read_unlock();
}

/* A UDP flow without owner: does somebody else have its ports? A server that
 * lives may answer yet.
 */
static bool lt_linger_has_udp(struct net *net, const struct nf_conn *ct)
{
	return lt_sock_udp_receives(net, lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL),
				    LOOPBACK_IFINDEX) ||
	       lt_sock_udp_receives(net, lt_ct_tuple(ct, IP_CT_DIR_REPLY),
				    LOOPBACK_IFINDEX);
}

static void lt_linger_udp(struct lt_net *ln, struct lt_owner *owner)
{
	struct nf_conntrack_zone zone;
	struct nf_conn *ct;
	bool gone = true;

	if (lt_owner_is_alive(ln->net, owner))
		return;

	nf_ct_zone_init(&zone, owner->key.zone, NF_CT_DEFAULT_ZONE_DIR, 0);
	ct = lt_ct_find(ln->net, &zone, &owner->key.flow, NULL);
	if (ct) {
		gone = READ_ONCE(ln->mode[NF_LOOPTRACK_FEATURE_LINGER]) !=
		       NF_LOOPTRACK_MODE_OFF &&
		       test_bit(LT_OWNER_LOOPBACK, &owner->flags) &&
		       !test_bit(LT_OWNER_DEAD_TOLD, &owner->flags) &&
		       lt_linger_may_evict(ct) &&
		       !lt_linger_has_udp(ln->net, ct);
		if (gone) {
			gone = lt_linger_evict(ln, ct, owner->who);
			set_bit(LT_OWNER_DEAD_TOLD, &owner->flags);
		}
		nf_ct_put(ct);
	}

	if (gone)
		lt_owner_drop(&ln->owners, owner);
}

/**
 * lt_linger_sweep() - look after the UDP flows of a namespace
 * @work: in struct lt_net
 *
 * Context: process context.
 */
void lt_linger_sweep(struct work_struct *work)
{
	struct lt_net *ln = container_of(work, struct lt_net,
					 linger_work.work);
	struct rhashtable_iter iter;
	struct lt_owner *owner;

	rhashtable_walk_enter(&ln->owners.table, &iter);
	rhashtable_walk_start(&iter);
	while ((owner = rhashtable_walk_next(&iter))) {
		/* The table was resized. Who is missed is seen next time. */
		if (IS_ERR(owner))
			continue;
		lt_linger_udp(ln, owner);
		if (need_resched()) {
			rhashtable_walk_stop(&iter);
			cond_resched();
			rhashtable_walk_start(&iter);
		}
	}
	rhashtable_walk_stop(&iter);
	rhashtable_walk_exit(&iter);

	if (READ_ONCE(ln->owners.count))
		lt_linger_watch(ln);
}

/**
 * lt_linger_watch() - look after UDP flows from now on, as long as there are any
 * @ln: the module's part of a namespace that remembers an owner
 *
 * Context: any.
 */
void lt_linger_watch(struct lt_net *ln)
{
	if (!delayed_work_pending(&ln->linger_work))
		schedule_delayed_work(&ln->linger_work, LT_LINGER_SWEEP);
}

/* How many namespaces want to know of closed sockets. */
static DEFINE_MUTEX(lt_linger_lock);	/* users, and the probe itself */
static unsigned int lt_linger_users;
static struct tracepoint *lt_linger_tp;

static void lt_linger_match_tp(struct tracepoint *tp, void *data)
{
	if (!strcmp(tp->name, "inet_sock_set_state"))
		lt_linger_tp = tp;
}

/**
 * lt_linger_start() - learn of closed sockets, for one namespace more
 *
 * The tracepoint is not exported, so it is looked for by name.
 *
 * Context: may sleep.
 * Return: 0, or a negative error: -ENOENT if there is no such tracepoint.
 */
int lt_linger_start(void)
{
	int err = 0;

	mutex_lock(&lt_linger_lock);
	if (!lt_linger_users) {
		if (!lt_linger_tp)
			for_each_kernel_tracepoint(lt_linger_match_tp, NULL);
		err = lt_linger_tp ?
		      tracepoint_probe_register(lt_linger_tp, lt_linger_state,
						NULL) : -ENOENT;
	}
	if (!err)
		lt_linger_users++;
	mutex_unlock(&lt_linger_lock);

	return err;
}

/**
 * lt_linger_stop() - undo lt_linger_start()
 *
 * Context: may sleep. For the last namespace nobody is in the probe any more.
 */
void lt_linger_stop(void)
{
	mutex_lock(&lt_linger_lock);
	if (!--lt_linger_users) {
		tracepoint_probe_unregister(lt_linger_tp, lt_linger_state, NULL);
		tracepoint_synchronize_unregister();
	}
	mutex_unlock(&lt_linger_lock);
}
