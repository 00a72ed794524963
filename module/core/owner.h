/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_OWNER_H
#define _LT_OWNER_H

#include <linux/rhashtable.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_acct.h>

#include "core/sock.h"

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

/* What is known of an owner. */
enum lt_owner_flag {
	/* More than one socket sends on the flow, or could when it was new. */
	LT_OWNER_SHARED = BIT(0),
	/* Both ends are on this host. */
	LT_OWNER_LOOPBACK = BIT(1),
	/* Found stale, and told so, by a mode that leaves it at that. */
	LT_OWNER_STALE_TOLD = BIT(2),
	/* Found dead, likewise. */
	LT_OWNER_DEAD_TOLD = BIT(3),
	/* What is on its second pass is counted. */
	LT_OWNER_COUNTED = BIT(4),
	/* Forgotten: out of table and list. Set under the lock of them. */
	LT_OWNER_GONE = BIT(5),
};

/**
 * struct lt_owner - the local socket a flow was opened by, and its process
 * @node: in the table of its namespace
 * @list: in the order they came; under the lock of struct lt_owners
 * @rcu: to free it, when it is in @list no more
 * @key: the flow; constant
 * @due: TCP: when to see whether the flow is over, in jiffies; the sweep's own
 * @cookie: of the socket; constant
 * @uid: its user; constant
 * @flags: of enum lt_owner_flag; set by anybody, and never cleared
 * @cgroup: id of its cgroup, or 0; constant
 * @since: when it opened the flow, in nanoseconds since the host's start; constant
 * @pid: the process, as the initial PID namespace numbers it; 0 if it isn't known,
 *	as lt_task_sends() was false of the packet. Constant, as the next two are,
 *	which are valid with it.
 * @gid: its group
 * @comm: its name
 * @second: packets and bytes on their second pass, by direction, from the IP header
 *	on; there if LT_OWNER_COUNTED is set
 *
 * There may be one for each flow: 128 bytes, or 192 where passes are counted, are
 * what the allocator has.
 */
struct lt_owner {
	struct rhash_head node;
	union {
		struct list_head list;
		struct rcu_head rcu;
	};
	struct lt_owner_key key;
	u32 due;
	u64 cookie;
	kuid_t uid;
	atomic_t flags;
	u64 cgroup;
	u64 since;
	pid_t pid;
	kgid_t gid;
	char comm[TASK_COMM_LEN];
	struct nf_conn_counter second[];
};

static inline bool lt_owner_is(const struct lt_owner *owner,
			       enum lt_owner_flag flag)
{
	return atomic_read(&owner->flags) & flag;
}

/* Return: true if it was so before. */
static inline bool lt_owner_set(struct lt_owner *owner, enum lt_owner_flag flag)
{
	return atomic_fetch_or(flag, &owner->flags) & flag;
}

static inline struct lt_who lt_owner_who(const struct lt_owner *owner)
{
	return (struct lt_who) {
		.cookie = owner->cookie,
		.uid = owner->uid,
		.known = true,
	};
}

/**
 * struct lt_owners - the flows that sockets of a namespace have opened
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

struct lt_net;
struct nf_hook_state;
struct pid_namespace;

int lt_owners_init(struct lt_owners *owners);
void lt_owners_free(struct lt_owners *owners);
void lt_owners_flush(struct lt_owners *owners);

struct lt_owner *lt_owner_note(struct lt_owners *owners,
			       const struct nf_conn *ct,
			       const struct nf_hook_state *state,
			       unsigned int flags);
unsigned int lt_owners_trim(struct lt_owners *owners);
void lt_owner_forget(struct lt_owners *owners, const struct nf_conn *ct);
struct lt_owner *lt_owner_find(struct lt_owners *owners,
			       const struct nf_conn *ct);
bool lt_owner_is_alive(struct net *net, const struct lt_owner *owner);
void lt_owner_drop(struct lt_owners *owners, struct lt_owner *owner);


struct sock *lt_owner_socket(const struct nf_conn *ct,
			     const struct nf_hook_state *state);
void lt_owner_expire(struct lt_net *ln, struct lt_owner *owner);
void lt_owners_watch(struct lt_net *ln);
bool lt_owner_is_told(const struct lt_net *ln);
pid_t lt_owner_pid(const struct lt_owner *owner, struct pid_namespace *ns);
u64 lt_owner_since(const struct lt_owner *owner);

#endif /* _LT_OWNER_H */
