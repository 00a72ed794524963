// SPDX-License-Identifier: GPL-2.0
/* Feature linger, TCP: has a flow that conntrack saw the end of a socket left? */

#include <linux/bits.h>
#include <net/inet_sock.h>
#include <net/inet_timewait_sock.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include <net/tcp_states.h>

#include "core/accept.h"
#include "core/ct.h"
#include "core/ended.h"
#include "core/owner.h"
#include "core/sock.h"
#include "feature/linger.h"
#include "net.h"
#include "report/event.h"

/*
 * The packet that ends a connection, the ACK of the second FIN or a reset, passes
 * LOCAL_OUT. The other socket lives until the packet arrives, and it may be dropped on
 * its way. So the flow is put in a queue, and a moment later its sockets are looked up.
 *
 * A connection that ends without a packet that conntrack sees is not noticed: a rule of
 * the raw table may drop the reset. It is left to the kernel's timeouts, or to the next
 * socket that uses its port (see stale.c).
 */

/* After its first look a flow is looked at that many times more, at intervals that
 * double: for half a minute.
 */
#define LT_LINGER_LOOKS	7

/**
 * struct lt_linger_batch - what is known from one flow to the next
 * @ln: the module's part of the network namespace of the others, or NULL
 * @local: for each direction an address of this host; unset ones have no family
 * @heard: somebody reads events of linger
 *
 * Under one RCU read lock. Most flows of a batch have the same addresses.
 */
struct lt_linger_batch {
	struct lt_net *ln;
	struct nf_conntrack_man local[IP_CT_DIR_MAX];
	bool heard;
};

static u8 lt_linger_mode(const struct lt_net *ln)
{
	return lt_mode(ln, NF_LOOPTRACK_FEATURE_LINGER);
}

/* Was the server's end closed by a process, which had accepted the connection? So it was
 * if it has reset the connection itself, or if its FIN has come to the client: one that
 * waits to be accepted does neither.
 */
static bool lt_linger_is_accepted(const struct nf_conn *ct,
				  enum ip_conntrack_dir dir,
				  const struct sock *sk)
{
	if (!sk_fullsock(sk) || sk->sk_type != SOCK_STREAM ||
	    sk->sk_protocol != IPPROTO_TCP ||
	    inet_sk(sk)->inet_sport != lt_ct_tuple(ct, dir)->src.u.tcp.port)
		return false;

	return dir == IP_CT_DIR_REPLY ?
	       sk->sk_socket || sock_flag(sk, SOCK_DEAD) :
	       sock_flag(sk, SOCK_DONE);
}

/**
 * lt_linger_note() - a packet ends a TCP flow
 * @ln: the module's part of the network namespace
 * @skb: the packet, of a flow that lt_linger_has_ended()
 * @state: of the hook, LOCAL_OUT, that it is in; from a socket
 *
 * Where the bit is, each flow is in the queue once at most. Elsewhere a flow that sends
 * more than one such packet is observed more than once.
 *
 * The queue's reference keeps an entry in conntrack's count that is removed meanwhile, for
 * a quarter of a second at most.
 *
 * Context: in a hook.
 */
void lt_linger_note(struct lt_net *ln, const struct sk_buff *skb,
		    const struct nf_hook_state *state)
{
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct = nf_ct_get(skb, &ctinfo);
	struct lt_ended ended = { .ct = ct };

	/* A socket does not know its zone, so that it might be another flow's. */
	if (lt_linger_mode(ln) == NF_LOOPTRACK_MODE_OFF || !nf_ct_is_confirmed(ct) ||
	    nf_ct_zone(ct)->id != NF_CT_DEFAULT_ZONE_ID ||
	    (lt_ct_has_room() ? !test_and_clear_bit(LT_LINGER_BIT, &ct->status) :
				!lt_ct_is_loopback(ct)))
		return;

	ended.accepted = lt_linger_is_accepted(ct, CTINFO2DIR(ctinfo), state->sk);
	nf_conntrack_get(&ct->ct_general);
	if (!lt_ended_add(&ended)) {
		lt_stats_inc(&ln->stats, LINGER_DROPPED);
		nf_ct_put(ct);
	}
}

/* Is an end about to go, when it has what its peer sent last? That may be on its way,
 * or have arrived since the socket was found.
 */
static bool lt_linger_is_leaving(const struct sock *sk)
{
	if (!lt_sock_is_live(sk))
		return false;

	switch (READ_ONCE(sk->sk_state)) {
	case TCP_FIN_WAIT2:
		return sock_flag(sk, SOCK_DONE);
	case TCP_CLOSE:
	case TCP_CLOSING:
	case TCP_LAST_ACK:
		return true;
	default:
		return false;
	}
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
	return lt_linger_is_local(batch, ct, IP_CT_DIR_REPLY) &&
	       lt_linger_is_local(batch, ct, IP_CT_DIR_ORIGINAL);
}

