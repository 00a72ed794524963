// SPDX-License-Identifier: GPL-2.0
/* Modes of the features of a namespace, and the hooks that they need. */

#include <linux/bitops.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "core/ct.h"
#include "core/exempt.h"
#include "core/nathook.h"
#include "core/owner.h"
#include "core/proxy.h"
#include "core/unanswered.h"
#include "feature/express.h"
#include "feature/heal.h"
#include "feature/origin.h"
#include "hook.h"
#include "modes.h"

/*
 * Hooks that have come stay until the namespace or the module goes, also when all
 * features are off: for each hook that goes the kernel drops all packets that wait
 * in NFQUEUE in the namespace (nf_queue_nf_hook_drop()). So each hook function
 * looks at the mode of its feature.
 */

/**
 * struct lt_feature - what the module must know of a feature to switch it
 * @mode: the mode it starts with, where the defaults apply
 * @hooks: bit for each enum lt_hook that it acts in, unless it is off
 * @enforcing: likewise, of those that it needs with enforce only
 * @is_possible: whether this kernel lets it work; NULL if every kernel does
 * @start: called before its mode leaves off; NULL if there is nothing to do.
 *	Returns 0 or an error, which leaves all modes as they are.
 * @stop: undoes @start
 * @set: called before its mode is set, to another or the same one; or NULL
 *
 * Context: the functions may sleep, and have the lock of struct lt_net but for
 * @is_possible.
 */
struct lt_feature {
	u8 mode;
	unsigned long hooks;
	unsigned long enforcing;
	bool (*is_possible)(void);
	int (*start)(struct lt_net *ln);
	void (*stop)(struct lt_net *ln);
	void (*set)(struct lt_net *ln, u8 mode);
};

static const struct lt_feature lt_features[LT_FEATURE_COUNT] = {
	[NF_LOOPTRACK_FEATURE_CLASH] = {
		.mode = NF_LOOPTRACK_MODE_ENFORCE,
		.hooks = BIT(LT_HOOK_COMMIT) | BIT(LT_HOOK_NOTE),
		.is_possible = lt_nathook_is_possible,
	},
	[NF_LOOPTRACK_FEATURE_STALE] = {
		.mode = NF_LOOPTRACK_MODE_ENFORCE,
		.hooks = BIT(LT_HOOK_COMMIT) | BIT(LT_HOOK_OUT) |
			 BIT(LT_HOOK_ZONE),
	},
	[NF_LOOPTRACK_FEATURE_PORTS] = {
		.mode = NF_LOOPTRACK_MODE_ENFORCE,
		.hooks = BIT(LT_HOOK_COMMIT) | BIT(LT_HOOK_NOTE) |
			 BIT(LT_HOOK_OUT),
		.is_possible = lt_nathook_is_possible,
	},
	[NF_LOOPTRACK_FEATURE_LINGER] = {
		.mode = NF_LOOPTRACK_MODE_ENFORCE,
		.hooks = BIT(LT_HOOK_COMMIT) | BIT(LT_HOOK_OUT),
	},
	[NF_LOOPTRACK_FEATURE_LOOPSNAT] = {
		.hooks = BIT(LT_HOOK_COMMIT),
		.is_possible = lt_nathook_is_possible,
	},
	[NF_LOOPTRACK_FEATURE_LOOPGUARD] = {
		.mode = NF_LOOPTRACK_MODE_OBSERVE,
		.hooks = BIT(LT_HOOK_COMMIT),
		.enforcing = BIT(LT_HOOK_GUARD),
	},
	[NF_LOOPTRACK_FEATURE_ORIGIN] = {
		.mode = NF_LOOPTRACK_MODE_ENFORCE,
		.hooks = BIT(LT_HOOK_COMMIT),
		.set = lt_origin_set,
	},
	[NF_LOOPTRACK_FEATURE_PASSMARK] = {
		.hooks = BIT(LT_HOOK_COMMIT) | BIT(LT_HOOK_PASS),
	},
	[NF_LOOPTRACK_FEATURE_EXPRESS] = {
		.hooks = BIT(LT_HOOK_COMMIT) | BIT(LT_HOOK_EXPRESS),
		.is_possible = lt_express_is_possible,
		.set = lt_express_renew,
	},
	[NF_LOOPTRACK_FEATURE_LISTENERS] = {
		.hooks = BIT(LT_HOOK_COMMIT) | BIT(LT_HOOK_NOTE),
		.is_possible = lt_nathook_is_possible,
	},
	[NF_LOOPTRACK_FEATURE_HEAL] = {
		.mode = NF_LOOPTRACK_MODE_OFF,
		.hooks = BIT(LT_HOOK_HEAL),
		.is_possible = lt_heal_is_possible,
		.start = lt_heal_start,
		.stop = lt_unanswered_stop,
	},
};

/* Those are registered only where asked for. */
#define LT_MODES_ON_DEMAND \
	(BIT(LT_HOOK_NOTE) | BIT(LT_HOOK_OUT) | BIT(LT_HOOK_ZONE) | \
	 BIT(LT_HOOK_EXPRESS) | BIT(LT_HOOK_HEAL))

