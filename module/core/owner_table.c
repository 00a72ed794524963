// SPDX-License-Identifier: GPL-2.0
/* The table of owners, and the sweep that drops those of flows that are over. */

#include <linux/hash.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <net/netfilter/nf_conntrack_core.h>

#include "core/ct.h"
#include "core/owner.h"
#include "core/owner_pool.h"
#include "core/owner_table.h"
#include "core/share.h"
#include "core/udp.h"
#include "net.h"

/*
 * One table for all namespaces, as conntrack's own: an empty namespace costs nothing,
 * and no lock is shared by the new flows of a namespace. A shard is a run of chains
 * with one lock. Which one is a matter of the entry's address, which no user chooses.
 */
#define LT_OWNER_SHARD_BITS	6
#define LT_OWNER_SHARDS		BIT(LT_OWNER_SHARD_BITS)
#define LT_OWNER_BITS_MIN	10
#define LT_OWNER_BITS_MAX	17

/* To find an old owner of a user with too many, so many are looked at. */
#define LT_OWNER_COMPARED	16U

/* The sweep: a round begins so long after the last one, and looks at so many owners
 * of one namespace at most; the others have their turn in a later round.
 */
#define LT_OWNER_ROUND		(HZ / 2)
#define LT_OWNER_ROUND_MAX	1024
/* After so many, others have their turn: RCU, and who waits for the processor. */
#define LT_OWNER_LOOKS		64
#define LT_OWNER_DUE_MIN	HZ
#define LT_OWNER_DUE_MAX	(60 * HZ)

/**
 * struct lt_owner_shard - the lock of a run of chains
 * @lock: protects changes of the chains, and the rest. Taken with BHs off.
 * @count: how many owners are in the chains
 * @dead: those that were, and are to be freed
 * @ages: all of them, as a rule the youngest first; read by the sweep under RCU. Not
 *	of the lists that a kernel may be built to check at each step.
 * @oldest: the end of @ages, or NULL
 */
struct lt_owner_shard {
	spinlock_t lock;	/* see above */
	unsigned int count;
	struct lt_owner_batch dead;
	struct hlist_head ages;
	struct hlist_node *oldest;
} ____cacheline_aligned_in_smp;

static struct lt_owner_shard lt_owner_shards[LT_OWNER_SHARDS];
static struct hlist_head *lt_owner_chains __read_mostly;
static unsigned int lt_owner_bits __read_mostly;

/* Called by the sweep for a UDP flow without a sender; set before there are hooks. */
static bool (*lt_owner_dead)(struct lt_owner *owner, struct nf_conn *ct);

/* Held while owners of a shard are looked at, and while a namespace is flushed: the
 * sweep looks at no owner of a namespace that has gone.
 */
static DEFINE_MUTEX(lt_owner_sweep_lock);
static u32 lt_owner_round;	/* number of the round; the sweep's own */

static void lt_owner_sweep(struct work_struct *work);
static DECLARE_DELAYED_WORK(lt_owner_work, lt_owner_sweep);

static unsigned int lt_owner_chain(const struct nf_conn *ct)
{
	return hash_ptr(ct, lt_owner_bits);
}

static struct lt_owner_shard *lt_owner_shard(unsigned int chain)
{
	return &lt_owner_shards[chain >> (lt_owner_bits - LT_OWNER_SHARD_BITS)];
}

/* The owner that is the next younger one to one of a shard, or NULL. This and the next
 * two: under the lock of the shard.
 */
static struct hlist_node *lt_owner_younger(const struct lt_owner_shard *shard,
					   const struct hlist_node *age)
{
	if (age->pprev == &shard->ages.first)
		return NULL;

	return container_of(age->pprev, struct hlist_node, next);
}

static void lt_owner_enlist(struct lt_owner_shard *shard, struct lt_owner *owner)
{
	if (!shard->oldest)
		shard->oldest = &owner->age;
	hlist_add_head_rcu(&owner->age, &shard->ages);
}