/* Did conntrack see the end of both directions, and no reset since? Then the server's end
 * was closed by a process, as a rule: see lt_linger_is_accepted().
 */
static bool lt_linger_is_orderly(const struct nf_conn *ct)
{
	return READ_ONCE(ct->proto.tcp.state) == TCP_CONNTRACK_TIME_WAIT;
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
static bool lt_linger_may_be_asked(struct lt_ended *ended)
{
	const struct nf_conn *ct = ended->ct;
	bool was_idle = ended->idle;

	if (lt_linger_is_orderly(ct))
		return false;

	ended->idle = ended->accepted ||
		      !lt_accept_waits(nf_ct_net(ct),
				       lt_ct_tuple(ct, IP_CT_DIR_REPLY),
				       LOOPBACK_IFINDEX);

	return !was_idle || !ended->idle;
}

/*
 * No end of a flow is live. A new socket may come in between:
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
static void lt_linger_bury(const struct lt_linger_batch *batch, struct nf_conn *ct,
			   struct lt_ends *ends, bool enforce)
{
	struct lt_owner *owner = lt_owner_find(ct);

	/* It goes with the entry. Marked, it needs no look by the sweep. */
	if (owner && enforce)
		lt_owner_end(owner);
	lt_linger_end(batch->ln, ct, owner, enforce, batch->heard);
	if (enforce)
		lt_stats_add(&batch->ln->stats, LINGER_REAPED, lt_ends_reap(ends));
	else
		lt_ends_put(ends);
}

/* Have both sockets gone? Return: true if it is too early to say. */
static bool lt_linger_ends(const struct lt_linger_batch *batch, struct lt_ended *ended)
{
	struct lt_ends ends;
	bool again;

	lt_ends_find(&ends, ended->ct, NULL);
	if (lt_ends_live(&ends)) {
		/* The first look may be early: the packet may be on its way. */
		again = !ended->looks ||
			lt_linger_is_leaving(ends.sk[IP_CT_DIR_ORIGINAL]) ||
			lt_linger_is_leaving(ends.sk[IP_CT_DIR_REPLY]);
		/* It was lost. There may be another one. */
		if (!again)
			lt_linger_watch(ended->ct);
	} else {
		again = lt_linger_may_be_asked(ended);
		if (!again) {
			lt_linger_bury(batch, ended->ct, &ends,
				       lt_linger_mode(batch->ln) ==
				       NF_LOOPTRACK_MODE_ENFORCE);
			return false;
		}
	}

	lt_ends_put(&ends);
	return again;
}

/* Is a flow to be looked at again? */
static bool lt_linger_tcp(struct lt_linger_batch *batch, struct lt_ended *ended)
{
	struct net *net = nf_ct_net(ended->ct);

	if (!batch->ln || batch->ln->net != net)
		*batch = (struct lt_linger_batch) {
			.ln = lt_net(net),
			.heard = lt_event_hears_linger(net),
		};

	return lt_linger_mode(batch->ln) != NF_LOOPTRACK_MODE_OFF &&
	       lt_ct_may_evict(ended->ct) &&
	       lt_linger_is_loopback(batch, ended->ct) &&
	       lt_linger_ends(batch, ended);
}

/* Is a flow to be kept in the queue, to be looked at again? */
static bool lt_linger_keep(const struct lt_linger_batch *batch,
			   struct lt_ended *ended, bool hurried)
{
	if (hurried) {
		lt_stats_inc(&batch->ln->stats, LINGER_DROPPED);
		return false;
	}
	if (ended->looks == LT_LINGER_LOOKS) {
		lt_linger_watch(ended->ct);
		return false;
	}

	ended->skip = ended->idle ? 0 : BIT(ended->looks) - 1;
	ended->looks++;
	return true;
}

static bool lt_linger_is_due(struct lt_ended *ended, bool hurried)
{
	if (hurried || !ended->skip || nf_ct_is_dying(ended->ct))
		return true;

	ended->skip--;
	return false;
}

/**
 * lt_linger_look() - look at flows that ended a moment ago
 * @ended: the flows. Those to be looked at again are moved to the front; of the
 *	others the reference to the entry is released.
 * @count: how many there are
 * @hurried: none can be kept
 *
 * Context: process context.
 * Return: how many are to be looked at again.
 */
unsigned int lt_linger_look(struct lt_ended *ended, unsigned int count,
			    bool hurried)
{
	struct lt_linger_batch batch = {};
	unsigned int i, kept = 0;

	rcu_read_lock();
	for (i = 0; i < count; i++) {
		if (lt_linger_is_due(&ended[i], hurried) &&
		    (!lt_linger_tcp(&batch, &ended[i]) ||
		     !lt_linger_keep(&batch, &ended[i], hurried))) {
			nf_ct_put(ended[i].ct);
			continue;
		}
		if (kept != i)
			ended[kept] = ended[i];
		kept++;
	}
	rcu_read_unlock();

	return kept;
}
