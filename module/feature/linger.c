// SPDX-License-Identifier: GPL-2.0
/* Feature linger: what is left of a loopback flow goes with its last socket. */

#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <linux/workqueue.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack_helper.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "core/ct.h"
#include "report/event.h"
#include "feature/linger.h"
#include "net.h"
#include "core/owner.h"
#include "core/sock.h"

/*
 * TIME_WAIT, of a socket and of an entry, is for packets that are still under
 * way, and for a peer that has not got the last one. Between two sockets of
 * one host there are no such packets, and when both have closed there is no peer.
 *
 * TCP tells by a tracepoint that a socket is closed. That is no place to take
 * locks of conntrack and of the socket tables, and a reset may not have left yet;
 * so sockets are put in a queue and looked at a moment later. UDP tells nobody;
 * flows opened by a local socket are looked after twice a second.
 */
#define LT_LINGER_DELAY	(HZ / 4)

/**
 * struct lt_linger_closed - a TCP socket that is gone
 * @ln: the module's part of its namespace; NULL if that is gone, too
 * @sent: what it used to send
 * @who: whose it was
 * @by_lo: it received by lo, so that its peer was on this host
 */
struct lt_linger_closed {
	struct lt_net *ln;
	struct nf_conntrack_tuple sent;
	struct lt_who who;
	bool by_lo;
};

/* How many fit on a page. */
#define LT_LINGER_CHUNK \
	((4096 - 2 * sizeof(long)) / sizeof(struct lt_linger_closed))

/**
 * struct lt_linger_chunk - some of those that wait
 * @next: some more
 * @count: how many are in use
 * @closed: they
 */
struct lt_linger_chunk {
	struct lt_linger_chunk *next;
	unsigned int count;
	struct lt_linger_closed closed[LT_LINGER_CHUNK];
};

/* A queue that is half full is emptied at once. What doesn't fit is left to the
 * kernel's timeouts.
 */
#define LT_LINGER_CHUNKS	128

/**
 * struct lt_linger_queue - sockets that were closed on a CPU
 * @lock: protects the rest. Taken with BHs off.
 * @chunks: the one to be filled first
 * @count: how many chunks
 */
struct lt_linger_queue {
	spinlock_t lock;	/* see above */
	struct lt_linger_chunk *chunks;
	unsigned int count;
};

static DEFINE_PER_CPU(struct lt_linger_queue, lt_linger_queues) = {
	.lock = __SPIN_LOCK_UNLOCKED(lt_linger_queues.lock),
};

/* Held while queues are emptied. */
static DEFINE_MUTEX(lt_linger_drain_lock);

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

/* The last socket of a flow has gone; to enforce, so does its entry. */
void lt_linger_end(struct lt_net *ln, struct nf_conn *ct,
			  struct lt_who who, bool enforce)
{
	lt_stats_inc(&ln->stats, LINGER_SEEN);
	if (enforce) {
		lt_ct_evict(ct);
		lt_stats_inc(&ln->stats, LINGER_EVICTED);
	}
	lt_linger_report(ln->net, ct, who,
			 enforce ? NF_LOOPTRACK_DECISION_EVICTED :
				   NF_LOOPTRACK_DECISION_OBSERVED);
}

/* Has a socket had its peer's FIN, and is it about to be in TIME_WAIT? */
static bool lt_linger_has_fin(const struct sock *sk, int state)
{
	return state == TCP_FIN_WAIT2 && sock_flag(sk, SOCK_DONE);
}

/* Who closed first is not asked about when it has the other one's FIN: that one,
 * in LAST_ACK, goes when it has the ACK, and is the last. It may even be faster:
 *
 *	CPU 0					CPU 1
 *	client has the FIN, sends its ACK
 *						server has that, is gone, asks;
 *						the client is in FIN_WAIT2
 *	client is in TIME_WAIT
 *
 * Then it asks once more, when there is a TIME_WAIT socket to be reaped.
 */
static bool lt_linger_is_early(const struct lt_ends *ends)
{
	const struct sock *sk;
	unsigned int dir;

	for (dir = 0; dir < IP_CT_DIR_MAX; dir++) {
		sk = ends->sk[dir];
		if (lt_sock_is_live(sk) && lt_linger_has_fin(sk, sk->sk_state))
			return true;
	}

	return false;
}

