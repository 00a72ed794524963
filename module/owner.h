/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_OWNER_H
#define _LT_OWNER_H

#include <linux/rhashtable.h>
#include <linux/spinlock.h>
#include <net/netfilter/nf_conntrack.h>

#include "sock.h"

/**
 * struct lt_owner_key - what an owner is found by
 * @flow: as the owner sent it first
 * @zone: conntrack zone
 * @pad: zero
 */
struct lt_owner_key {
	struct nf_conntrack_tuple flow;
	u16 zone;
	u16 pad;
};

/* Bits of an owner's flags. */
enum {
	/* More than one socket sends on the flow, or could when it was new. */
	LT_OWNER_SHARED,
	/* Both ends are on this host. */
	LT_OWNER_LOOPBACK,
	/* Found stale, and told so, by a mode that leaves it at that. */
	LT_OWNER_STALE_TOLD,
	/* Found dead, likewise. */
	LT_OWNER_DEAD_TOLD,
};

/**
 * struct lt_owner - the UDP socket a flow was opened by
 * @node: in the table of its namespace
 * @list: in the order they came; under the lock of struct lt_owners
 * @rcu: to free it
 * @key: the flow; constant
 * @who: the socket; constant
 * @flags: LT_OWNER_*; bits are set by anybody, and never cleared
 */
struct lt_owner {
	struct rhash_head node;
	struct list_head list;
	struct rcu_head rcu;
	struct lt_owner_key key;
	struct lt_who who;
	unsigned long flags;
};

/**
 * struct lt_owners - the UDP flows that sockets of a namespace have opened
 * @table: by flow; read under RCU
 * @lock: serialises changes. Taken with BHs off.
 * @list: oldest first; under @lock
 * @count: how many; written under @lock
 * @sweep: how far linger has come in looking after them; its work's own
 */
struct lt_owners {
	struct rhashtable table;
	spinlock_t lock;	/* see above */
	struct list_head list;
	unsigned int count;
	struct rhashtable_iter sweep;
};

int lt_owners_init(struct lt_owners *owners);
void lt_owners_free(struct lt_owners *owners);
void lt_owners_flush(struct lt_owners *owners);

struct lt_owner *lt_owner_note(struct lt_owners *owners,
			       const struct nf_conn *ct, struct sock *sk,
			       bool loopback);
void lt_owner_forget(struct lt_owners *owners, const struct nf_conn *ct);
struct lt_owner *lt_owner_find(struct lt_owners *owners,
			       const struct nf_conn *ct);
bool lt_owner_is_alive(struct net *net, const struct lt_owner *owner);
void lt_owner_drop(struct lt_owners *owners, struct lt_owner *owner);

#endif /* _LT_OWNER_H */
