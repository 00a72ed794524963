// SPDX-License-Identifier: GPL-2.0
/* Accept queues: connections that their listener has not accepted yet. */

#include <linux/rcupdate.h>
#include <net/inet_connection_sock.h>
#include <net/request_sock.h>
#include <net/sock.h>
#include <net/sock_reuseport.h>

#include "core/accept.h"
#include "core/sock.h"

/* A group may have 65,535 members. Of so many more than these, one may wait. */
#define LT_ACCEPT_GROUP_MAX	64

static bool lt_accept_has_any(struct sock *sk)
{
	return !reqsk_queue_empty(&inet_csk(sk)->icsk_accept_queue);
}

/* Of a group with SO_REUSEPORT a program may have chosen another member than the
 * look-up without a packet does, and members may have come since.
 */
static bool lt_accept_group_has_any(struct sock *listener)
{
	const struct sock_reuseport *group;
	unsigned int i, count;

	group = rcu_dereference(listener->sk_reuseport_cb);
	if (!group)
		return false;

	count = READ_ONCE(group->num_socks);
	if (count > LT_ACCEPT_GROUP_MAX)
		return true;

	/* Paired with the barrier in __reuseport_add_sock(). */
	smp_rmb();
	for (i = 0; i < count; i++)
		if (lt_accept_has_any(READ_ONCE(group->socks[i])))
			return true;

	return false;
}

/**
 * lt_accept_waits() - may a connection wait in an accept queue
 * @net: network namespace
 * @t: what its server sends
 * @dif: index of the device its client's packets come by
 *
 * The queue is not searched: it may be long, and it is locked for that.
 *
 * Context: RCU read lock.
 * Return: false if the server has no listener, or nothing waits to be accepted.
 */
bool lt_accept_waits(struct net *net, const struct nf_conntrack_tuple *t,
		     int dif)
{
	struct sock *listener = lt_sock_server_get(net, t, dif);
	bool waits;

	if (!listener)
		return false;

	waits = lt_accept_has_any(listener) || lt_accept_group_has_any(listener);
	sock_put(listener);

	return waits;
}
