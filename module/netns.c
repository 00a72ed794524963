// SPDX-License-Identifier: GPL-2.0
/* Network namespaces: modes of the features, and what comes and goes with them. */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitops.h>
#include <linux/module.h>
#include <linux/string.h>
#include <net/netns/generic.h>

#include "ct.h"
#include "express.h"
#include "hook.h"
#include "linger.h"
#include "netns.h"
#include "origin.h"

static unsigned int lt_net_id __read_mostly;

/* What a feature starts with, where the defaults apply. */
static const struct {
	u8 mode;
	bool supported;
} lt_features[LT_FEATURE_COUNT] = {
	[NF_LOOPTRACK_FEATURE_CLASH] = { NF_LOOPTRACK_MODE_ENFORCE, true },
	[NF_LOOPTRACK_FEATURE_STALE] = { NF_LOOPTRACK_MODE_ENFORCE, true },
	[NF_LOOPTRACK_FEATURE_PORTS] = { NF_LOOPTRACK_MODE_ENFORCE, true },
	[NF_LOOPTRACK_FEATURE_LINGER] = { NF_LOOPTRACK_MODE_ENFORCE, true },
	[NF_LOOPTRACK_FEATURE_LOOPSNAT] = { NF_LOOPTRACK_MODE_OFF, true },
	[NF_LOOPTRACK_FEATURE_LOOPGUARD] = { NF_LOOPTRACK_MODE_OBSERVE, true },
	[NF_LOOPTRACK_FEATURE_ORIGIN] = { NF_LOOPTRACK_MODE_ENFORCE, true },
	[NF_LOOPTRACK_FEATURE_PASSMARK] = { NF_LOOPTRACK_MODE_OFF, true },
	[NF_LOOPTRACK_FEATURE_EXPRESS] = { NF_LOOPTRACK_MODE_OFF, true },
};

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
 * lt_net() - find the module's part of a namespace
 * @net: network namespace
 *
 * Context: any; in a hook, or with a reference on @net.
 * Return: never NULL.
 */
struct lt_net *lt_net(const struct net *net)
{
	return net_generic(net, lt_net_id);
}

/**
 * lt_feature_default() - the mode a feature starts with
 * @feature: enum nf_looptrack_feature
 *
 * Return: enum nf_looptrack_mode, for namespaces where the defaults apply.
 */
u8 lt_feature_default(unsigned int feature)
{
	return lt_features[feature].mode;
}

/**
 * lt_feature_supported() - whether this module can do it
 * @feature: enum nf_looptrack_feature
 *
 * Return: false if any mode but off is out of reach.
 */
bool lt_feature_supported(unsigned int feature)
{
	if (feature == NF_LOOPTRACK_FEATURE_LINGER && !lt_linger_is_possible())
		return false;
	if (feature == NF_LOOPTRACK_FEATURE_EXPRESS && !lt_express_is_possible())
		return false;

	return lt_features[feature].supported;
}

/**
 * lt_netns_default() - where the defaults apply
 *
 * Return: the module parameter netns.
 */
enum nf_looptrack_netns lt_netns_default(void)
{
	return lt_netns;
}

static bool lt_netns_is_on(const u8 *mode, enum nf_looptrack_feature feature)
{
	return mode[feature] != NF_LOOPTRACK_MODE_OFF;
}

/* The hooks that modes have a use for, once packets have shown theirs. */
static unsigned long lt_netns_hooks(const struct lt_net *ln, const u8 *mode)
{
	bool clash = lt_netns_is_on(mode, NF_LOOPTRACK_FEATURE_CLASH);
	bool stale = lt_netns_is_on(mode, NF_LOOPTRACK_FEATURE_STALE);
	bool ports = lt_netns_is_on(mode, NF_LOOPTRACK_FEATURE_PORTS);
	bool linger = lt_netns_is_on(mode, NF_LOOPTRACK_FEATURE_LINGER);
	bool loopsnat = lt_netns_is_on(mode, NF_LOOPTRACK_FEATURE_LOOPSNAT);
	bool guard = lt_netns_is_on(mode, NF_LOOPTRACK_FEATURE_LOOPGUARD);
	bool origin = lt_netns_is_on(mode, NF_LOOPTRACK_FEATURE_ORIGIN);
	bool passmark = lt_netns_is_on(mode, NF_LOOPTRACK_FEATURE_PASSMARK);
	bool express = lt_netns_is_on(mode, NF_LOOPTRACK_FEATURE_EXPRESS);
	unsigned long hooks = 0;

	if (clash || stale || ports || linger || loopsnat || guard || origin ||
	    passmark || express)
		hooks |= BIT(LT_HOOK_COMMIT);
	if (clash || ports)
		hooks |= BIT(LT_HOOK_NOTE);
	if (stale)
		hooks |= BIT(LT_HOOK_SYN) | BIT(LT_HOOK_ZONE) | BIT(LT_HOOK_UDP);
	if (mode[NF_LOOPTRACK_FEATURE_LOOPGUARD] == NF_LOOPTRACK_MODE_ENFORCE)
		hooks |= BIT(LT_HOOK_GUARD);
	if (passmark)
		hooks |= BIT(LT_HOOK_PASS);
	if (express)
		hooks |= BIT(LT_HOOK_EXPRESS);
	if (!list_empty(&ln->tracers))
		hooks |= BIT(LT_HOOK_TRACE);

	return hooks;
}

