// SPDX-License-Identifier: GPL-2.0
/* Shares: how many owners the module keeps for each user. */

#include <linux/hash.h>
#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "core/share.h"

/*
 * Without a share for each user, one of them opens so many flows that nothing is
 * remembered of the flows of all others. A share stays after its last owner, since
 * most users open one connection after the other; the next new share with the same
 * hash frees it.
 */
#define LT_SHARE_BITS	10

/* One container can have 65,536 users, and one host many containers. */
#define LT_SHARE_CHAIN	256

/* A new share frees so many unused ones at most. */
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

/* Under the RCU read lock or the lock of the chains. *full is set if the chain is
 * longer than one should be.
 */
static struct lt_share *lt_share_find(struct hlist_head *slot,
				      const struct lt_net *ln, kuid_t uid,
				      bool *full)
{
	unsigned int left = LT_SHARE_CHAIN;
	struct lt_share *share;

	hlist_for_each_entry_rcu(share, slot, node,
				 lockdep_is_held(&lt_share_lock)) {
		if (share->ln == ln && uid_eq(share->uid, uid) &&
		    refcount_inc_not_zero(&share->count))
			return share;
		if (!left--) {
			*full = true;
			break;
		}
	}

	return NULL;
}

/* Free some shares that are not in use. Under the lock of the chains. */
static void lt_share_reap(struct hlist_head *slot)
{
	unsigned int left = LT_SHARE_REAP;
	struct hlist_node *next;
	struct lt_share *share;

	hlist_for_each_entry_safe(share, next, slot, node) {
		if (!refcount_dec_if_one(&share->count))
			continue;
		hlist_del_rcu(&share->node);
		kfree_rcu(share, rcu);
		if (!--left)
			break;
	}
}

static noinline struct lt_share *lt_share_make(struct hlist_head *slot,
					       const struct lt_net *ln, kuid_t uid)
{
	struct lt_share *share, *made;
	bool full = false;

	made = kmalloc(sizeof(*made), GFP_ATOMIC | __GFP_NOWARN | __GFP_ACCOUNT);
	if (!made)
		return NULL;

	made->ln = ln;
	made->uid = uid;
	/* The table's and the caller's. */
	refcount_set(&made->count, 2);

	spin_lock_bh(&lt_share_lock);
	lt_share_reap(slot);
	share = lt_share_find(slot, ln, uid, &full);
	if (!share && !full) {
		hlist_add_head_rcu(&made->node, slot);
		share = made;
		made = NULL;
	}
	spin_unlock_bh(&lt_share_lock);
	kfree(made);

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
struct lt_share *lt_share_get(const struct lt_net *ln, kuid_t uid)
{
	struct hlist_head *slot = lt_share_slot(ln, uid);
	struct lt_share *share;
	bool full = false;

	share = lt_share_find(slot, ln, uid, &full);
	if (likely(share) || full)
		return share;

	return lt_share_make(slot, ln, uid);
}

/**
 * lt_share_put() - an owner has gone, or did not come
 * @share: of its user
 *
 * Context: any.
 */
void lt_share_put(struct lt_share *share)
{
	/* The table has one more. */
	refcount_dec(&share->count);
}

/**
 * lt_shares_flush() - free the shares of a namespace
 * @ln: the module's part of a namespace that goes, without owners
 *
 * Context: may sleep.
 */
void lt_shares_flush(const struct lt_net *ln)
{
	struct hlist_node *next;
	struct lt_share *share;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lt_shares); i++) {
		if (hlist_empty(&lt_shares[i]))
			continue;
		spin_lock_bh(&lt_share_lock);
		hlist_for_each_entry_safe(share, next, &lt_shares[i], node) {
			if (share->ln != ln)
				continue;
			hlist_del_rcu(&share->node);
			kfree_rcu(share, rcu);
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
