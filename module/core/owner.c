// SPDX-License-Identifier: GPL-2.0
/* Owners of flows: the local socket that opened a flow, and its process. */

#include <linux/ktime.h>
#include <linux/moduleparam.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/rculist.h>
#include <linux/sched/signal.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "core/ct.h"
#include "core/owner.h"
#include "core/owner_pool.h"
#include "core/owner_table.h"
#include "core/share.h"
#include "core/task.h"
#include "core/udp.h"
#include "net.h"

/*
 * The owner of a flow is remembered for programs that ask (see origin.c), and for
 * UDP: a TCP socket says by its state that it opens a connection; a UDP socket does
 * not, and its port may belong to another one a moment later.
 *
 * An owner belongs to its flow's entry, and is found by the entry's address. That an
 * entry has one is a bit in the entry's status, which is zero in each new entry: so
 * an entry that takes the memory of another one has not inherited its owner, and a
 * flow without owner costs no look into the table.
 *
 * conntrack tells no module that an entry has gone. The owner is dropped when the
 * next entry at that address gets one, or by the sweep (owner_table.c), which looks
 * for the entry from time to time. An owner that is still in the table by then is
 * found by no one.
 */

/* Of one user in a namespace. */
static unsigned int lt_owners_max __read_mostly = 65536;
module_param_named(owners, lt_owners_max, uint, 0644);
MODULE_PARM_DESC(owners,
		 "How many flows of one user a namespace remembers the owner of (default 65536)");

static void lt_owner_note_process(struct lt_owner *owner)
{
	const struct task_struct *leader = current->group_leader;

	owner->pid = task_tgid_nr(current);
	owner->gid = current_egid();
	/* May be changed meanwhile, but ends where it always did. */
	memcpy(owner->comm, leader->comm, TASK_COMM_LEN);
	owner->comm[TASK_COMM_LEN - 1] = '\0';
	owner->started = leader->start_boottime;
}

/* The zone that the flow's original direction is found in. A zone may be for replies
 * only.
 */
static u16 lt_owner_zone(const struct nf_conn *ct)
{
	return nf_ct_zone_id(nf_ct_zone(ct), IP_CT_DIR_ORIGINAL);
}

static void lt_owner_fill(struct lt_owner *owner, struct lt_net *ln,
			  const struct nf_conn *ct,
			  const struct nf_hook_state *state, kuid_t uid,
			  unsigned int flags)
{
	struct sock *sk = state->sk;

	owner->ct = ct;
	owner->ln = ln;
	owner->flow = *lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL);
	owner->zone = lt_owner_zone(ct);
	atomic_set(&owner->flags, flags);
	owner->due = jiffies + LT_OWNER_SOON;
	owner->turn = READ_ONCE(ln->origin_turn);
	owner->cookie = lt_sock_cookie(sk);
	owner->sender = owner->cookie;
	owner->cgroup = lt_sock_cgroup_id(sk);
	/* A clock that need not be read. */
	owner->since = ktime_get_coarse_boottime_ns();
	owner->uid = uid;
	if (lt_task_sends(state))
		lt_owner_note_process(owner);
	else
		owner->pid = 0;
	if (flags & LT_OWNER_COUNTED)
		memset(owner->second, 0, IP_CT_DIR_MAX * sizeof(owner->second[0]));
}

/**
 * lt_owner_note() - remember the socket that opens a flow
 * @ln: the module's part of the network namespace
 * @ct: the flow's entry, unconfirmed and the packet's own
 * @state: of the hook, POST_ROUTING, that its first packet is in; from a full socket
 * @flags: of enum lt_owner_flag
 *
 * If the user has as many owners as the parameter allows, an older one of the same
 * user makes room.
 *
 * Context: RCU read lock; softirq or process context.
 * Return: the owner, valid under the same read lock; or NULL, for want of memory,
 * and the flow has none.
 */
struct lt_owner *lt_owner_note(struct lt_net *ln, struct nf_conn *ct,
			       const struct nf_hook_state *state,
			       unsigned int flags)
{
	kuid_t uid = READ_ONCE(state->sk->sk_uid);
	struct lt_owner *owner;
	bool over;

	owner = lt_owner_alloc(flags);
	if (!owner)
		return NULL;

	lt_owner_fill(owner, ln, ct, state, uid, flags);
	owner->share = lt_share_get(ln, uid);
	if (!owner->share) {
		lt_owner_free(owner);
		return NULL;
	}

	over = lt_share_used(owner->share) >= READ_ONCE(lt_owners_max);
	if (lt_owner_table_add(owner, over))
		lt_stats_inc(&ln->stats, ORIGIN_DROPPED);
	if (lt_ct_has_room())
		set_bit(LT_OWNER_BIT, &ct->status);
	if (!READ_ONCE(ln->owned))
		WRITE_ONCE(ln->owned, true);

	return owner;
}

