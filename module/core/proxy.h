/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_PROXY_H
#define _LT_PROXY_H

#include <linux/rcupdate.h>
#include <linux/types.h>
#include <linux/uidgid.h>

#include <uapi/linux/nf_looptrack.h>

struct sock;

/* Each new flow that is redirected is compared with all of them. */
#define LT_PROXIES_MAX	8

/**
 * struct lt_proxy - by what a proxy is known
 * @by: NF_LOOPTRACK_A_PROXY_PORT, _UID or _CGROUP; which of the rest is of use
 * @port: of its socket, in host byte order
 * @uid: the user of its sockets
 * @cgroup: number of the cgroup its sockets were made in, or in one below.
 *	Nothing holds that cgroup: once it is gone, no new socket is in it.
 */
struct lt_proxy {
	enum nf_looptrack_a_proxy by;
	union {
		u16 port;
		kuid_t uid;
		u64 cgroup;
	};
};

/**
 * struct lt_proxies - what is known to be a proxy, in a namespace
 * @rcu: to free it
 * @count: how many
 * @proxy: each of them
 *
 * Constant once hooks can see it.
 */
struct lt_proxies {
	struct rcu_head rcu;
	unsigned int count;
	struct lt_proxy proxy[LT_PROXIES_MAX];
};

bool lt_proxies_have_loop(const struct lt_proxies *proxies, struct sock *from,
			  struct sock *to, u16 port);

#endif /* _LT_PROXY_H */