static void lt_owner_unlist(struct lt_owner_shard *shard, struct lt_owner *owner)
{
	if (shard->oldest == &owner->age)
		shard->oldest = lt_owner_younger(shard, &owner->age);
	hlist_del_rcu(&owner->age);
}

/* Under the lock of the shard. */
static void lt_owner_del(struct lt_owner_shard *shard, struct lt_owner *owner)
{
	hlist_del_init_rcu(&owner->node);
	lt_owner_unlist(shard, owner);
	WRITE_ONCE(shard->count, shard->count - 1);
	lt_owner_set(owner, LT_OWNER_ENDED);
	lt_share_put(owner->share);
	lt_owner_free_later(&shard->dead, owner);
}

/* Drop an old owner of a user that has too many. Owners of others that are looked at
 * on the way go to the young ones, so that the next search does not meet them
 * again. Under the lock of the shard. Return: false if none was found. So a user may
 * have more than is allowed: one in each shard, and among very many of others as many
 * as let each search find one.
 */
static bool lt_owner_make_room(struct lt_owner_shard *shard,
			       const struct lt_share *share)
{
	unsigned int left = min(shard->count, LT_OWNER_COMPARED);
	struct lt_owner *owner;

	while (left--) {
		owner = hlist_entry(shard->oldest, struct lt_owner, age);
		if (owner->share == share) {
			lt_owner_del(shard, owner);
			return true;
		}
		/* The last one stays: those that went together would never be parted. */
		if (!left)
			break;
		/* The sweep, if it is there just now, begins again. */
		lt_owner_unlist(shard, owner);
		lt_owner_enlist(shard, owner);
	}

	return false;
}

/**
 * lt_owner_table_add() - put an owner into the table
 * @owner: complete
 * @over: its user has too many
 *
 * One that another entry had at the same address goes.
 *
 * Where the shard was empty it may be that no sweep is under way that will look into
 * it. Where it was not, the sweep has seen that or will.
 *
 *	CPU 0, the first owner			CPU 1, the sweep
 *						is not pending: it runs
 *	count = 1
 *	smp_mb()				a barrier, as work begins
 *	is it pending?				count?
 *
 * One of them sees what the other one has written: CPU 0 queues the sweep, or CPU 1
 * does so again.
 *
 * Context: RCU read lock; softirq or process context.
 * Return: true if an owner of the same user made room.
 */
bool lt_owner_table_add(struct lt_owner *owner, bool over)
{
	unsigned int chain = lt_owner_chain(owner->ct);
	struct lt_owner_shard *shard = lt_owner_shard(chain);
	bool dropped = false, first;
	struct lt_owner *old;

	spin_lock_bh(&shard->lock);
	first = !shard->count;
	hlist_for_each_entry(old, &lt_owner_chains[chain], node) {
		if (old->ct == owner->ct) {
			if (old->share == owner->share)
				over = false;
			lt_owner_del(shard, old);
			break;
		}
	}
	if (over)
		dropped = lt_owner_make_room(shard, owner->share);
	hlist_add_head_rcu(&owner->node, &lt_owner_chains[chain]);
	lt_owner_enlist(shard, owner);
	WRITE_ONCE(shard->count, shard->count + 1);
	spin_unlock_bh(&shard->lock);

	if (unlikely(first)) {
		smp_mb(); /* see above */
		if (!delayed_work_pending(&lt_owner_work))
			queue_delayed_work(system_unbound_wq, &lt_owner_work,
					   LT_OWNER_ROUND);
	}

	return dropped;
}

/**
 * lt_owner_table_find() - find the owner that was noted for an entry
 * @ct: the entry
 *
 * Context: RCU read lock.
 * Return: the owner, which may be that of an earlier entry at the same address; or
 * NULL.
 */
