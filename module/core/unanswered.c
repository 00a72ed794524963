// SPDX-License-Identifier: GPL-2.0
/* Flows that get no answer: a walk through conntrack's table finds them. */

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/rculist_nulls.h>
#include <linux/workqueue.h>
#include <net/netfilter/nf_conntrack_core.h>

#include "core/ct.h"
#include "core/nathook.h"
#include "core/unanswered.h"
#include "net.h"

/*
 * An entry does not tell how old it is, and its packets are not to pay for being
 * counted. So a work walks through conntrack's table. In each entry that has no
 * answer it counts, in two bits, the rounds that have met it so. The rounds are 0.8 s
 * apart for each entry: one that is met for the third time has gone without an answer
 * for 1.6 s. The next packet of it is looked at, which sets the count back to one: a
 * flow has its next turn after two more rounds. With TCP the first round is enough: it
 * looks at a SYN that is sent again, a second after the one before at least. So a round
 * is shorter than a second, also with the pause that may be before it: the first SYN
 * that is sent again finds its entry marked. The one after it, up to Linux 6.4 two
 * seconds later, is the first that can be healed.
 *
 * The walk has eight turns in a round. A turn ends after LT_UNANSWERED_BUCKETS or
 * LT_UNANSWERED_ENTRIES, so that a round of a very large table takes longer, and
 * the walk never takes more of a CPU. An empty bucket takes six instructions.
 * Where no namespace has both NAT and entries there is no walk.
 */
#define LT_UNANSWERED_TURNS	8
#define LT_UNANSWERED_PAUSE	(HZ / 10 + 1)
/* Before it is seen whether there is something to walk for. */
#define LT_UNANSWERED_IDLE	(HZ / 10)
#define LT_UNANSWERED_BUCKETS	32768
#define LT_UNANSWERED_ENTRIES	8192

/* Buckets that are walked without letting go of the RCU read lock. */
#define LT_UNANSWERED_RUN	1024

/* Orders the start and the end of the walk, by process context only. */
static DEFINE_MUTEX(lt_unanswered_lock);
static bool lt_unanswered_armed;	/* all namespaces have been told; under the lock */

/* Protects the list of namespaces to walk for. Nests inside lt_unanswered_lock. */
static DEFINE_MUTEX(lt_unanswered_list_lock);
static LIST_HEAD(lt_unanswered_nets);

/* Is an entry to be counted, and may it become due? Set before there is a walk. */
static bool (*lt_unanswered_wants)(struct lt_net *ln, struct nf_conn *ct, bool due);

static unsigned int lt_unanswered_bucket;	/* the next one; the walk's own */

static void lt_unanswered_walk(struct work_struct *work);
static DECLARE_DELAYED_WORK(lt_unanswered_work, lt_unanswered_walk);

static bool lt_unanswered_move(struct nf_conn *ct, u64 to)
{
	unsigned long old = READ_ONCE(ct->status);

	return cmpxchg(&ct->status, old,
		       (unsigned long)((old & ~LT_UNANSWERED_DUE) | to)) == old;
}

/**
 * lt_unanswered_take() - look at a packet that is due
 * @ct: its entry
 *
 * Context: any.
 * Return: false if another CPU looks at one.
 */
bool lt_unanswered_take(struct nf_conn *ct)
{
	return lt_unanswered_is_due(ct) &&
	       lt_unanswered_move(ct, LT_UNANSWERED_ONCE);
}

/**
 * lt_unanswered_still() - does a flow go without an answer, and can it get one
 * @ct: its entry
 *
 * Context: any.
 * Return: true for UDP, ICMP echo and TCP in SYN_SENT, whose entry is in the hash
 * and has seen no reply.
 */