/* Both ends may ask. What is evicted is so by the first one who finds nobody left;
 * what is only observed is to be counted once. An end in TIME_WAIT closed first, and
 * the other one is the last; unless that went without a word, and the FIN that
 * this one waits for never comes. If both are in TIME_WAIT, both closed at once;
 * if neither is, one was reset: that is the client's to count.
 */
static bool lt_linger_is_turn(const struct lt_ends *ends,
			      enum ip_conntrack_dir dir, bool enforce)
{
	const struct sock *own = ends->sk[dir];

	if (enforce)
		return true;

	if (!own != !ends->sk[!dir])
		return !own ||
		       READ_ONCE(inet_twsk(own)->tw_substate) == TCP_FIN_WAIT2;

	return dir == IP_CT_DIR_ORIGINAL;
}

/* The owner goes with the entry, without a lock. */
static void lt_linger_end_owner(const struct nf_conn *ct)
{
	struct lt_owner *owner = lt_owner_find(ct);

	if (owner)
		lt_owner_end(owner);
}

/*
 * A TCP socket is gone: was it the last one of its flow? A new socket may come
 * in between:
 *
 *	CPU 0					CPU 1
 *	last socket is gone; no other is found
 *						connect() with the same port,
 *						SYN meets the old entry
 *	nf_ct_delete()
 *
 * With stale enforced the SYN has evicted the entry itself and CPU 0 only finds
 * it gone. Without, the SYN went on by an entry that conntrack would have
 * replaced or not; if not, the connection is sent to where the old one was, or
 * loses its answer and sends the SYN again.
 *
 * Return: true if it is too early to say.
 */
static bool lt_linger_tcp(const struct lt_linger_closed *closed)
{
	struct lt_net *ln = closed->ln;
	enum ip_conntrack_dir dir;
	bool enforce, last, early;
	struct lt_ends ends;
	struct nf_conn *ct;

	ct = lt_ct_find(ln->net, &nf_ct_zone_dflt, &closed->sent, &dir);
	if (!ct)
		return false;

	enforce = lt_linger_mode(ln) == NF_LOOPTRACK_MODE_ENFORCE;
	lt_ends_find(&ends, ct, NULL);
	early = lt_linger_is_early(&ends);
	last = lt_ct_may_evict(ct) && !lt_ends_live(&ends) &&
	       lt_linger_is_turn(&ends, dir, enforce) &&
	       (closed->by_lo || lt_ct_is_loopback(ct));
	if (last && enforce)
		lt_linger_end_owner(ct);
	if (last)
		lt_linger_end(ln, ct, closed->who, enforce);
	if (last && enforce)
		lt_stats_add(&ln->stats, LINGER_REAPED, lt_ends_reap(&ends));
	else
		lt_ends_put(&ends);
	nf_ct_put(ct);

	return early;
}

static void lt_linger_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(lt_linger_tcp_work, lt_linger_work);

/* The chunk to write to, under the queue's lock. */
static struct lt_linger_chunk *lt_linger_room(struct lt_linger_queue *queue)
{
	struct lt_linger_chunk *chunk = queue->chunks;

	if (likely(chunk && chunk->count < LT_LINGER_CHUNK))
		return chunk;

	if (queue->count == LT_LINGER_CHUNKS)
		return NULL;

	chunk = kmalloc(sizeof(*chunk), GFP_ATOMIC | __GFP_NOWARN);
	if (!chunk)
		return NULL;

	chunk->next = queue->chunks;
	chunk->count = 0;
	queue->chunks = chunk;
	if (++queue->count == LT_LINGER_CHUNKS / 2)
		mod_delayed_work(system_wq, &lt_linger_tcp_work, 0);

	return chunk;
}

static void lt_linger_enqueue(const struct lt_linger_closed *closed)
{
	struct lt_linger_queue *queue;
	struct lt_linger_chunk *chunk;

	local_bh_disable();
	queue = this_cpu_ptr(&lt_linger_queues);
	spin_lock(&queue->lock);
	chunk = lt_linger_room(queue);
	if (chunk)
		chunk->closed[chunk->count++] = *closed;
	spin_unlock(&queue->lock);
	local_bh_enable();

	if (!delayed_work_pending(&lt_linger_tcp_work))
		schedule_delayed_work(&lt_linger_tcp_work, LT_LINGER_DELAY);
}

