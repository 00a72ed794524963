// SPDX-License-Identifier: GPL-2.0
/* Network namespaces: what the module makes and frees as they come and go. */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <net/netns/generic.h>

#include "core/ended.h"
#include "core/exempt.h"
#include "core/owner.h"
#include "core/proxy.h"
#include "core/share.h"
#include "feature/heal.h"
#include "modes.h"
#include "netns.h"
#include "report/history.h"
#include "report/pkttrace.h"

unsigned int lt_net_id __read_mostly;

static const char * const lt_netns_names[] = {
	[NF_LOOPTRACK_NETNS_ALL] = "all",
	[NF_LOOPTRACK_NETNS_INIT] = "init",
	[NF_LOOPTRACK_NETNS_NONE] = "none",
};

static enum nf_looptrack_netns lt_netns = NF_LOOPTRACK_NETNS_ALL;

static int lt_netns_param_set(const char *val, const struct kernel_param *kp)
{
	int i = __sysfs_match_string(lt_netns_names, ARRAY_SIZE(lt_netns_names),
				     val);

	if (i < 0)
		return i;

	lt_netns = i;
	return 0;
}

static int lt_netns_param_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n", lt_netns_names[lt_netns]);
}

static const struct kernel_param_ops lt_netns_param_ops = {
	.set = lt_netns_param_set,
	.get = lt_netns_param_get,
};

/* Read-only at run time: what it decides has been decided for each namespace
 * that exists.
 */
module_param_cb(netns, &lt_netns_param_ops, NULL, 0444);
MODULE_PARM_DESC(netns,
		 "Where features start with their default modes: all (default), init, none");

/**
 * lt_netns_default() - where the defaults apply
 *
 * Return: the module parameter netns.
 */
enum nf_looptrack_netns lt_netns_default(void)
{
	return lt_netns;
}

static bool lt_netns_defaults_apply(const struct net *net)
{
	return lt_netns == NF_LOOPTRACK_NETNS_ALL ||
	       (lt_netns == NF_LOOPTRACK_NETNS_INIT && net_eq(net, &init_net));
}

static void lt_netns_net_free(struct lt_net *ln)
{
	/* Only the last reader and writer are left. */
	kfree(rcu_dereference_protected(ln->proxies, true));
	kfree(rcu_dereference_protected(ln->exempts, true));
	lt_work_free(ln->work);
	lt_owners_flush(ln);
	lt_shares_flush(ln);
	lt_history_free(ln->history);
	lt_stats_free(&ln->stats);
	mutex_destroy(&ln->lock);
}

static int __net_init lt_netns_net_init(struct net *net)
{
	struct lt_net *ln = lt_net(net);
	int err;

	mutex_init(&ln->lock);
	INIT_WORK(&ln->hook_work, lt_modes_hook_asked);
	INIT_LIST_HEAD(&ln->tracers);
	ln->net = net;
	/* Ten a second; who wants all of them counted has a counter. */
	ratelimit_state_init(&ln->loopguard_limit, HZ, 10);
	ratelimit_set_flags(&ln->loopguard_limit, RATELIMIT_MSG_ON_RELEASE);

	err = lt_stats_init(&ln->stats);
	ln->history = lt_history_alloc();
	ln->work = lt_work_alloc();
	if (err || !ln->history || !ln->work) {
		lt_netns_net_free(ln);
		return -ENOMEM;
	}

	if (!lt_netns_defaults_apply(net))
		return 0;

	/* Not worth failing for: whoever fills a namespace's hooks up must not
	 * keep the module from all others, nor us a namespace from appearing.
	 */
	err = lt_modes_set_defaults(ln);
	if (err)
		pr_warn_ratelimited("namespace %u: no hooks (%d), everything stays off\n",
				    net->ns.inum, err);

	return 0;
}

/* The hooks go first. Between pre_exit and exit the kernel waits for an RCU
 * grace period, so that no packet is in a hook when its counters are freed.
 */
static void __net_exit lt_netns_net_pre_exit(struct net *net)
{
	struct lt_net *ln = lt_net(net);

	lt_tracer_flush(ln);
	lt_modes_set_off(ln);
	lt_modes_unhook_all(ln);
}

static void __net_exit lt_netns_net_exit(struct net *net)
{
	struct lt_net *ln = lt_net(net);

	/* No packet asks for them now, and they find nothing to do. */
	cancel_work_sync(&ln->hook_work);
	lt_ended_forget(net);
	lt_heal_free(ln);
	lt_netns_net_free(ln);
}

static struct pernet_operations lt_netns_ops = {
	.init = lt_netns_net_init,
	.pre_exit = lt_netns_net_pre_exit,
	.exit = lt_netns_net_exit,
	.id = &lt_net_id,
	.size = sizeof(struct lt_net),
};

/**
 * lt_netns_init() - start in each network namespace, now and as they appear
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int __init lt_netns_init(void)
{
	return register_pernet_subsys(&lt_netns_ops);
}

/**
 * lt_netns_exit() - leave every network namespace
 *
 * Context: may sleep. No packet is in a hook of ours when it returns.
 */
void lt_netns_exit(void)
{
	unregister_pernet_subsys(&lt_netns_ops);
}
