// SPDX-License-Identifier: GPL-2.0
/* Feature linger, TCP: was a closed socket the last one of its flow? */

#include <linux/bits.h>
#include <net/inet_timewait_sock.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "core/accept.h"
#include "core/closed.h"
#include "core/ct.h"
#include "core/owner.h"
#include "core/sock.h"
#include "feature/linger.h"
#include "net.h"

/* A socket is looked at that many times, at intervals that double: for 16 s. */
#define LT_LINGER_LOOKS	7

/**
 * struct lt_linger_batch - what is known from one socket to the next
 * @net: network namespace of @local, or NULL
 * @local: for each direction an address of this host; unset ones have no family
 *
 * Under one RCU read lock. Most sockets of a batch have the same addresses.
 */
struct lt_linger_batch {
	const struct net *net;
	struct nf_conntrack_man local[IP_CT_DIR_MAX];
};

static u8 lt_linger_mode(const struct lt_net *ln)
{
	return lt_mode(ln, NF_LOOPTRACK_FEATURE_LINGER);
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

/* Does what is sent in a direction come from an address of this host? */
static bool lt_linger_is_local(struct lt_linger_batch *batch,
			       const struct nf_conn *ct,
			       enum ip_conntrack_dir dir)
{
	const struct nf_conntrack_tuple *t = lt_ct_tuple(ct, dir);
	struct nf_conntrack_man *local = &batch->local[dir];

	if (local->l3num == t->src.l3num &&
	    nf_inet_addr_cmp(&local->u3, &t->src.u3))
		return true;

	if (!lt_sock_is_local(nf_ct_net(ct), t))
		return false;

	*local = t->src;
	return true;
}

/* Are both ends of a flow on this host? That a packet came by lo is no proof: tc can
 * redirect what a remote sent to lo.
 */
static bool lt_linger_is_loopback(struct lt_linger_batch *batch,
				  const struct nf_conn *ct)
{
	if (batch->net != nf_ct_net(ct))
		*batch = (struct lt_linger_batch) { .net = nf_ct_net(ct) };

	return lt_linger_is_local(batch, ct, IP_CT_DIR_REPLY) &&
	       lt_linger_is_local(batch, ct, IP_CT_DIR_ORIGINAL);
}

/* Did conntrack see the FINs of both ends? Then the server's end was closed by a
 * process, which had accepted the connection: one that waits to be accepted is reset.
 * The sockets don't say so where TIME_WAIT ones are too many to be kept.
 */
static bool lt_linger_is_orderly(const struct nf_conn *ct)
{
	u8 state = READ_ONCE(ct->proto.tcp.state);

	return state == TCP_CONNTRACK_LAST_ACK ||
	       state == TCP_CONNTRACK_TIME_WAIT;
}

/*
 * May a proxy still ask for the original destination? A connection that was reset
 * while it waited in the accept queue stays there, without a socket in the tables:
 *
 *	proxy					client
 *						connect(), sends, resets
 *	both sockets are gone from the tables
 *	accept() returns the connection
 *	getsockopt(SO_ORIGINAL_DST) looks up the entry
 *
 * So the entry must stay while the listener has anything in its queue, and a while
 * longer: what is no longer in the queue may have been accepted just now. The
 * delay between two looks is that while, also for a connection that was reset just
 * after accept().
 */
static bool lt_linger_may_be_asked(struct lt_closed *closed,
				   const struct nf_conn *ct,
				   enum ip_conntrack_dir dir)
{
	bool was_idle = closed->idle;

	if (lt_linger_is_orderly(ct))
		return false;

	closed->idle = (dir == IP_CT_DIR_REPLY && closed->accepted) ||
		       !lt_accept_waits(nf_ct_net(ct),
					lt_ct_tuple(ct, IP_CT_DIR_REPLY),
					LOOPBACK_IFINDEX);

	return !was_idle || !closed->idle;
}

/* The owner goes with the entry, without a lock. */
static void lt_linger_end_owner(const struct nf_conn *ct)
{
	struct lt_owner *owner = lt_owner_find(ct);

	if (owner)
		lt_owner_end(owner);
}

/*
 * A TCP socket is gone, and no end of its flow is live. A new socket may come in
 * between:
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
 */
static void lt_linger_bury(struct lt_closed *closed, struct nf_conn *ct,
			   struct lt_ends *ends, bool enforce)
{
	struct lt_net *ln = closed->ln;

	/* Before the next flow of this tuple may have its owner. */
	if (enforce)
		lt_linger_end_owner(ct);
	lt_linger_end(ln, ct, closed->who, enforce);
	if (enforce)
		lt_stats_add(&ln->stats, LINGER_REAPED, lt_ends_reap(ends));
	else
		lt_ends_put(ends);
}

/* Was a closed socket the last one of its flow? Return: true if it is too early to
 * say.
 */
static bool lt_linger_ends(struct lt_closed *closed, struct nf_conn *ct,
			   enum ip_conntrack_dir dir)
{
	bool enforce = lt_linger_mode(closed->ln) == NF_LOOPTRACK_MODE_ENFORCE;
	bool again = false, last = false;
	struct lt_ends ends;

	lt_ends_find(&ends, ct, NULL);
	if (lt_ends_live(&ends)) {
		again = lt_linger_is_early(&ends);
	} else if (lt_linger_is_turn(&ends, dir, enforce)) {
		again = lt_linger_may_be_asked(closed, ct, dir);
		last = !again;
	}

	if (last)
		lt_linger_bury(closed, ct, &ends, enforce);
	else
		lt_ends_put(&ends);

	return again;
}

static bool lt_linger_tcp(struct lt_linger_batch *batch, struct lt_closed *closed)
{
	struct lt_net *ln = closed->ln;
	enum ip_conntrack_dir dir;
	struct nf_conn *ct;
	bool again;

	if (lt_linger_mode(ln) == NF_LOOPTRACK_MODE_OFF)
		return false;

	ct = lt_ct_find(ln->net, &nf_ct_zone_dflt, &closed->sent, &dir);
	if (!ct)
		return false;

	again = lt_ct_may_evict(ct) && lt_linger_is_loopback(batch, ct) &&
		lt_linger_ends(closed, ct, dir);
	nf_ct_put(ct);

	return again;
}

/* Is a socket to be kept in the queue, to be looked at again? */
static bool lt_linger_keep(struct lt_closed *closed, bool hurried)
{
	if (hurried)
		lt_stats_inc(&closed->ln->stats, LINGER_DROPPED);
	if (hurried || closed->looks == LT_LINGER_LOOKS)
		return false;

	closed->skip = closed->idle ? 0 : BIT(closed->looks) - 1;
	closed->looks++;
	return true;
}

static bool lt_linger_is_due(struct lt_closed *closed, bool hurried)
{
	if (hurried || !closed->skip)
		return true;

	closed->skip--;
	return false;
}

/**
 * lt_linger_look() - look at sockets that closed a moment ago
 * @closed: the sockets. Those to be looked at again are moved to the front.
 * @count: how many there are
 * @hurried: none can be kept
 *
 * Context: process context.
 * Return: how many are to be looked at again.
 */
unsigned int lt_linger_look(struct lt_closed *closed, unsigned int count,
			    bool hurried)
{
	struct lt_linger_batch batch = {};
	unsigned int i, kept = 0;

	rcu_read_lock();
	for (i = 0; i < count; i++) {
		if (lt_linger_is_due(&closed[i], hurried) &&
		    (!lt_linger_tcp(&batch, &closed[i]) ||
		     !lt_linger_keep(&closed[i], hurried)))
			continue;
		if (kept != i)
			closed[kept] = closed[i];
		kept++;
	}
	rcu_read_unlock();

	return kept;
}