/* Those are registered only where asked for. */
#define LT_NETNS_ON_DEMAND \
	(BIT(LT_HOOK_NOTE) | BIT(LT_HOOK_SYN) | BIT(LT_HOOK_ZONE) | \
	 BIT(LT_HOOK_UDP) | BIT(LT_HOOK_EXPRESS))

/* Of these, those of use as soon as there is conntrack. */
#define LT_NETNS_WITH_CT	(BIT(LT_HOOK_SYN) | BIT(LT_HOOK_EXPRESS))

static void lt_netns_unhook(struct lt_net *ln, unsigned long hooks)
{
	unsigned int i;

	/* Without the hook nothing may rely on it. */
	if (hooks & BIT(LT_HOOK_NOTE))
		WRITE_ONCE(ln->noting, false);

	for_each_set_bit(i, &hooks, LT_HOOK_COUNT)
		lt_hook_unregister(ln->net, i);
	ln->hooked &= ~hooks;
}

static int lt_netns_hook(struct lt_net *ln, unsigned long hooks)
{
	unsigned long done = 0;
	unsigned int i;
	int err;

	for_each_set_bit(i, &hooks, LT_HOOK_COUNT) {
		err = lt_hook_register(ln->net, i);
		if (err) {
			lt_netns_unhook(ln, done);
			return err;
		}
		done |= BIT(i);
	}
	ln->hooked |= hooks;

	return 0;
}

/**
 * lt_netns_update_hooks() - have those registered that are of use now
 * @ln: the module's part of the network namespace, after a change of its tracers
 *
 * Context: may sleep; with the lock of @ln.
 * Return: 0, or an error of nf_register_net_hooks() with nothing changed.
 */
int lt_netns_update_hooks(struct lt_net *ln)
{
	unsigned long useful = lt_netns_hooks(ln, ln->mode);
	int err;

	err = lt_netns_hook(ln, useful & ~LT_NETNS_ON_DEMAND & ~ln->hooked);
	if (!err)
		lt_netns_unhook(ln, ln->hooked & ~useful);

	return err;
}

static int lt_netns_set_lingering(struct lt_net *ln, bool linger)
{
	int err = 0;

	if (linger == ln->lingering)
		return 0;

	if (linger)
		err = lt_linger_start();
	else
		lt_linger_stop();
	if (!err)
		ln->lingering = linger;

	return err;
}

static void lt_netns_set_proxies(struct lt_net *ln, struct lt_proxies *proxies)
{
	proxies = rcu_replace_pointer(ln->proxies, proxies,
				      lockdep_is_held(&ln->lock));
	if (proxies)
		kfree_rcu(proxies, rcu);
}

/**
 * lt_netns_set_modes() - change modes of features, all or none
 * @net: network namespace
 * @modes: supported features only, with valid modes
 *
 * Packets under way may still see the old modes when this returns.
 *
 * Context: may sleep.
 * Return: 0, and the proxies in @modes are no longer the caller's; or an error
 * with nothing changed: of nf_register_net_hooks() or lt_linger_start().
 */
int lt_netns_set_modes(struct net *net, const struct lt_modes *modes)
{
	struct lt_net *ln = lt_net(net);
	unsigned long useful, wanted;
	u8 mode[LT_FEATURE_COUNT];
	bool linger, forget;
	unsigned int i;
	int err;

	mutex_lock(&ln->lock);

	memcpy(mode, ln->mode, sizeof(mode));
	for_each_set_bit(i, &modes->given, LT_FEATURE_COUNT)
		mode[i] = modes->mode[i];

	useful = lt_netns_hooks(ln, mode);
	linger = lt_netns_is_on(mode, NF_LOOPTRACK_FEATURE_LINGER);
	wanted = useful & ~LT_NETNS_ON_DEMAND & ~ln->hooked;
	/* conntrack may have flows that we haven't seen. */
	if (lt_ct_is_on(net))
		wanted |= useful & LT_NETNS_WITH_CT & ~ln->hooked;

	err = lt_netns_hook(ln, wanted);
	if (err)
		goto out;
	if (linger) {
		err = lt_netns_set_lingering(ln, true);
		if (err) {
			lt_netns_unhook(ln, wanted);
			goto out;
		}
	}

	/* What nobody keeps up to date is worth nothing later, and who is not to
	 * be remembered any more is forgotten.
	 */
	forget = !(useful & BIT(LT_HOOK_COMMIT)) ||
		 (lt_origin_is_told(ln) &&
		  mode[NF_LOOPTRACK_FEATURE_ORIGIN] != NF_LOOPTRACK_MODE_ENFORCE);

	if (test_bit(NF_LOOPTRACK_FEATURE_EXPRESS, &modes->given))
		lt_express_renew(ln);
	for (i = 0; i < LT_FEATURE_COUNT; i++)
		WRITE_ONCE(ln->mode[i], mode[i]);
	if (modes->passmark.mask) {
		WRITE_ONCE(ln->passmark.value, modes->passmark.value);
		WRITE_ONCE(ln->passmark.mask, modes->passmark.mask);
	}
	if (modes->proxies)
		lt_netns_set_proxies(ln, modes->proxies);

	/* Nothing that undoes can fail. */
	lt_netns_set_lingering(ln, linger);
	lt_netns_unhook(ln, ln->hooked & ~useful);
	for_each_clear_bit(i, &useful, LT_HOOK_COUNT)
		clear_bit(i, &ln->asked);
	/* Packets may have asked while there was no use for it. */
	if (READ_ONCE(ln->asked) & ~ln->hooked)
		schedule_work(&ln->hook_work);
	if (forget)
		lt_owners_flush(&ln->owners);
out:
	mutex_unlock(&ln->lock);
	return err;
}