struct lt_owner *lt_owner_table_find(const struct nf_conn *ct)
{
	struct lt_owner *owner;

	hlist_for_each_entry_rcu(owner, &lt_owner_chains[lt_owner_chain(ct)], node)
		if (owner->ct == ct)
			return owner;

	return NULL;
}

/* Is the socket that sent a UDP flow last gone? And, without NAT, each other one that
 * could go on with it: no hook would see that.
 */
static bool lt_owner_has_left(struct lt_owner *owner)
{
	const struct net *net = owner->ln->net;
	enum lt_udp some = lt_udp_has(net, &owner->flow, READ_ONCE(owner->sender));

	if (some == LT_UDP_NONE) {
		some = lt_udp_senders(net, &owner->flow, NULL);
		if (some == LT_UDP_NONE)
			lt_owner_set(owner, LT_OWNER_ORPHANED);
		else if (lt_owner_is(owner, LT_OWNER_NATTED))
			return true;
	}
	/* The next look would be as dear. */
	if (some == LT_UDP_UNKNOWN) {
		lt_stats_inc(&owner->ln->stats, WORK_BOUNDED);
		owner->due = jiffies + LT_OWNER_DUE_MAX;
	}

	return some == LT_UDP_NONE;
}

/* Is an owner of no more use? Under the RCU read lock. */
static bool lt_owner_is_over(struct lt_owner *owner)
{
	struct nf_conn *ct;
	bool over;

	if (lt_owner_is(owner, LT_OWNER_ENDED))
		return true;

	ct = lt_ct_find_in(owner->ln->net, owner->zone, &owner->flow);
	over = !ct || lt_owner_find(ct) != owner;
	if (!over) {
		owner->due = jiffies + clamp_t(unsigned long, nf_ct_expires(ct),
					       LT_OWNER_DUE_MIN, LT_OWNER_DUE_MAX);
		if (lt_owner_is(owner, LT_OWNER_FREQUENT) &&
		    !lt_owner_is(owner, LT_OWNER_SHARED)) {
			owner->due = jiffies + LT_OWNER_SOON;
			over = lt_owner_has_left(owner) && lt_owner_dead(owner, ct);
		}
	}
	if (ct)
		nf_ct_put(ct);

	return over;
}

/* May the sweep look at an owner in this round? In one that has no more looks left for
 * its namespace some owners are not looked at. They have their turn in the next rounds,
 * before those that were: these are due again since the first of these rounds.
 */
static bool lt_owner_may_look(const struct lt_owner *owner)
{
	struct lt_net *ln = owner->ln;

	if (ln->sweep_round != lt_owner_round) {
		if (ln->sweep_left || !ln->sweep_round)
			ln->sweep_before = jiffies;
		ln->sweep_round = lt_owner_round;
		ln->sweep_left = LT_OWNER_ROUND_MAX;
	}
	if (!ln->sweep_left || time_after32(owner->due, ln->sweep_before))
		return false;

	ln->sweep_left--;
	return true;
}

/* Look at some of the owners that are due. Whoever was looked at is due later, or gone.
 * While others move owners to the front, the list may lead there again and again: no more
 * steps are made than it has owners. Return: true if there may be more that are due.
 */
static bool lt_owner_sweep_some(struct lt_owner_shard *shard)
{
	unsigned int steps = READ_ONCE(shard->count);
	unsigned int left = LT_OWNER_LOOKS;
	struct lt_owner *owner;

	rcu_read_lock();
	hlist_for_each_entry_rcu(owner, &shard->ages, age) {
		if (!steps--)
			break;
		if (!lt_owner_is(owner, LT_OWNER_ENDED) &&
		    (time_before32((u32)jiffies, owner->due) ||
		     !lt_owner_may_look(owner)))
			continue;
		if (lt_owner_is_over(owner)) {
			spin_lock_bh(&shard->lock);
			/* It may have been replaced meanwhile. */
			if (!hlist_unhashed(&owner->node))
				lt_owner_del(shard, owner);
			spin_unlock_bh(&shard->lock);
		}
		if (!--left)
			break;
	}
	rcu_read_unlock();

	return !left;
}