/**
 * lt_owner_find() - find the owner of a flow
 * @ct: its entry
 *
 * Context: RCU read lock.
 * Return: the owner, valid under the read lock; NULL if it isn't known.
 */
struct lt_owner *lt_owner_find(const struct nf_conn *ct)
{
	struct lt_owner *owner;

	if (lt_ct_has_room() && !test_bit(LT_OWNER_BIT, &ct->status))
		return NULL;

	owner = lt_owner_table_find(ct);
	if (!owner || lt_owner_is(owner, LT_OWNER_ENDED))
		return NULL;

	/* Without the bit it may be that of an entry of before. */
	if (!lt_ct_has_room() &&
	    (owner->zone != lt_owner_zone(ct) ||
	     !nf_ct_tuple_equal(&owner->flow, lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL))))
		return NULL;

	return owner;
}

/**
 * lt_owner_is_dead_udp() - is it certain that a UDP flow has no sender
 * @owner: of the flow
 *
 * The socket that sent last is gone, and no other one has taken the flow over:
 * either that would have been seen, or there is none that could.
 *
 * Context: any but hard interrupts.
 * Return: false in any doubt.
 */
bool lt_owner_is_dead_udp(const struct lt_owner *owner)
{
	const struct net *net = owner->ln->net;

	if (lt_owner_is(owner, LT_OWNER_SHARED) ||
	    lt_udp_has(net, &owner->flow, READ_ONCE(owner->sender)) != LT_UDP_NONE)
		return false;

	return lt_owner_is(owner, LT_OWNER_WATCHED) ||
	       lt_udp_senders(net, &owner->flow, NULL) == LT_UDP_NONE;
}

/**
 * lt_owner_end() - the flow of an owner is over
 * @owner: found under the RCU read lock that is held
 *
 * Takes no lock: the owner leaves the table later.
 *
 * Context: any.
 */
void lt_owner_end(struct lt_owner *owner)
{
	lt_owner_set(owner, LT_OWNER_ENDED);
}

/**
 * lt_owner_is_told() - may user space read an owner
 * @ln: the module's part of the network namespace
 * @owner: of a flow there
 *
 * Other features remember owners, too, which must not be exposed.
 *
 * Context: any.
 * Return: true if origin was on when the flow was opened, and has been since.
 */
bool lt_owner_is_told(const struct lt_net *ln, const struct lt_owner *owner)
{
	return lt_mode(ln, NF_LOOPTRACK_FEATURE_ORIGIN) ==
	       NF_LOOPTRACK_MODE_ENFORCE &&
	       owner->turn == READ_ONCE(ln->origin_turn);
}

/**
 * lt_owner_pid() - a flow's process, as a PID namespace numbers it
 * @owner: of the flow
 * @ns: PID namespace of the reader
 *
 * A process that is gone has a number in the initial namespace only.
 *
 * Context: RCU read lock.
 * Return: 0 if the process isn't known, or not to be seen from there.
 */
pid_t lt_owner_pid(const struct lt_owner *owner, struct pid_namespace *ns)
{
	struct task_struct *task;
	struct pid *pid;

	if (!owner->pid || ns == &init_pid_ns)
		return owner->pid;

	pid = find_pid_ns(owner->pid, &init_pid_ns);
	task = pid ? pid_task(pid, PIDTYPE_TGID) : NULL;
	/* Another process may have the number now. A thread that takes the place of the
	 * first one, in execve(), takes over when that started.
	 */
	if (!task || (u32)task->start_boottime != owner->started)
		return 0;

	return pid_nr_ns(pid, ns);
}

/**
 * lt_owner_since() - when a flow was opened
 * @owner: of the flow
 *
 * Return: nanoseconds since 1970.
 */
u64 lt_owner_since(const struct lt_owner *owner)
{
	/* By the clocks' distance: a reader of one after the other may lose the CPU
	 * in between.
	 */
	return owner->since -
	       ktime_to_ns(ktime_mono_to_any(0, TK_OFFS_BOOT)) +
	       ktime_to_ns(ktime_mono_to_any(0, TK_OFFS_REAL));
}
