/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_NET_H
#define _LT_NET_H

#include <linux/mutex.h>
#include <linux/ratelimit.h>
#include <linux/workqueue.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "core/stats.h"
#include "core/work.h"

struct lt_drops;
struct lt_exempts;
struct lt_heal;
struct lt_history;
struct lt_proxies;
struct lt_share;

#define LT_FEATURE_COUNT	(NF_LOOPTRACK_FEATURE_MAX + 1)

/**
 * enum lt_hook - sets of netfilter hooks, named by their use
 * @LT_HOOK_COMMIT: commit new flows, before conntrack does
 * @LT_HOOK_NOTE: note marks of new flows, before NAT's rules run
 * @LT_HOOK_OUT: look at local SYNs and at what ends local TCP flows, and at local UDP
 *	packets of flows that NAT changed, after conntrack has
 * @LT_HOOK_ZONE: look at local SYNs with a template, before conntrack does
 * @LT_HOOK_GUARD: look at new local flows, after NAT has chosen their destination
 * @LT_HOOK_PASS: mark packets on their second pass, before any rule
 * @LT_HOOK_EXPRESS: let packets skip the rules of their second pass: runs before
 *	all of them, and after, to note what passed
 * @LT_HOOK_HEAL: look at packets of flows without an answer, before NAT does
 * @LT_HOOK_TRACE: see packets at each stage
 * @LT_HOOK_COUNT: how many sets there are
 */
enum lt_hook {
	LT_HOOK_COMMIT,
	LT_HOOK_NOTE,
	LT_HOOK_OUT,
	LT_HOOK_ZONE,
	LT_HOOK_GUARD,
	LT_HOOK_PASS,
	LT_HOOK_EXPRESS,
	LT_HOOK_HEAL,
	LT_HOOK_TRACE,
	LT_HOOK_COUNT
};

/**
 * struct lt_mark - a mark that rules can match
 * @value: its bits, within @mask
 * @mask: the bits that it has; 0 if there is no mark
 */
struct lt_mark {
	u32 value;
	u32 mask;
};

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
 * @passmark: the mark of the second pass
 * @express_turn: what flows carry that express has accepted. Written under @lock,
 *	read by hooks without it.
 * @hook_work: registers what is in @asked
 * @net: the namespace itself
 * @share: of a user here, whom most flows are of, or NULL; see share.c. Written by who
 *	holds it, read under RCU.
 * @owned: an owner of a flow has been noted. Written by hooks.
 * @origin_turn: how often origin was switched on. Owners that were noted before the
 *	last time are not shown to user space. Written under @lock.
 * @sweep_round: the last round of the owners' sweep that came by here; the sweep's own,
 *	as the next two are
 * @sweep_left: how many owners it may still look at in that round
 * @sweep_before: it looks at those that were due then, in jiffies
 * @zones: ids of conntrack zones that were seen, each once; 0 for none. Never
 *	changed once set, by hooks without a lock.
 * @unanswered: in the list of those to look for flows without an answer in. Under
 *	that list's lock, as long as the feature heal is on.
 * @natted: there are NAT and entries. Written with @unanswered, read without a lock.
 * @heal: what heal knows of its flows, or NULL. Set once, by the walk that looks for
 *	them; read by hooks.
 * @tracers: those who trace. Changed under @lock, read by hooks under RCU.
 * @drops: what they see, to tell which of it is dropped; or NULL. Likewise.
 * @proxies: what is known to be a proxy, or NULL. Replaced under @lock, read by
 *	hooks under RCU.
 * @exempts: ports that listeners leaves alone, or NULL. Likewise.
 * @work: what is left of each CPU's budget for runs of the NAT rules. Constant.
 * @loopguard_limit: limits how many loops are reported
 * @history: the last decisions. Constant.
 * @stats: counters; the base in them is under @lock
 */
struct lt_net {
	struct mutex lock;	/* see above */
	u8 mode[LT_FEATURE_COUNT];
	unsigned long hooked;
	unsigned long asked;
	u16 express_turn;
	struct lt_mark passmark;
	struct work_struct hook_work;
	struct net *net;
	struct lt_share __rcu *share;
	bool owned;
	u32 origin_turn;
	u32 sweep_round;
	u32 sweep_left;
	u32 sweep_before;
	u32 zones[8];
	struct list_head unanswered;
	bool natted;
	struct lt_heal *heal;
	struct list_head tracers;
	struct lt_drops __rcu *drops;
	struct lt_proxies __rcu *proxies;
	struct lt_exempts __rcu *exempts;
	struct lt_work __percpu *work;
	struct ratelimit_state loopguard_limit;
	struct lt_history *history;
	struct lt_stats stats;
};

extern unsigned int lt_net_id;

/**
 * lt_net() - find the module's part of a namespace
 * @net: network namespace
 *
 * Context: any; in a hook, or with a reference on @net.
 * Return: never NULL.
 */
static inline struct lt_net *lt_net(const struct net *net)
{
	return net_generic(net, lt_net_id);
}

/**
 * lt_net_rcu() - the same in fewer instructions
 * @net: network namespace
 *
 * net_generic() takes the RCU read lock again, out of line where the kernel may be
 * preempted.
 *
 * Context: RCU read lock, as in any hook.
 * Return: never NULL.
 */
static inline struct lt_net *lt_net_rcu(const struct net *net)
{
	return rcu_dereference(net->gen)->ptr[lt_net_id];
}

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

/**
 * lt_net_want() - ask for a set of hooks that is registered on demand
 * @ln: the module's part of the network namespace
 * @which: LT_HOOK_NOTE, for rules that change what they match; LT_HOOK_OUT and
 *	LT_HOOK_EXPRESS, where there is conntrack; LT_HOOK_ZONE, for its zones;
 *	LT_HOOK_HEAL, where a flow is not answered
 *
 * Another hook that each packet passes is not for all the others to pay. The set
 * is registered a moment later.
 *
 * Context: in a hook; doesn't sleep.
 */
static inline void lt_net_want(struct lt_net *ln, enum lt_hook which)
{
	if (!test_bit(which, &ln->asked) && !test_and_set_bit(which, &ln->asked))
		schedule_work(&ln->hook_work);
}

#endif /* _LT_NET_H */