/* Of these, those of use as soon as there is conntrack. */
#define LT_MODES_WITH_CT	(BIT(LT_HOOK_OUT) | BIT(LT_HOOK_EXPRESS))

/**
 * lt_modes_default() - the mode a feature starts with
 * @feature: enum nf_looptrack_feature
 *
 * Return: enum nf_looptrack_mode, for namespaces where the defaults apply.
 */
u8 lt_modes_default(unsigned int feature)
{
	return lt_features[feature].mode;
}

/**
 * lt_modes_supported() - whether this module and this kernel can do it
 * @feature: enum nf_looptrack_feature
 *
 * Return: false if any mode but off is out of reach.
 */
bool lt_modes_supported(unsigned int feature)
{
	const struct lt_feature *f = &lt_features[feature];

	return !f->is_possible || f->is_possible();
}

/* The hooks that modes have a use for, once packets have shown theirs. */
static unsigned long lt_modes_hooks(const struct lt_net *ln, const u8 *mode)
{
	unsigned long hooks = 0;
	unsigned int i;

	for (i = 0; i < LT_FEATURE_COUNT; i++) {
		if (mode[i] != NF_LOOPTRACK_MODE_OFF)
			hooks |= lt_features[i].hooks;
		if (mode[i] == NF_LOOPTRACK_MODE_ENFORCE)
			hooks |= lt_features[i].enforcing;
	}

	return hooks;
}

static void lt_modes_unhook(struct lt_net *ln, unsigned long hooks)
{
	unsigned int i;

	for_each_set_bit(i, &hooks, LT_HOOK_COUNT)
		lt_hook_unregister(ln->net, i);
	ln->hooked &= ~hooks;
}

static int lt_modes_hook(struct lt_net *ln, unsigned long hooks)
{
	unsigned long done = 0;
	unsigned int i;
	int err;

	for_each_set_bit(i, &hooks, LT_HOOK_COUNT) {
		err = lt_hook_register(ln->net, i);
		if (err) {
			lt_modes_unhook(ln, done);
			return err;
		}
		done |= BIT(i);
	}
	ln->hooked |= hooks;

	return 0;
}

/**
 * lt_modes_update_hooks() - register the hooks of tracers, or remove them
 * @ln: the module's part of the network namespace, after a change of its tracers
 *
 * These are the only ones that go while the namespace and the module stay: they
 * would cost each packet too much.
 *
 * Context: may sleep; with the lock of @ln.
 * Return: 0, or an error of nf_register_net_hooks() with nothing changed.
 */
int lt_modes_update_hooks(struct lt_net *ln)
{
	unsigned long trace = BIT(LT_HOOK_TRACE);

	if (!list_empty(&ln->tracers))
		return lt_modes_hook(ln, trace & ~ln->hooked);

	lt_modes_unhook(ln, ln->hooked & trace);
	return 0;
}

/* Features whose mode leaves off. */
static unsigned long lt_modes_moved(const u8 *from, const u8 *to)
{
	unsigned long moved = 0;
	unsigned int i;

	for (i = 0; i < LT_FEATURE_COUNT; i++)
		if (from[i] == NF_LOOPTRACK_MODE_OFF && to[i] != from[i])
			__set_bit(i, &moved);

	return moved;
}

static void lt_modes_stop(struct lt_net *ln, unsigned long features)
{
	unsigned int i;

	for_each_set_bit(i, &features, LT_FEATURE_COUNT)
		if (lt_features[i].stop)
			lt_features[i].stop(ln);
}

static int lt_modes_start(struct lt_net *ln, unsigned long features)
{
	unsigned long done = 0;
	unsigned int i;
	int err = 0;

	for_each_set_bit(i, &features, LT_FEATURE_COUNT) {
		if (lt_features[i].start)
			err = lt_features[i].start(ln);
		if (err) {
			lt_modes_stop(ln, done);
			return err;
		}
		done |= BIT(i);
	}

	return 0;
}

static void lt_modes_set_proxies(struct lt_net *ln, struct lt_proxies *proxies)
{
	proxies = rcu_replace_pointer(ln->proxies, proxies,
				      lockdep_is_held(&ln->lock));
	if (proxies)
		kfree_rcu(proxies, rcu);
}

static void lt_modes_set_exempts(struct lt_net *ln, struct lt_exempts *exempts)
{
	exempts = rcu_replace_pointer(ln->exempts, exempts,
				      lockdep_is_held(&ln->lock));
	if (exempts)
		kfree_rcu(exempts, rcu);
}

