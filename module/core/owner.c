// SPDX-License-Identifier: GPL-2.0
/* Owners of flows: which local socket opened them, and whose it was. */

#include <linux/jhash.h>
#include <linux/ktime.h>
#include <linux/moduleparam.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "core/ct.h"
#include "core/owner.h"
#include "core/task.h"
#include "net.h"

/*
 * Who opened a flow is remembered for those who ask (see origin.c), and for
 * UDP: a TCP socket says by its state that it opens a connection; a UDP socket
 * does not, and its port may be anybody's a moment later.
 *
 * An owner is found by what it sends. That is enough: as long as hooks run, the
 * first packet of a flow makes forget what was remembered of another of the same
 * addresses and ports. No owner for a flow, because memory was short, or too many
 * others came since, means that nothing can be proved about it.
 */

#define LT_OWNER_DUE_MIN	HZ
#define LT_OWNER_DUE_MAX	(60 * HZ)
#define LT_OWNERS_SWEEP	(HZ / 2)

/* The oldest go first. */
static unsigned int lt_owners_max __read_mostly = 65536;
module_param_named(owners, lt_owners_max, uint, 0644);
MODULE_PARM_DESC(owners,
		 "How many flows a namespace remembers the owner of (default 65536)");

/* Twice for each flow, and most are of IPv4, whose addresses are one word each. */
static u32 lt_owner_hash(const void *data, u32 len, u32 seed)
{
	const struct lt_owner_key *key = data;
	const struct nf_conntrack_tuple *flow = &key->flow;
	u32 ports = (__force u32)flow->src.u.all << 16 |
		    (__force u32)flow->dst.u.all;

	if (likely(flow->src.l3num == AF_INET))
		return jhash_3words((__force u32)flow->src.u3.ip,
				    (__force u32)flow->dst.u3.ip, ports,
				    seed ^ key->zone);

	return jhash2(data, len / sizeof(u32), seed);
}

/* Where flows come and go the table would shrink and grow all the time: it keeps the
 * size it once needed, as conntrack's does.
 */
static const struct rhashtable_params lt_owner_params = {
	.head_offset = offsetof(struct lt_owner, node),
	.key_offset = offsetof(struct lt_owner, key),
	.key_len = sizeof(struct lt_owner_key),
	.hashfn = lt_owner_hash,
};

static void lt_owner_key(struct lt_owner_key *key, const struct nf_conn *ct)
{
	/* Compared as memory. */
	BUILD_BUG_ON(sizeof(*key) != sizeof(key->flow) + 2 * sizeof(u16));
	BUILD_BUG_ON(sizeof(*key) % sizeof(u32));

	memset(key, 0, sizeof(*key));
	key->flow = *lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL);
	key->zone = nf_ct_zone(ct)->id;
}

/**
 * lt_owners_init() - prepare for remembering
 * @owners: where
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int lt_owners_init(struct lt_owners *owners)
{
	int err;

	spin_lock_init(&owners->lock);
	INIT_LIST_HEAD(&owners->list);

	err = rhashtable_init(&owners->table, &lt_owner_params);
	if (!err)
		rhashtable_walk_enter(&owners->table, &owners->sweep);

	return err;
}

static void lt_owner_del(struct lt_owners *owners, struct lt_owner *owner)
{
	rhashtable_remove_fast(&owners->table, &owner->node, lt_owner_params);
	list_del(&owner->list);
	lt_owner_set(owner, LT_OWNER_GONE);
	WRITE_ONCE(owners->count, owners->count - 1);
	kfree_rcu(owner, rcu);
}

/**
 * lt_owners_flush() - forget all
 * @owners: of the namespace
 *
 * Context: any but hard interrupts.
 */
void lt_owners_flush(struct lt_owners *owners)
{
	struct lt_owner *owner, *next;

	spin_lock_bh(&owners->lock);
	list_for_each_entry_safe(owner, next, &owners->list, list)
		lt_owner_del(owners, owner);
	spin_unlock_bh(&owners->lock);
}

/**
 * lt_owners_free() - end
 * @owners: of a namespace in which no hook runs any more
 *
 * Context: may sleep.
 */
void lt_owners_free(struct lt_owners *owners)
{
	lt_owners_flush(owners);
	rhashtable_walk_exit(&owners->sweep);
	rhashtable_destroy(&owners->table);
}