bool lt_unanswered_still(const struct nf_conn *ct)
{
	unsigned long status = READ_ONCE(ct->status);

	if (status & (IPS_SEEN_REPLY | IPS_DYING) || !(status & IPS_CONFIRMED))
		return false;

	switch (nf_ct_protonum(ct)) {
	case IPPROTO_UDP:
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return true;
	case IPPROTO_TCP:
		return READ_ONCE(ct->proto.tcp.state) == TCP_CONNTRACK_SYN_SENT;
	default:
		return false;
	}
}

/* Under the RCU read lock. The memory of an entry may become another one's as long
 * as no reference is held: of what was read before nothing counts.
 */
static void lt_unanswered_count(struct nf_conn *ct)
{
	struct lt_net *ln;
	u64 count;

	if (!refcount_inc_not_zero(&ct->ct_general.use))
		return;
	/* What the entry says is read after that. */
	smp_acquire__after_ctrl_dep();

	count = (u64)READ_ONCE(ct->status) & LT_UNANSWERED_DUE;
	ln = lt_net(nf_ct_net(ct));
	if (lt_unanswered_still(ct) && count != LT_UNANSWERED_DUE &&
	    !nf_ct_is_expired(ct) && READ_ONCE(ln->natted)) {
		count += LT_UNANSWERED_ONCE;
		/* There are few SYNs, further and further apart. */
		if (nf_ct_protonum(ct) == IPPROTO_TCP)
			count = LT_UNANSWERED_DUE;
		/* If the status has just been changed the next round counts. */
		if (lt_unanswered_wants(ln, ct, count == LT_UNANSWERED_DUE))
			lt_unanswered_move(ct, count);
	}
	nf_ct_put(ct);
}

/* Under the RCU read lock. Return: how many entries were looked at. */
static unsigned int lt_unanswered_chain(const struct hlist_nulls_head *chain)
{
	const struct nf_conntrack_tuple_hash *h;
	const struct hlist_nulls_node *n;
	unsigned int looks = 0;
	struct nf_conn *ct;

	hlist_nulls_for_each_entry_rcu(h, n, chain, hnnode) {
		looks++;
		ct = nf_ct_tuplehash_to_ctrack(h);
		if (NF_CT_DIRECTION(h) == IP_CT_DIR_ORIGINAL &&
		    lt_unanswered_still(ct))
			lt_unanswered_count(ct);
	}

	return looks;
}

/* The table and its size belong together. Under the RCU read lock, which keeps the
 * table when another takes its place.
 */
static struct hlist_nulls_head *lt_unanswered_table(unsigned int *size)
{
	spinlock_t *lock = &nf_conntrack_locks[0];	/* conntrack's; held to change them */
	struct hlist_nulls_head *table;

	local_bh_disable();
	nf_conntrack_lock(lock);
	__acquire(lock);	/* which its declaration doesn't tell sparse */
	table = nf_conntrack_hash;
	*size = nf_conntrack_htable_size;
	spin_unlock(lock);
	local_bh_enable();

	return table;
}

/* Return: how many entries were looked at; the walk is at its end if @left is 0. */
static unsigned int lt_unanswered_run(unsigned int *left)
{
	unsigned int size, end, looks = 0, i = lt_unanswered_bucket;
	const struct hlist_nulls_head *table, *chain, *last;

	rcu_read_lock();
	table = lt_unanswered_table(&size);
	/* The first run of a turn says how far it goes. */
	*left = min(*left, DIV_ROUND_UP(size, LT_UNANSWERED_TURNS));
	end = min(size, i + min_t(u32, *left, LT_UNANSWERED_RUN));
	*left -= min(*left, end - min(end, i));
	last = &table[max(end, i)];
	for (chain = &table[i]; chain < last; chain++) {
		/* Most are empty, and this is where the time goes. */
		if (likely(is_a_nulls(READ_ONCE(chain->first))))
			continue;
		looks += lt_unanswered_chain(chain);
		if (looks >= LT_UNANSWERED_ENTRIES) {
			chain++;
			break;
		}
	}
	i = chain - table;
	if (i >= size) {
		i = 0;
		*left = 0;
	}
	lt_unanswered_bucket = i;
	rcu_read_unlock();

	return looks;
}

