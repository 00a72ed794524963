// SPDX-License-Identifier: GPL-2.0
/* Proxies that the operator has named: by user, cgroup or port. */

#include <net/sock.h>

#include "core/proxy.h"
#include "core/sock.h"

/* By what is its own is a socket a proxy's? */
static bool lt_proxy_has(const struct lt_proxy *proxy, struct sock *sk)
{
	switch (proxy->by) {
	case NF_LOOPTRACK_A_PROXY_UID:
		return uid_eq(READ_ONCE(sk->sk_uid), proxy->uid);
	case NF_LOOPTRACK_A_PROXY_CGROUP:
		return lt_sock_is_in_cgroup(sk, proxy->cgroup);
	default:
		return false;
	}
}

/* The socket that opens a flow has no port that says anything. Who names one says
 * that the owner of the socket there, by user and cgroup, is a proxy.
 */
static bool lt_proxy_opens(const struct lt_proxy *proxy, struct sock *from,
			   struct sock *to, u16 port)
{
	if (proxy->by == NF_LOOPTRACK_A_PROXY_PORT)
		return port == proxy->port && lt_sock_is_akin(from, to);

	return lt_proxy_has(proxy, from);
}

static bool lt_proxy_takes(const struct lt_proxy *proxy, struct sock *to,
			   u16 port)
{
	if (proxy->by == NF_LOOPTRACK_A_PROXY_PORT)
		return port == proxy->port;

	return lt_proxy_has(proxy, to);
}

/**
 * lt_proxies_have_loop() - is a flow handed from a proxy to a proxy
 * @proxies: those that are known, or NULL
 * @from: full socket that opens the flow
 * @to: socket it is handed to
 * @port: of that, in host byte order
 *
 * Both ends are asked for: what a proxy sends to a service of this host, which a
 * rule leads there, is no loop.
 *
 * Context: RCU read lock.
 * Return: true if each of them is one; it needn't be the same.
 */
bool lt_proxies_have_loop(const struct lt_proxies *proxies, struct sock *from,
			  struct sock *to, u16 port)
{
	bool opens = false, takes = false;
	unsigned int i;

	if (!proxies)
		return false;

	for (i = 0; i < proxies->count; i++) {
		opens = opens || lt_proxy_opens(&proxies->proxy[i], from, to, port);
		takes = takes || lt_proxy_takes(&proxies->proxy[i], to, port);
	}

	return opens && takes;
}