static void lt_owner_note_process(struct lt_owner *owner)
{
	owner->pid = task_tgid_nr(current);
	owner->gid = current_egid();
	/* May be changed meanwhile, but ends where it always did. */
	memcpy(owner->comm, current->group_leader->comm, TASK_COMM_LEN);
	owner->comm[TASK_COMM_LEN - 1] = '\0';
}

/* Somebody else's flow of the same addresses and ports is over. */
static int lt_owner_insert(struct lt_owners *owners, struct lt_owner *owner)
{
	struct lt_owner *old;

	old = rhashtable_lookup_get_insert_fast(&owners->table, &owner->node,
						lt_owner_params);
	if (!old)
		return 0;
	if (IS_ERR(old))
		return PTR_ERR(old);

	lt_owner_del(owners, old);
	return rhashtable_insert_fast(&owners->table, &owner->node,
				      lt_owner_params);
}

/**
 * lt_owner_note() - remember who opened a flow, and nobody before
 * @owners: of the namespace
 * @ct: its entry
 * @state: of the hook, POST_ROUTING, that its first packet is in; from a full socket
 * @flags: of enum lt_owner_flag
 *
 * Context: RCU read lock; softirq or process context.
 * Return: the owner, valid under the same read lock, or NULL.
 */
struct lt_owner *lt_owner_note(struct lt_owners *owners,
			       const struct nf_conn *ct,
			       const struct nf_hook_state *state,
			       unsigned int flags)
{
	unsigned int counters = flags & LT_OWNER_COUNTED ? IP_CT_DIR_MAX : 0;
	struct sock *sk = state->sk;
	struct lt_owner *owner;

	BUILD_BUG_ON(sizeof(*owner) > 128);
	BUILD_BUG_ON(struct_size(owner, second, IP_CT_DIR_MAX) > 192);
	owner = kzalloc(struct_size(owner, second, counters),
			GFP_ATOMIC | __GFP_NOWARN);
	if (!owner) {
		lt_owner_forget(owners, ct);
		return NULL;
	}

	owner->cookie = lt_sock_cookie(sk);
	owner->uid = READ_ONCE(sk->sk_uid);
	owner->cgroup = lt_sock_cgroup_id(sk);
	owner->since = ktime_get_boottime_ns();
	/* Its entry is not in the table yet. */
	owner->due = jiffies + HZ;
	atomic_set(&owner->flags, flags);
	lt_owner_key(&owner->key, ct);
	if (lt_task_sends(state))
		lt_owner_note_process(owner);

	spin_lock_bh(&owners->lock);
	if (lt_owner_insert(owners, owner)) {
		kfree(owner);
		owner = NULL;
	} else {
		list_add_tail(&owner->list, &owners->list);
		WRITE_ONCE(owners->count, owners->count + 1);
	}
	spin_unlock_bh(&owners->lock);

	return owner;
}

/**
 * lt_owners_trim() - forget the oldest if they have become too many
 * @owners: of the namespace, to which one has come
 *
 * Two at a time, so that there are fewer soon if the parameter was lowered.
 *
 * Context: any but hard interrupts.
 * Return: how many had to go.
 */
unsigned int lt_owners_trim(struct lt_owners *owners)
{
	unsigned int gone = 0;

	if (likely(READ_ONCE(owners->count) <= READ_ONCE(lt_owners_max)))
		return 0;

	spin_lock_bh(&owners->lock);
	for (; gone < 2 && owners->count > READ_ONCE(lt_owners_max); gone++)
		lt_owner_del(owners, list_first_entry(&owners->list,
						      struct lt_owner, list));
	spin_unlock_bh(&owners->lock);

	return gone;
}

/**
 * lt_owner_forget() - forget who opened an earlier flow
 * @owners: of the namespace
 * @ct: entry of a flow of the same addresses and ports
 *
 * Context: RCU read lock; softirq or process context.
 */
void lt_owner_forget(struct lt_owners *owners, const struct nf_conn *ct)
{
	struct lt_owner *owner;

	if (!READ_ONCE(owners->count))
		return;

	owner = lt_owner_find(owners, ct);
	if (owner)
		lt_owner_drop(owners, owner);
}

/**
 * lt_owner_find() - who opened a flow
 * @owners: of the namespace
 * @ct: its entry
 *
 * Context: RCU read lock.
 * Return: the owner, valid under the read lock; NULL if it isn't known.
 */
