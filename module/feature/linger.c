// SPDX-License-Identifier: GPL-2.0
/* Feature linger: what is left of a loopback flow goes with its last socket. */

#include <linux/mutex.h>
#include <linux/tcp.h>
#include <linux/tracepoint.h>
#include <net/inet_sock.h>

#include "core/closed.h"
#include "core/ct.h"
#include "core/sock.h"
#include "core/tracepoint.h"
#include "feature/linger.h"
#include "net.h"
#include "report/event.h"

/*
 * TIME_WAIT, of a socket and of an entry, is for packets that are still under
 * way, and for a peer that has not got the last one. Between two sockets of
 * one host there are no such packets, and when both have closed there is no peer.
 *
 * TCP tells by a tracepoint that a socket is closed. That is no place to take
 * locks of conntrack and of the socket tables, and a reset may not have left yet;
 * so sockets are put in a queue and looked at a moment later.
 */

static u8 lt_linger_mode(const struct lt_net *ln)
{
	return lt_mode(ln, NF_LOOPTRACK_FEATURE_LINGER);
}

static void lt_linger_report(struct net *net, const struct nf_conn *ct,
			     struct lt_who who,
			     enum nf_looptrack_decision decision)
{
	struct lt_event ev;

	/* There may be thousands a second, and nobody who reads about them. */
	if (!lt_event_hears_linger(net))
		return;

	lt_event_describe(&ev, NF_LOOPTRACK_FEATURE_LINGER, ct, NULL);
	ev.holder = ev.flow;
	ev.holder_owner = who;
	lt_event_send(net, &ev, decision);
}

/**
 * lt_linger_end() - count and report a flow whose last socket has gone
 * @ln: the module's part of the network namespace
 * @ct: its entry, referenced
 * @who: owner of that socket
 * @enforce: evict the entry
 *
 * Context: RCU read lock.
 */
void lt_linger_end(struct lt_net *ln, struct nf_conn *ct, struct lt_who who,
		   bool enforce)
{
	/* A reset ends both sockets of a flow, on two CPUs: each looks, and one of them
	 * evicts the entry.
	 */
	if (enforce && !lt_ct_evict(ct))
		return;

	lt_stats_inc(&ln->stats, LINGER_SEEN);
	if (enforce)
		lt_stats_inc(&ln->stats, LINGER_EVICTED);
	lt_linger_report(ln->net, ct, who,
			 enforce ? NF_LOOPTRACK_DECISION_EVICTED :
				   NF_LOOPTRACK_DECISION_OBSERVED);
}

static noinline void lt_linger_note(struct lt_net *ln, const struct sock *sk)
{
	struct lt_closed closed = {
		.ln = ln,
		.who = lt_sock_who(sk),
		.accepted = sk->sk_socket || sock_flag(sk, SOCK_DEAD),
	};

	if (lt_sock_sent(&closed.sent, sk) && !lt_closed_add(&closed))
		lt_stats_inc(&ln->stats, LINGER_DROPPED);
}

/* Called in process context with the socket owned, or in softirq with its lock
 * held; with preemption off, so that with PREEMPT_RT no spinlock_t may be taken here
 * and no memory allocated. What came to the socket of a loopback flow came by lo, if
 * anything did.
 */
static void lt_linger_state(void *data, const struct sock *sk,
			    const int oldstate, const int newstate)
{
	struct lt_net *ln;

	if (newstate != TCP_CLOSE || lt_linger_has_fin(sk, oldstate))
		return;

	/* The kernel's own sockets may outlive what we know of their namespace. One that
	 * is closed while it is taken down (TCP_REPAIR) goes on elsewhere, or here later.
	 */
	if ((sk->sk_rx_dst_ifindex && sk->sk_rx_dst_ifindex != LOOPBACK_IFINDEX) ||
	    sk->sk_protocol != IPPROTO_TCP || oldstate == TCP_LISTEN ||
	    !sk->sk_net_refcnt || tcp_sk(sk)->repair)
		return;

	/* Most namespaces have no rule that needs conntrack, and no entry. */
	ln = lt_net(sock_net(sk));
	if (lt_linger_mode(ln) != NF_LOOPTRACK_MODE_OFF &&
	    nf_conntrack_count(ln->net))
		lt_linger_note(ln, sk);
}

/* The probe, and whether it is wanted. It looks for what we know of the socket's
 * namespace, so it must not run before every namespace has been told.
 */
static DEFINE_MUTEX(lt_linger_lock);	/* protects the next two */
static unsigned int lt_linger_users;	/* namespaces where linger is on */
static bool lt_linger_armed;		/* all namespaces have been told */
static struct tracepoint *lt_linger_tp;	/* set once, before there are users */

static int lt_linger_probe(void)
{
	return tracepoint_probe_register(lt_linger_tp, lt_linger_state,
					 NULL);
}

static int lt_linger_begin(void)
{
	int err = lt_closed_start(lt_linger_look);

	if (err || !lt_linger_armed)
		return err;

	err = lt_linger_probe();
	if (err)
		lt_closed_stop();

	return err;
}

static void lt_linger_finish(void)
{
	if (lt_linger_armed) {
		tracepoint_probe_unregister(lt_linger_tp, lt_linger_state,
					    NULL);
		tracepoint_synchronize_unregister();
	}
	lt_closed_stop();
}

/**
 * lt_linger_start() - learn of closed sockets, for one namespace more
 * @ln: the module's part of it
 *
 * Context: may sleep.
 * Return: 0, -ENOMEM or an error of tracepoint_probe_register().
 */
int lt_linger_start(struct lt_net *ln)
{
	int err = 0;

	mutex_lock(&lt_linger_lock);
	if (!lt_linger_users)
		err = lt_linger_begin();
	if (!err)
		lt_linger_users++;
	mutex_unlock(&lt_linger_lock);

	return err;
}

/**
 * lt_linger_stop() - undo lt_linger_start()
 * @ln: the module's part of the namespace
 *
 * Context: may sleep. For the last namespace nobody is in the probe any more.
 */
void lt_linger_stop(struct lt_net *ln)
{
	mutex_lock(&lt_linger_lock);
	if (!--lt_linger_users)
		lt_linger_finish();
	mutex_unlock(&lt_linger_lock);
}

/**
 * lt_linger_forget() - let go of a namespace that ends
 * @ln: the module's part of it; none of its sockets is closed any more
 *
 * Context: may sleep.
 */
void lt_linger_forget(const struct lt_net *ln)
{
	mutex_lock(&lt_linger_lock);
	/* Without users nothing is left to be looked at. */
	if (lt_linger_users)
		lt_closed_forget(ln);
	mutex_unlock(&lt_linger_lock);
}

/**
 * lt_linger_arm() - all namespaces have their part of the module now
 *
 * Context: may sleep.
 * Return: 0 or an error of tracepoint_probe_register().
 */
int __init lt_linger_arm(void)
{
	int err = 0;

	mutex_lock(&lt_linger_lock);
	if (lt_linger_users)
		err = lt_linger_probe();
	lt_linger_armed = !err;
	mutex_unlock(&lt_linger_lock);

	return err;
}

/**
 * lt_linger_is_possible() - does the kernel tell of closed sockets
 *
 * Return: false if it was built without tracepoints.
 */
bool lt_linger_is_possible(void)
{
	return lt_linger_tp;
}

/**
 * lt_linger_init() - look for what the kernel tells
 */
void __init lt_linger_init(void)
{
	lt_linger_tp = lt_tracepoint_find("inet_sock_set_state");
}
