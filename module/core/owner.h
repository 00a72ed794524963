/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_OWNER_H
#define _LT_OWNER_H

#include <linux/list.h>
#include <linux/netfilter.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_acct.h>

#include "core/ct.h"
#include "core/sock.h"

struct lt_net;
struct lt_share;
struct pid_namespace;

/* What is known of an owner. */
enum lt_owner_flag {
	/* More than one socket sends on the flow, or could when it was new. Without
	 * LT_OWNER_NATTED the latter isn't known.
	 */
	LT_OWNER_SHARED = BIT(0),
	/* Both ends are on this host. */
	LT_OWNER_LOOPBACK = BIT(1),
	/* It was reported as stale, by a mode that leaves it at that. */
	LT_OWNER_STALE_TOLD = BIT(2),
	/* It was reported as dead, likewise. */
	LT_OWNER_DEAD_TOLD = BIT(3),
	/* Packets on their second pass are counted. */
	LT_OWNER_COUNTED = BIT(4),
	/* The flow is over. Its entry is gone or is about to go. */
	LT_OWNER_ENDED = BIT(5),
	/* UDP: NAT changed the flow, so that a hook looks at each packet of it, and
	 * notes a socket that takes the flow over.
	 */
	LT_OWNER_WATCHED = BIT(6),
	/* UDP: the socket was seen gone, with no other that could send the flow. */
	LT_OWNER_ORPHANED = BIT(7),
	/* UDP: the flow needs a look twice a second. */
	LT_OWNER_FREQUENT = BIT(8),
	/* UDP: NAT had changed the flow when it was noted, so that a look at the port's
	 * sockets has told whether it is shared. Not so if the flow lost a race for its
	 * port afterwards, and got another one.
	 */
	LT_OWNER_NATTED = BIT(9),
};

/**
 * struct lt_owner - the local socket that opened a flow, and its process
 * @node: in the table; changed under the lock of its shard, read under RCU
 * @age: in the list of its shard; changed under the lock of the shard, read under RCU
 * @rcu: to free it, and those that follow by @next_dead
 * @ct: the entry. Without a reference: never followed, only compared. Constant.
 * @ln: the module's part of the network namespace; constant
 * @share: of the user; constant while it is in the table
 * @next_dead: the next one that is freed with it; valid when it has left the table
 * @flow: as the owner sent it first; constant
 * @zone: conntrack zone of the original direction; constant
 * @flags: of enum lt_owner_flag; set by anybody, and never cleared
 * @turn: of origin, when it was noted; constant
 * @due: when to look whether the flow is over, in jiffies. The sweep's own.
 * @sender: cookie of the socket that sent last, as far as packets are looked at;
 *	at first that of the owner. Written by hooks.
 * @cookie: of the owner; constant
 * @cgroup: id of its cgroup, or 0; constant
 * @since: when it opened the flow, by the last tick, in nanoseconds since the host's
 *	start; constant
 * @uid: its user; constant
 * @pid: the process, as the initial PID namespace numbers it; 0 if it isn't known,
 *	as lt_task_sends() was false of the packet. Constant, as the next three are,
 *	which are valid with it.
 * @gid: its group
 * @comm: its name
 * @started: the lower half of when it started, in nanoseconds since the host's start
 * @second: packets and bytes on their second pass, by direction, from the IP header
 *	on; there if LT_OWNER_COUNTED is set
 */
struct lt_owner {
	struct hlist_node node;
	struct hlist_node age;
	struct rcu_head rcu;
	const struct nf_conn *ct;
	struct lt_net *ln;
	union {
		struct lt_share *share;
		struct lt_owner *next_dead;
	};
	struct nf_conntrack_tuple flow;
	u16 zone;
	atomic_t flags;
	u32 due;
	u32 turn;
	u64 sender;
	u64 cookie;
	u64 cgroup;
	u64 since;
	kuid_t uid;
	pid_t pid;
	kgid_t gid;
	char comm[TASK_COMM_LEN];
	u32 started;
	struct nf_conn_counter second[];
};

static inline bool lt_owner_is(const struct lt_owner *owner,
			       enum lt_owner_flag flag)
{
	return atomic_read(&owner->flags) & flag;
}

static inline void lt_owner_set(struct lt_owner *owner, enum lt_owner_flag flag)
{
	atomic_or(flag, &owner->flags);
}

/* Return: true if it was so before. */
static inline bool lt_owner_test_and_set(struct lt_owner *owner,
					 enum lt_owner_flag flag)
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

/* Set in the status of an entry, see ct.h: it has an owner in the table. On 32 bit
 * there is no room for it.
 */
#define LT_OWNER_BIT	62

/**
 * lt_owner_socket() - the local socket that a packet comes from
 * @ct: its entry; the packet is in the original direction
 * @state: of the hook, LOCAL_OUT or POST_ROUTING
 *
 * Context: in a hook.
 * Return: a full TCP or UDP socket, if it sends in its own name, or NULL.
 */
static inline struct sock *lt_owner_socket(const struct nf_conn *ct,
					   const struct nf_hook_state *state)
{
	struct sock *sk = state->sk;
	u8 proto = nf_ct_protonum(ct);

	if (!sk || !sk_fullsock(sk) || sk->sk_protocol != proto ||
	    (sk->sk_family != AF_INET && sk->sk_family != AF_INET6) ||
	    inet_sk(sk)->inet_sport !=
	    lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL)->src.u.all)
		return NULL;

	if ((proto == IPPROTO_TCP && sk->sk_type == SOCK_STREAM) ||
	    (proto == IPPROTO_UDP && sk->sk_type == SOCK_DGRAM))
		return sk;

	return NULL;
}

struct lt_owner *lt_owner_note(struct lt_net *ln, struct nf_conn *ct,
			       const struct nf_hook_state *state,
			       unsigned int flags);
struct lt_owner *lt_owner_find(const struct nf_conn *ct);
bool lt_owner_is_dead_udp(const struct lt_owner *owner);
void lt_owner_end(struct lt_owner *owner);

bool lt_owner_is_told(const struct lt_net *ln, const struct lt_owner *owner);
pid_t lt_owner_pid(const struct lt_owner *owner, struct pid_namespace *ns);
u64 lt_owner_since(const struct lt_owner *owner);

void lt_owners_flush(struct lt_net *ln);
int lt_owners_init(bool (*dead)(struct lt_owner *owner, struct nf_conn *ct));
void lt_owners_exit(void);

#endif /* _LT_OWNER_H */