struct lt_owner *lt_owner_find(struct lt_owners *owners,
			       const struct nf_conn *ct)
{
	struct lt_owner_key key;

	lt_owner_key(&key, ct);
	return rhashtable_lookup(&owners->table, &key, lt_owner_params);
}

/**
 * lt_owner_is_alive() - does the socket still have the flow's port
 * @net: network namespace
 * @owner: who opened the flow
 *
 * Context: RCU read lock.
 * Return: true if it does.
 */
bool lt_owner_is_alive(struct net *net, const struct lt_owner *owner)
{
	return lt_sock_udp_has(net, ntohs(owner->key.flow.src.u.udp.port),
			       owner->cookie);
}

/**
 * lt_owner_drop() - forget one
 * @owners: of the namespace
 * @owner: found under the RCU read lock that is held; may be forgotten already
 */
void lt_owner_drop(struct lt_owners *owners, struct lt_owner *owner)
{
	spin_lock_bh(&owners->lock);
	if (!lt_owner_is(owner, LT_OWNER_GONE))
		lt_owner_del(owners, owner);
	spin_unlock_bh(&owners->lock);
}

/**
 * lt_owner_socket() - the local socket that a packet comes from
 * @ct: its entry; the packet is in the original direction
 * @state: of the hook, LOCAL_OUT or POST_ROUTING
 *
 * Context: in a hook.
 * Return: a full TCP or UDP socket, if it sends in its own name, or NULL.
 */
struct sock *lt_owner_socket(const struct nf_conn *ct,
			      const struct nf_hook_state *state)
{
	struct sock *sk = state->sk;
	u8 proto = nf_ct_protonum(ct);

	if (!sk || !sk_fullsock(sk) || sk->sk_protocol != proto ||
	    inet_sk(sk)->inet_sport !=
	    lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL)->src.u.all)
		return NULL;

	if ((proto == IPPROTO_TCP && sk->sk_type == SOCK_STREAM) ||
	    (proto == IPPROTO_UDP && sk->sk_type == SOCK_DGRAM))
		return sk;

	return NULL;
}

/**
 * lt_owner_expire() - forget the owner of a TCP flow that is over
 * @ln: the module's part of the network namespace
 * @owner: found under the RCU read lock that is held
 *
 * Context: process context; the only one to look after owners.
 */
void lt_owner_expire(struct lt_net *ln, struct lt_owner *owner)
{
	struct nf_conn *ct;

	if (time_before32(jiffies, owner->due))
		return;

	ct = lt_ct_find_in(ln->net, owner->key.zone, &owner->key.flow);
	if (!ct) {
		lt_owner_drop(&ln->owners, owner);
		return;
	}

	owner->due = jiffies + clamp_t(unsigned long, nf_ct_expires(ct),
				       LT_OWNER_DUE_MIN, LT_OWNER_DUE_MAX);
	nf_ct_put(ct);
}

/**
 * lt_owner_is_told() - may somebody know whom a flow comes from
 * @ln: the module's part of the network namespace
 *
 * Other features remember owners, too, which are nobody's to know.
 *
 * Context: any.
 */
bool lt_owner_is_told(const struct lt_net *ln)
{
	return lt_mode(ln, NF_LOOPTRACK_FEATURE_ORIGIN) ==
	       NF_LOOPTRACK_MODE_ENFORCE;
}

/**
 * lt_owner_pid() - a flow's process, as somebody numbers it
 * @owner: of the flow
 * @ns: his PID namespace
 *
 * A process that is gone has a number for those of the initial namespace only.
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
	/* Nor is it he who has the number now. */
	if (!task || task->start_boottime > owner->since)
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
	/* By the clocks' distance: who reads them one after the other may lose the
	 * CPU in between.
	 */
	return owner->since -
	       ktime_to_ns(ktime_mono_to_any(0, TK_OFFS_BOOT)) +
	       ktime_to_ns(ktime_mono_to_any(0, TK_OFFS_REAL));
}

/**
 * lt_owners_watch() - look after flows from now on, as long as there are any
 * @ln: the module's part of a namespace that remembers an owner
 *
 * Context: any.
 */
void lt_owners_watch(struct lt_net *ln)
{
	if (!delayed_work_pending(&ln->linger_work))
		schedule_delayed_work(&ln->linger_work, LT_OWNERS_SWEEP);
}