/* Look at what waits in a queue. */
static void lt_linger_drain(struct lt_linger_queue *queue)
{
	struct lt_linger_chunk *chunk, *next;
	unsigned int i;

	spin_lock_bh(&queue->lock);
	chunk = queue->chunks;
	queue->chunks = NULL;
	queue->count = 0;
	spin_unlock_bh(&queue->lock);

	for (; chunk; chunk = next) {
		next = chunk->next;
		for (i = 0; i < chunk->count; i++) {
			rcu_read_lock();
			if (chunk->closed[i].ln && lt_linger_tcp(&chunk->closed[i]))
				lt_linger_enqueue(&chunk->closed[i]);
			rcu_read_unlock();
		}
		kfree(chunk);
		cond_resched();
	}
}

static void lt_linger_work(struct work_struct *work)
{
	int cpu;

	mutex_lock(&lt_linger_drain_lock);
	for_each_possible_cpu(cpu)
		lt_linger_drain(per_cpu_ptr(&lt_linger_queues, cpu));
	mutex_unlock(&lt_linger_drain_lock);
}

/**
 * lt_linger_forget() - let go of a namespace that ends
 * @ln: the module's part of it; none of its sockets is closed any more
 *
 * Context: may sleep.
 */
void lt_linger_forget(const struct lt_net *ln)
{
	struct lt_linger_chunk *chunk;
	struct lt_linger_queue *queue;
	unsigned int i;
	int cpu;

	mutex_lock(&lt_linger_drain_lock);
	for_each_possible_cpu(cpu) {
		queue = per_cpu_ptr(&lt_linger_queues, cpu);

		spin_lock_bh(&queue->lock);
		for (chunk = queue->chunks; chunk; chunk = chunk->next)
			for (i = 0; i < chunk->count; i++)
				if (chunk->closed[i].ln == ln)
					chunk->closed[i].ln = NULL;
		spin_unlock_bh(&queue->lock);
	}
	mutex_unlock(&lt_linger_drain_lock);
}

static noinline void lt_linger_note(struct lt_net *ln, const struct sock *sk)
{
	struct lt_linger_closed closed = {
		.ln = ln,
		.who = lt_sock_who(sk),
		.by_lo = sk->sk_rx_dst_ifindex,
	};

	if (lt_sock_sent(&closed.sent, sk))
		lt_linger_enqueue(&closed);
}

/* Called in process context with the socket owned, or in softirq with its lock
 * held. What came to the socket of a loopback flow came by lo, if anything did.
 */
static void lt_linger_state(void *data, const struct sock *sk,
			    const int oldstate, const int newstate)
{
	struct lt_net *ln;

	if (newstate != TCP_CLOSE || lt_linger_has_fin(sk, oldstate))
		return;

	/* The kernel's own sockets may outlive what we know of their namespace. */
	if ((sk->sk_rx_dst_ifindex && sk->sk_rx_dst_ifindex != LOOPBACK_IFINDEX) ||
	    sk->sk_protocol != IPPROTO_TCP || oldstate == TCP_LISTEN ||
	    !sk->sk_net_refcnt)
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

/**
 * lt_linger_start() - learn of closed sockets, for one namespace more
 * @ln: the module's part of it
 *
 * Context: may sleep.
 * Return: 0 or an error of tracepoint_probe_register().
 */
int lt_linger_start(struct lt_net *ln)
{
	int err = 0;

	mutex_lock(&lt_linger_lock);
	if (!lt_linger_users && lt_linger_armed)
		err = lt_linger_probe();
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
	if (!--lt_linger_users && lt_linger_armed) {
		tracepoint_probe_unregister(lt_linger_tp, lt_linger_state,
					    NULL);
		tracepoint_synchronize_unregister();
	}
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

/* It isn't exported, so it is looked for by name. */
static void __init lt_linger_match_tp(struct tracepoint *tp, void *data)
{
	if (!strcmp(tp->name, "inet_sock_set_state"))
		lt_linger_tp = tp;
}

/**
 * lt_linger_init() - look for what the kernel tells
 */
void __init lt_linger_init(void)
{
	for_each_kernel_tracepoint(lt_linger_match_tp, NULL);
}

/**
 * lt_linger_exit() - end, when no namespace is left
 *
 * Context: may sleep.
 */
void lt_linger_exit(void)
{
	/* Once more, for the memory: nothing in the queues is of any use now. */
	flush_delayed_work(&lt_linger_tcp_work);
	lt_linger_work(NULL);
}
