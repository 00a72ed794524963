// SPDX-License-Identifier: GPL-2.0
/* Feature linger for UDP: the entry of a loopback flow goes with its last socket. */

#include <linux/netfilter.h>

#include "core/ct.h"
#include "core/owner.h"
#include "core/sock.h"
#include "feature/linger.h"
#include "net.h"
#include "report/event.h"

/* Does another socket have one of the flow's ports? A server that lives may answer
 * yet.
 */
static bool lt_linger_has_udp(struct net *net, const struct nf_conn *ct)
{
	struct sock *sk = NULL;
	unsigned int dir;

	for (dir = 0; dir < IP_CT_DIR_MAX && !sk; dir++)
		sk = lt_sock_server_get(net, lt_ct_tuple(ct, dir),
					LOOPBACK_IFINDEX);
	if (sk)
		sock_put(sk);

	return sk;
}

/**
 * lt_linger_udp() - end a UDP flow whose socket is gone
 * @owner: of the flow; its socket, and each that took the flow over, is gone
 * @ct: the flow's entry, referenced
 *
 * UDP tells no module that a socket is closed: the sweep of owners finds it.
 *
 * Context: process context with the RCU read lock; doesn't sleep.
 * Return: true if the entry was evicted.
 */
bool lt_linger_udp(struct lt_owner *owner, struct nf_conn *ct)
{
	struct lt_net *ln = owner->ln;
	u8 mode = lt_mode(ln, NF_LOOPTRACK_FEATURE_LINGER);
	bool enforce = mode == NF_LOOPTRACK_MODE_ENFORCE;

	if (mode == NF_LOOPTRACK_MODE_OFF ||
	    !lt_owner_is(owner, LT_OWNER_LOOPBACK) ||
	    lt_owner_is(owner, LT_OWNER_DEAD_TOLD) ||
	    !lt_ct_may_evict(ct) || lt_linger_has_udp(ln->net, ct))
		return false;

	lt_linger_end(ln, ct, owner, enforce, lt_event_hears_linger(ln->net));
	lt_owner_set(owner, LT_OWNER_DEAD_TOLD);

	return enforce;
}
