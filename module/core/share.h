/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_SHARE_H
#define _LT_SHARE_H

#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/uidgid.h>

struct lt_net;

/**
 * struct lt_share - how many owners the module keeps for one user of a namespace
 * @node: in the table of shares; changed under its lock, read under RCU
 * @rcu: to free it
 * @ln: the module's part of the namespace; compared only. Constant.
 * @uid: the user; constant
 * @count: one for each owner, and one for the table
 */
struct lt_share {
	struct hlist_node node;
	struct rcu_head rcu;
	const struct lt_net *ln;
	kuid_t uid;
	refcount_t count;
};

struct lt_share *lt_share_get(const struct lt_net *ln, kuid_t uid);
void lt_share_put(struct lt_share *share);
void lt_shares_flush(const struct lt_net *ln);
void lt_shares_init(void);

/**
 * lt_share_used() - how many owners a user has
 * @share: of the user, referenced
 *
 * Context: any.
 * Return: the number, without the caller's reference.
 */
static inline unsigned int lt_share_used(const struct lt_share *share)
{
	return refcount_read(&share->count) - 2;
}

#endif /* _LT_SHARE_H */