/* What comes with the modes. Nothing here can fail. */
static void lt_modes_apply(struct lt_net *ln, const struct lt_modes *modes,
			   const u8 *mode)
{
	unsigned int i;

	for_each_set_bit(i, &modes->given, LT_FEATURE_COUNT)
		if (lt_features[i].set)
			lt_features[i].set(ln, mode[i]);
	for (i = 0; i < LT_FEATURE_COUNT; i++)
		WRITE_ONCE(ln->mode[i], mode[i]);
	if (modes->passmark.mask) {
		WRITE_ONCE(ln->passmark.value, modes->passmark.value);
		WRITE_ONCE(ln->passmark.mask, modes->passmark.mask);
	}
	if (modes->proxies)
		lt_modes_set_proxies(ln, modes->proxies);
	if (modes->exempts)
		lt_modes_set_exempts(ln, modes->exempts);
}

/* Find the hooks that new modes need, and register them. */
static int lt_modes_hook_useful(struct lt_net *ln, unsigned long useful,
				unsigned long *added)
{
	*added = useful & ~LT_MODES_ON_DEMAND & ~ln->hooked;
	/* conntrack may have flows that we haven't seen. */
	if (lt_ct_is_on(ln->net))
		*added |= useful & LT_MODES_WITH_CT & ~ln->hooked;

	return lt_modes_hook(ln, *added);
}

/**
 * lt_modes_set() - change modes of features, all or none
 * @ln: the module's part of the network namespace
 * @modes: supported features only, with valid modes
 *
 * Packets under way may still see the old modes when this returns.
 *
 * Context: may sleep.
 * Return: 0, and what @modes points to is no longer the caller's; or an error
 * with nothing changed: of nf_register_net_hooks() or of a feature's start.
 */
int lt_modes_set(struct lt_net *ln, const struct lt_modes *modes)
{
	u8 old[LT_FEATURE_COUNT], mode[LT_FEATURE_COUNT];
	unsigned long useful, added;
	unsigned int i;
	int err;

	mutex_lock(&ln->lock);

	memcpy(old, ln->mode, sizeof(old));
	memcpy(mode, ln->mode, sizeof(mode));
	for_each_set_bit(i, &modes->given, LT_FEATURE_COUNT)
		mode[i] = modes->mode[i];

	useful = lt_modes_hooks(ln, mode);
	err = lt_modes_hook_useful(ln, useful, &added);
	if (err)
		goto out;
	err = lt_modes_start(ln, lt_modes_moved(old, mode));
	if (err) {
		lt_modes_unhook(ln, added);
		goto out;
	}

	lt_modes_apply(ln, modes, mode);
	lt_modes_stop(ln, lt_modes_moved(mode, old));
	/* Packets may have asked while there was no use for it. */
	if (READ_ONCE(ln->asked) & ~ln->hooked)
		schedule_work(&ln->hook_work);
	/* With everything off they are only a burden. */
	if (!useful)
		lt_owners_flush(ln);
out:
	mutex_unlock(&ln->lock);
	return err;
}

/**
 * lt_modes_set_defaults() - have all features start with their default modes
 * @ln: the module's part of the network namespace
 *
 * Context: may sleep.
 * Return: 0, or an error of lt_modes_set() with everything off.
 */
int lt_modes_set_defaults(struct lt_net *ln)
{
	struct lt_modes modes = {};
	unsigned int i;

	for (i = 0; i < LT_FEATURE_COUNT; i++) {
		if (!lt_modes_supported(i))
			continue;
		__set_bit(i, &modes.given);
		modes.mode[i] = lt_features[i].mode;
	}

	return lt_modes_set(ln, &modes);
}

/**
 * lt_modes_set_off() - switch all features off
 * @ln: the module's part of the network namespace
 *
 * Context: may sleep.
 */
void lt_modes_set_off(struct lt_net *ln)
{
	static const struct lt_modes all_off = {
		.given = GENMASK(LT_FEATURE_COUNT - 1, 0),
	};

	/* Unregistering can't fail. */
	lt_modes_set(ln, &all_off);
}

/**
 * lt_modes_unhook_all() - leave a namespace, or the module
 * @ln: the module's part of the network namespace, all off
 *
 * Packets may be in the hooks for another RCU grace period.
 *
 * Context: may sleep.
 */
void lt_modes_unhook_all(struct lt_net *ln)
{
	mutex_lock(&ln->lock);
	lt_modes_unhook(ln, ln->hooked);
	mutex_unlock(&ln->lock);
}

/**
 * lt_modes_hook_asked() - register the hooks that packets showed the use of
 * @work: hook_work in struct lt_net
 *
 * Context: process context.
 */
void lt_modes_hook_asked(struct work_struct *work)
{
	struct lt_net *ln = container_of(work, struct lt_net, hook_work);
	unsigned long hooks;
	unsigned int i;

	mutex_lock(&ln->lock);
	hooks = READ_ONCE(ln->asked) & lt_modes_hooks(ln, ln->mode) & ~ln->hooked;
	if (lt_modes_hook(ln, hooks)) {
		/* The next packet with a use for them asks again. */
		for_each_set_bit(i, &hooks, LT_HOOK_COUNT)
			clear_bit(i, &ln->asked);
	}
	mutex_unlock(&ln->lock);
}
