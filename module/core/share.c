// SPDX-License-Identifier: GPL-2.0
/* Shares: how many owners the module keeps for each user. */

#include <linux/hash.h>
#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "core/share.h"
#include "net.h"

/*
 * Without a share for each user, one of them opens so many flows that nothing is
 * remembered of the flows of all others. A share stays after its last owner, since
 * most users open one connection after the other; the next new share with the same
 * hash frees it.
 *
 * A namespace remembers one of its shares, as most have one user whose flows come one
 * after the other: another user's takes its place when that one is not in use. A CPU that
 * frees a share clears ln->share first, and no other CPU can set it again:
 *
 *	CPU 0, a new flow			CPU 1, a new share
 *	finds the share, holds it
 *	ln->share = share
 *	the flow's owner goes, lets go of it
 *						frees it, as nobody else holds it
 *						ln->share was it: NULL
 *						kfree_rcu()
 *
 * A CPU that sets ln->share holds the share. A CPU that frees the share has seen that no
 * other holds it. One that has read ln->share just before fails to hold the share.
 */
#define LT_SHARE_BITS	10

/* One container can have 65,536 users, 64 in a chain on average; and one host many
 * containers. No namespace can fill a chain alone.
 */
#define LT_SHARE_CHAIN	256
#define LT_SHARE_OWN	128

/* A new share frees so many unused ones at most, where there is room for it. */
#define LT_SHARE_REAP	4

static struct hlist_head lt_shares[BIT(LT_SHARE_BITS)];
static u32 lt_share_seed __read_mostly;

/* Protects changes of the chains. Taken with BHs off, for the first flow of a user
 * only. Not taken on the way of other new flows.
 */
static DEFINE_SPINLOCK(lt_share_lock);

static struct hlist_head *lt_share_slot(const struct lt_net *ln, kuid_t uid)
{
	u32 hash = jhash_2words((u32)hash_ptr(ln, 32), __kuid_val(uid),
				lt_share_seed);

	return &lt_shares[hash & (BIT(LT_SHARE_BITS) - 1)];
}

/* Under the RCU read lock or the lock of the chains. */
static struct lt_share *lt_share_find(struct hlist_head *slot,
				      const struct lt_net *ln, kuid_t uid)
{
	struct lt_share *share;

	hlist_for_each_entry_rcu(share, slot, node,
				 lockdep_is_held(&lt_share_lock))
		if (share->ln == ln && uid_eq(share->uid, uid) &&
		    refcount_inc_not_zero(&share->count))
			return share;

	return NULL;
}

/* Under the lock of the chains; the last reference is the caller's. */
static void lt_share_free(struct lt_share *share)
{
	hlist_del_rcu(&share->node);
	cmpxchg(&share->ln->share, RCU_INITIALIZER(share), NULL);
	kfree_rcu(share, rcu);
}

/* Free some shares that are not in use. Under the lock of the chains. */
static void lt_share_reap(struct hlist_head *slot, unsigned int most)
{
	struct hlist_node *next;
	struct lt_share *share;

	hlist_for_each_entry_safe(share, next, slot, node) {
		if (!refcount_dec_if_one(&share->count))
			continue;
		lt_share_free(share);
		if (!--most)
			break;
	}
}

/* Under the lock of the chains. */
static bool lt_share_has_room(const struct hlist_head *slot, const struct lt_net *ln)
{
	unsigned int all = 0, own = 0;
	const struct lt_share *share;

	hlist_for_each_entry(share, slot, node) {
		all++;
		own += share->ln == ln;
	}

	return all < LT_SHARE_CHAIN && own < LT_SHARE_OWN;
}

/* Likewise. Return: true if one more share may come into a chain. */
static bool lt_share_make_room(struct hlist_head *slot, const struct lt_net *ln)
{
	lt_share_reap(slot, LT_SHARE_REAP);
	if (likely(lt_share_has_room(slot, ln)))
		return true;

	lt_share_reap(slot, LT_SHARE_CHAIN);
	return lt_share_has_room(slot, ln);
}

static noinline struct lt_share *lt_share_make(struct hlist_head *slot,
					       struct lt_net *ln, kuid_t uid)
{
	struct lt_share *share, *made;

	made = kmalloc(sizeof(*made), GFP_ATOMIC | __GFP_NOWARN | __GFP_ACCOUNT);
	if (!made)
		return NULL;

	made->ln = ln;
	made->uid = uid;
	/* The table's and the caller's. */
	refcount_set(&made->count, LT_SHARE_UNUSED + 1);

	spin_lock_bh(&lt_share_lock);
	share = lt_share_find(slot, ln, uid);
	if (!share && lt_share_make_room(slot, ln)) {
		hlist_add_head_rcu(&made->node, slot);
		share = made;
		made = NULL;
	}
	spin_unlock_bh(&lt_share_lock);
	kfree(made);
	if (!share)
		lt_stats_inc(&ln->stats, WORK_BOUNDED);

	return share;
}

static noinline struct lt_share *lt_share_look_up(struct lt_net *ln, kuid_t uid)
{
	struct hlist_head *slot = lt_share_slot(ln, uid);
	const struct lt_share *last;
	struct lt_share *share;

	share = lt_share_find(slot, ln, uid);
	if (!share)
		share = lt_share_make(slot, ln, uid);

	last = rcu_dereference(ln->share);
	if (share && (!last || refcount_read(&last->count) <= LT_SHARE_UNUSED))
		rcu_assign_pointer(ln->share, share);

	return share;
}

/**
 * lt_share_get() - find the share of a user, or make it
 * @ln: the module's part of the network namespace
 * @uid: the user
 *
 * Context: RCU read lock; softirq or process context.
 * Return: the share, to be released by lt_share_put(); NULL for want of memory or
 * if there are too many users.
 */
struct lt_share *lt_share_get(struct lt_net *ln, kuid_t uid)
{
	struct lt_share *share = rcu_dereference(ln->share);

	if (likely(share && uid_eq(share->uid, uid) &&
		   refcount_inc_not_zero(&share->count)))
		return share;

	return lt_share_look_up(ln, uid);
}

/**
 * lt_shares_flush() - free the shares of a namespace
 * @ln: the module's part of a namespace that goes, without owners
 *
 * Context: may sleep.
 */
void lt_shares_flush(struct lt_net *ln)
{
	struct hlist_node *next;
	struct lt_share *share;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lt_shares); i++) {
		if (hlist_empty(&lt_shares[i]))
			continue;
		spin_lock_bh(&lt_share_lock);
		hlist_for_each_entry_safe(share, next, &lt_shares[i], node) {
			if (share->ln == ln)
				lt_share_free(share);
		}
		spin_unlock_bh(&lt_share_lock);
	}
}

/**
 * lt_shares_init() - prepare the table
 */
void __init lt_shares_init(void)
{
	lt_share_seed = get_random_u32();
}