static void lt_netns_hook_asked(struct work_struct *work)
{
	struct lt_net *ln = container_of(work, struct lt_net, hook_work);
	unsigned long hooks;
	unsigned int i;

	mutex_lock(&ln->lock);
	hooks = READ_ONCE(ln->asked) & lt_netns_hooks(ln, ln->mode) & ~ln->hooked;
	if (lt_netns_hook(ln, hooks)) {
		/* The next one who wants them asks again. */
		for_each_set_bit(i, &hooks, LT_HOOK_COUNT)
			clear_bit(i, &ln->asked);
	} else if (hooks & BIT(LT_HOOK_NOTE)) {
		/* Let those pass that have met NAT without being noted. */
		synchronize_rcu();
		WRITE_ONCE(ln->noting, true);
	}
	mutex_unlock(&ln->lock);
}

/**
 * lt_netns_want() - have a set of hooks registered that is there on demand
 * @ln: the module's part of the network namespace
 * @which: LT_HOOK_NOTE, for rules that change what they match; LT_HOOK_SYN and
 *	LT_HOOK_EXPRESS, where there is conntrack; LT_HOOK_ZONE, for its zones;
 *	LT_HOOK_UDP, for local UDP flows that meet NAT
 *
 * Another hook that each packet passes is not for all the others to pay. It
 * stays until there is no more use for it.
 *
 * Context: in a hook; doesn't sleep. It takes a moment to come true.
 */
void lt_netns_want(struct lt_net *ln, enum lt_hook which)
{
	if (!test_bit(which, &ln->asked) && !test_and_set_bit(which, &ln->asked))
		schedule_work(&ln->hook_work);
}

static bool lt_netns_defaults_apply(const struct net *net)
{
	return lt_netns == NF_LOOPTRACK_NETNS_ALL ||
	       (lt_netns == NF_LOOPTRACK_NETNS_INIT && net_eq(net, &init_net));
}

static int __net_init lt_netns_net_init(struct net *net)
{
	struct lt_net *ln = lt_net(net);
	struct lt_modes modes = {};
	unsigned int i;
	int err;

	mutex_init(&ln->lock);
	INIT_WORK(&ln->hook_work, lt_netns_hook_asked);
	INIT_DELAYED_WORK(&ln->linger_work, lt_linger_sweep);
	INIT_LIST_HEAD(&ln->tracers);
	lt_history_init(&ln->history);
	ln->net = net;
	/* Ten a second; who wants all of them counted has a counter. */
	ratelimit_state_init(&ln->loopguard_limit, HZ, 10);
	ratelimit_set_flags(&ln->loopguard_limit, RATELIMIT_MSG_ON_RELEASE);

	err = lt_owners_init(&ln->owners);
	if (err)
		return err;

	err = lt_stats_init(&ln->stats);
	if (err) {
		lt_owners_free(&ln->owners);
		return err;
	}

	if (!lt_netns_defaults_apply(net))
		return 0;

	for (i = 0; i < LT_FEATURE_COUNT; i++) {
		if (!lt_feature_supported(i))
			continue;
		__set_bit(i, &modes.given);
		modes.mode[i] = lt_features[i].mode;
	}

	/* Not worth failing for: whoever fills a namespace's hooks up must not
	 * keep the module from all others, nor us a namespace from appearing.
	 */
	err = lt_netns_set_modes(net, &modes);
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
	static const struct lt_modes all_off = {
		.given = GENMASK(LT_FEATURE_COUNT - 1, 0),
	};

	lt_tracer_flush(lt_net(net));
	/* Unregistering can't fail. */
	lt_netns_set_modes(net, &all_off);
}

static void __net_exit lt_netns_net_exit(struct net *net)
{
	struct lt_net *ln = lt_net(net);

	/* Nobody asks for them any more, and they find nothing to do. */
	cancel_work_sync(&ln->hook_work);
	cancel_delayed_work_sync(&ln->linger_work);
	lt_linger_forget(ln);
	/* No hook reads it any more, and nobody writes it. */
	kfree(rcu_dereference_protected(ln->proxies, true));
	lt_owners_free(&ln->owners);
	lt_history_free(&ln->history);
	lt_stats_free(&ln->stats);
	mutex_destroy(&ln->lock);
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