static bool lt_unanswered_has_nat(const struct net *net)
{
	return nf_conntrack_count(net) &&
	       (lt_nathook_find(net, NFPROTO_IPV4, NF_INET_PRE_ROUTING) ||
		lt_nathook_find(net, NFPROTO_IPV6, NF_INET_PRE_ROUTING));
}

/* Where is something to be found? */
static bool lt_unanswered_begin(void)
{
	struct lt_net *ln;
	bool any = false;

	mutex_lock(&lt_unanswered_list_lock);
	list_for_each_entry(ln, &lt_unanswered_nets, unanswered) {
		rcu_read_lock();
		WRITE_ONCE(ln->natted, lt_unanswered_has_nat(ln->net));
		rcu_read_unlock();
		any = any || ln->natted;
	}
	mutex_unlock(&lt_unanswered_list_lock);

	return any;
}

static void lt_unanswered_walk(struct work_struct *work)
{
	unsigned int left = LT_UNANSWERED_BUCKETS, looks = 0;
	unsigned long pause = LT_UNANSWERED_PAUSE;

	if (!lt_unanswered_bucket && !lt_unanswered_begin()) {
		pause = LT_UNANSWERED_IDLE;
		left = 0;
	}
	while (left && looks < LT_UNANSWERED_ENTRIES) {
		looks += lt_unanswered_run(&left);
		cond_resched();
	}

	queue_delayed_work(system_unbound_wq, &lt_unanswered_work, pause);
}

/**
 * lt_unanswered_start() - look for flows without an answer in one namespace more
 * @ln: the module's part of it
 *
 * Context: may sleep.
 */
void lt_unanswered_start(struct lt_net *ln)
{
	bool first;

	mutex_lock(&lt_unanswered_lock);
	mutex_lock(&lt_unanswered_list_lock);
	first = list_empty(&lt_unanswered_nets);
	list_add(&ln->unanswered, &lt_unanswered_nets);
	mutex_unlock(&lt_unanswered_list_lock);
	if (first && lt_unanswered_armed)
		queue_delayed_work(system_unbound_wq, &lt_unanswered_work, 0);
	mutex_unlock(&lt_unanswered_lock);
}

/**
 * lt_unanswered_stop() - undo lt_unanswered_start()
 * @ln: the module's part of the namespace
 *
 * Context: may sleep. For the last namespace there is no walk when it returns.
 */
void lt_unanswered_stop(struct lt_net *ln)
{
	bool last;

	mutex_lock(&lt_unanswered_lock);
	mutex_lock(&lt_unanswered_list_lock);
	list_del(&ln->unanswered);
	WRITE_ONCE(ln->natted, false);
	last = list_empty(&lt_unanswered_nets);
	mutex_unlock(&lt_unanswered_list_lock);
	if (last)
		cancel_delayed_work_sync(&lt_unanswered_work);
	mutex_unlock(&lt_unanswered_lock);
}

/**
 * lt_unanswered_arm() - all namespaces have their part of the module now
 *
 * The walk meets entries of all of them.
 *
 * Context: may sleep.
 */
void __init lt_unanswered_arm(void)
{
	mutex_lock(&lt_unanswered_lock);
	lt_unanswered_armed = true;
	if (!list_empty(&lt_unanswered_nets))
		queue_delayed_work(system_unbound_wq, &lt_unanswered_work, 0);
	mutex_unlock(&lt_unanswered_lock);
}

/**
 * lt_unanswered_init() - say what is looked for
 * @wants: called by the walk, under the RCU read lock, for an entry without an
 *	answer, of a namespace with NAT; and whether it is about to become due.
 *	Returns true if that is to be noted.
 */
void __init lt_unanswered_init(bool (*wants)(struct lt_net *ln, struct nf_conn *ct,
					     bool due))
{
	lt_unanswered_wants = wants;
}
