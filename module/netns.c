// SPDX-License-Identifier: GPL-2.0
/* Network namespaces: modes of the features, and what comes and goes with them. */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitops.h>
#include <linux/module.h>
#include <linux/string.h>
#include <net/netns/generic.h>

#include "hook.h"
#include "netns.h"

static unsigned int lt_net_id __read_mostly;

/* What a feature starts with, where the defaults apply. */
static const struct {
	u8 mode;
	bool supported;
} lt_features[LT_FEATURE_COUNT] = {
	[NF_LOOPTRACK_FEATURE_CLASH] = { NF_LOOPTRACK_MODE_ENFORCE, true },
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

static bool lt_modes_want_hooks(const u8 *mode)
{
	return mode[NF_LOOPTRACK_FEATURE_CLASH] != NF_LOOPTRACK_MODE_OFF;
}

/**
 * lt_netns_set_modes() - change modes of features, all or none
 * @net: network namespace
 * @modes: supported features only, with valid modes
 *
 * Packets under way may still see the old modes when this returns.
 *
 * Context: may sleep.
 * Return: 0, or an error of nf_register_net_hooks() with nothing changed.
 */
int lt_netns_set_modes(struct net *net, const struct lt_modes *modes)
{
	struct lt_net *ln = lt_net(net);
	u8 mode[LT_FEATURE_COUNT];
	unsigned int i;
	int err = 0;
	bool hook;

	mutex_lock(&ln->lock);

	memcpy(mode, ln->mode, sizeof(mode));
	for_each_set_bit(i, &modes->given, LT_FEATURE_COUNT)
		mode[i] = modes->mode[i];

	hook = lt_modes_want_hooks(mode);
	if (hook && !ln->hooked) {
		err = lt_hook_register(net, LT_HOOK_COMMIT);
		if (err)
			goto out;
		ln->hooked = true;
	}

	for (i = 0; i < LT_FEATURE_COUNT; i++)
		WRITE_ONCE(ln->mode[i], mode[i]);

	if (!hook && ln->hooked) {
		lt_hook_unregister(net, LT_HOOK_COMMIT);
		ln->hooked = false;
		if (ln->noting)
			lt_hook_unregister(net, LT_HOOK_NOTE);
		WRITE_ONCE(ln->noting, false);
	}
out:
	mutex_unlock(&ln->lock);
	return err;
}

static void lt_netns_note(struct work_struct *work)
{
	struct lt_net *ln = container_of(work, struct lt_net, note_work);

	mutex_lock(&ln->lock);
	/* Should it fail, the next one who wants notes asks again. */
	if (ln->hooked && !ln->noting &&
	    !lt_hook_register(ln->net, LT_HOOK_NOTE)) {
		/* Let those pass that have met NAT without being noted. */
		synchronize_rcu();
		WRITE_ONCE(ln->noting, true);
	}
	mutex_unlock(&ln->lock);
}

/**
 * lt_netns_want_notes() - have the marks of new flows noted from now on
 * @ln: the module's part of the network namespace
 *
 * For namespaces whose NAT rules change what they match: another hook that
 * each packet passes is not for all the others to pay. It stays until there
 * is no more use for it.
 *
 * Context: in a hook; doesn't sleep. It takes a moment to come true.
 */
void lt_netns_want_notes(struct lt_net *ln)
{
	if (!READ_ONCE(ln->noting))
		schedule_work(&ln->note_work);
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
	INIT_WORK(&ln->note_work, lt_netns_note);
	ln->net = net;

	err = lt_stats_init(&ln->stats);
	if (err)
		return err;

	if (!lt_netns_defaults_apply(net))
		return 0;

	for (i = 0; i < LT_FEATURE_COUNT; i++) {
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

	/* Unregistering can't fail. */
	lt_netns_set_modes(net, &all_off);
}

static void __net_exit lt_netns_net_exit(struct net *net)
{
	struct lt_net *ln = lt_net(net);

	/* Nobody asks for it any more, and it finds nothing to do. */
	cancel_work_sync(&ln->note_work);
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
