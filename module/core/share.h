/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_SHARE_H
#define _LT_SHARE_H

#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/uidgid.h>

struct lt_net;

/* Of the count, what is not an owner's: the table's own. */
#define LT_SHARE_UNUSED	1

/**
 * struct lt_share - how many owners the module keeps for one user of a namespace
 * @node: in the table of shares; changed under its lock, read under RCU
 * @rcu: to free it
 * @ln: the module's part of the namespace; constant
 * @uid: the user; constant
 * @count: one for each owner, and one for the table
 */
struct lt_share {
	struct hlist_node node;
	struct rcu_head rcu;
	struct lt_net *ln;
	kuid_t uid;
	refcount_t count;
};

struct lt_share *lt_share_get(struct lt_net *ln, kuid_t uid);
void lt_shares_flush(struct lt_net *ln);
void lt_shares_init(void);

/**
 * lt_share_put() - an owner has gone, or did not come
 * @share: of its user
 *
 * Context: any.
 */
static inline void lt_share_put(struct lt_share *share)
{
	refcount_dec(&share->count);
}

/**
 * lt_share_used() - how many owners a user has
 * @share: of the user, referenced
 *
 * Context: any.
 * Return: the number, without the caller's reference.
 */
static inline unsigned int lt_share_used(const struct lt_share *share)
{
	return refcount_read(&share->count) - LT_SHARE_UNUSED - 1;
}

#endif /* _LT_SHARE_H */
