/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_NETNS_H
#define _LT_NETNS_H

#include <linux/mutex.h>
#include <linux/ratelimit.h>
#include <linux/workqueue.h>
#include <net/net_namespace.h>

#include "history.h"
#include "hook.h"
#include "owner.h"
#include "passmark.h"
#include "proxy.h"
#include "stats.h"
#include "tracer.h"

struct netlink_ext_ack;

#define LT_FEATURE_COUNT	(NF_LOOPTRACK_FEATURE_MAX + 1)

/**
 * struct lt_net - what the module keeps of one network namespace
 * @lock: serialises changes of modes and of what hangs on them. Taken in
 *	process context only.
 * @mode: enum nf_looptrack_mode of each feature. Written under @lock, read by
 *	hooks without it: a packet may see a mode of a moment ago.
 * @hooked: bit for each enum lt_hook that is registered here. Under @lock.
 * @asked: bit for each enum lt_hook that a packet showed the use of. Set by
 *	hooks, cleared under @lock when there is none any more, or when it
 *	could not be registered.
 * @noting: marks of new flows are noted. Written under @lock, read by hooks
 *	without it.
 * @passmark: what marks the second pass
 * @express_turn: what flows carry that express has accepted. Written under @lock,
 *	read by hooks without it.
 * @lingering: lt_linger_start() was called for this namespace. Under @lock.
 * @hook_work: registers what is in @asked
 * @linger_work: looks after what is in @owners
 * @net: the namespace itself
 * @owners: sockets that opened flows
 * @zones: ids of conntrack zones that were seen, each once; 0 for none. Never
 *	changed once set, by hooks without a lock.
 * @tracers: who traces what
 * @proxies: what is known to be a proxy, or NULL. Replaced under @lock, read by
 *	hooks under RCU.
 * @loopguard_limit: how many loops are told
 * @history: the last decisions
 * @stats: counters; the base in them is under @lock
 */
struct lt_net {
	struct mutex lock;	/* see above */
	u8 mode[LT_FEATURE_COUNT];
	unsigned long hooked;
	unsigned long asked;
	bool noting;
	bool lingering;
	u16 express_turn;
	struct lt_passmark passmark;
	struct work_struct hook_work;
	struct delayed_work linger_work;
	struct net *net;
	struct lt_owners owners;
	u32 zones[8];
	struct list_head tracers;
	struct lt_proxies __rcu *proxies;
	struct ratelimit_state loopguard_limit;
	struct lt_history history;
	struct lt_stats stats;
};

/**
 * struct lt_modes - modes to be set
 * @given: bit for each feature that is to change
 * @mode: what to, by feature
 * @passmark: what passmark is to mark with, unless its mask is 0
 * @proxies: what is to be known as a proxy, none or some; NULL leaves it as it is
 */
struct lt_modes {
	unsigned long given;
	u8 mode[LT_FEATURE_COUNT];
	struct lt_passmark passmark;
	struct lt_proxies *proxies;
};

/**
 * lt_mode() - the mode of a feature, as it is now or was a moment ago
 * @ln: the module's part of the network namespace
 * @feature: which
 *
 * Context: any.
 * Return: enum nf_looptrack_mode.
 */
static inline u8 lt_mode(const struct lt_net *ln,
			 enum nf_looptrack_feature feature)
{
	return READ_ONCE(ln->mode[feature]);
}

struct lt_net *lt_net(const struct net *net);
u8 lt_feature_default(unsigned int feature);
bool lt_feature_supported(unsigned int feature);
enum nf_looptrack_netns lt_netns_default(void);
void lt_netns_want(struct lt_net *ln, enum lt_hook which);
int lt_netns_update_hooks(struct lt_net *ln);
int lt_netns_set_modes(struct net *net, const struct lt_modes *modes);

int lt_netns_init(void);
void lt_netns_exit(void);

#endif /* _LT_NETNS_H */