/* Free what waits for others to be freed with. */
static void lt_owner_free_dead(struct lt_owner_shard *shard)
{
	spin_lock_bh(&shard->lock);
	lt_owner_free_batch(&shard->dead);
	spin_unlock_bh(&shard->lock);
}

static void lt_owner_sweep_shard(struct lt_owner_shard *shard)
{
	mutex_lock(&lt_owner_sweep_lock);
	while (lt_owner_sweep_some(shard))
		cond_resched();
	lt_owner_free_dead(shard);
	mutex_unlock(&lt_owner_sweep_lock);
	cond_resched();
}

static void lt_owner_sweep(struct work_struct *work)
{
	unsigned int first = get_random_u32() & (LT_OWNER_SHARDS - 1);
	struct lt_owner_shard *shard;
	bool any = false;
	unsigned int i;

	lt_owner_round++;
	for (i = 0; i < LT_OWNER_SHARDS; i++) {
		shard = &lt_owner_shards[(first + i) & (LT_OWNER_SHARDS - 1)];
		if (!READ_ONCE(shard->count))
			continue;
		any = true;
		lt_owner_sweep_shard(shard);
	}

	if (any)
		queue_delayed_work(system_unbound_wq, &lt_owner_work, LT_OWNER_ROUND);
}

/**
 * lt_owners_flush() - drop all owners of a namespace
 * @ln: the module's part of it
 *
 * Context: may sleep.
 */
void lt_owners_flush(struct lt_net *ln)
{
	struct lt_owner_shard *shard;
	struct hlist_node *next;
	struct lt_owner *owner;
	unsigned int i;

	if (!READ_ONCE(ln->owned))
		return;

	mutex_lock(&lt_owner_sweep_lock);
	for (i = 0; i < BIT(lt_owner_bits); i++) {
		if (hlist_empty(&lt_owner_chains[i]))
			continue;
		shard = lt_owner_shard(i);
		spin_lock_bh(&shard->lock);
		hlist_for_each_entry_safe(owner, next, &lt_owner_chains[i], node)
			if (owner->ln == ln)
				lt_owner_del(shard, owner);
		lt_owner_free_batch(&shard->dead);
		spin_unlock_bh(&shard->lock);
	}
	mutex_unlock(&lt_owner_sweep_lock);
}

/**
 * lt_owners_init() - prepare the table
 * @dead: called by the sweep, under the RCU read lock, for a UDP flow whose last
 *	sender is gone; returns true if it has ended the flow
 *
 * As large as conntrack's own is, within limits.
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int __init lt_owners_init(bool (*dead)(struct lt_owner *owner, struct nf_conn *ct))
{
	unsigned int i;
	int err;

	lt_owner_dead = dead;
	lt_owner_bits = clamp_t(unsigned int, ilog2(nf_conntrack_htable_size | 1),
				LT_OWNER_BITS_MIN, LT_OWNER_BITS_MAX);
	lt_owner_chains = kvcalloc(BIT(lt_owner_bits), sizeof(*lt_owner_chains),
				   GFP_KERNEL);
	if (!lt_owner_chains)
		return -ENOMEM;

	for (i = 0; i < LT_OWNER_SHARDS; i++)
		spin_lock_init(&lt_owner_shards[i].lock);
	lt_shares_init();

	err = lt_owner_pool_init();
	if (err)
		kvfree(lt_owner_chains);

	return err;
}

/**
 * lt_owners_exit() - undo lt_owners_init()
 *
 * Context: may sleep; no namespace has owners.
 */
void lt_owners_exit(void)
{
	cancel_delayed_work_sync(&lt_owner_work);
	lt_owner_pool_exit();
	kvfree(lt_owner_chains);
}
