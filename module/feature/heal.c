// SPDX-License-Identifier: GPL-2.0
/* Feature heal: unanswered flows whose rules have changed get a new entry. */

#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include <net/sock.h>

#include "core/ct.h"
#include "core/nathook.h"
#include "core/unanswered.h"
#include "feature/heal.h"
#include "net.h"
#include "report/event.h"

/*
 * conntrack keeps the first answer of the NAT rules as long as packets of a flow come.
 * A client that sends again and again, because it gets no answer, keeps an entry alive
 * that was made before the rule was there, or that leads to a backend which is gone.
 *
 * core/unanswered.c finds flows that get no answer. A packet of such a flow is noted:
 * in front of NAT's choice of a destination, and again in front of that of a source,
 * with what only a packet has: device, marks, route, socket. The rest is done by a
 * work, a moment later: it asks the rules (heal_judge.c), often if need be, which
 * no packet should wait for. If they disagree with the entry, the entry is evicted,
 * and the flow's next packet passes all rules as that of any new flow does.
 *
 * What the rules say of a packet that is not there may differ from what they say of
 * a real one: they can match its length, its content, its TTL. Then the new entry is
 * as the old one was. So what was found wrong is remembered for a minute, and left
 * alone when it is found again.
 */
#define LT_HEAL_FORGET	(60 * HZ)
/* No other flow takes the place of one that may not have its new entry yet. With one
 * place for each flow two of a dozen would meet in 1,024 places once in 16 times, and the
 * second one would have to wait.
 */
#define LT_HEAL_FRESH	(6 * HZ)
#define LT_HEAL_PLACES	4

/* Namespaces whose rules are asked at the same time, and how long each is before the
 * next has its turn; a job more, which takes four seconds at most.
 */
#define LT_HEAL_WORKERS	4
#define LT_HEAL_TURN	(HZ / 10)

static struct workqueue_struct *lt_heal_workers;

static u8 lt_heal_mode(const struct lt_net *ln)
{
	return lt_mode(ln, NF_LOOPTRACK_FEATURE_HEAL);
}

static u64 lt_heal_memory(const struct lt_heal *heal, const struct nf_conn *ct,
			  bool enforce)
{
	const struct nf_conntrack_tuple *t = lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL);
	u32 flow, binding;

	flow = jhash(&t->src, sizeof(t->src), heal->seed ^ nf_ct_zone(ct)->id);
	flow = jhash(&t->dst, offsetofend(struct nf_conntrack_tuple, dst.protonum) -
		     offsetof(struct nf_conntrack_tuple, dst), flow);
	t = lt_ct_tuple(ct, IP_CT_DIR_REPLY);
	binding = jhash(&t->src.u3, sizeof(t->src.u3), flow);
	binding = jhash(&t->dst.u3, sizeof(t->dst.u3),
			binding + (__force u16)t->src.u.all);

	return (u64)flow << 32 | (binding & ~1) | enforce;
}

/* How long ago a place was written, in jiffies. */
static u32 lt_heal_age(const struct lt_heal *heal, unsigned int place)
{
	return heal->memories[place] ? (u32)jiffies - heal->since[place] : U32_MAX;
}

static bool lt_heal_has(const struct lt_heal *heal, unsigned int place, u64 memory)
{
	return heal->memories[place] >> 32 == memory >> 32;
}

/* The place of a flow: the one it has, or the oldest of those it may have. */
static unsigned int lt_heal_place(const struct lt_heal *heal, u64 memory)
{
	u32 first = memory >> 32;
	unsigned int i, place, oldest = first % LT_HEAL_MEMORIES;

	for (i = 0; i < LT_HEAL_PLACES; i++) {
		place = (first + i) % LT_HEAL_MEMORIES;
		if (lt_heal_has(heal, place, memory))
			return place;
		if (lt_heal_age(heal, place) > lt_heal_age(heal, oldest))
			oldest = place;
	}

	return oldest;
}

static bool lt_heal_remembers(const struct lt_heal *heal, u64 memory)
{
	unsigned int place = lt_heal_place(heal, memory);

	return heal->memories[place] == memory &&
	       lt_heal_age(heal, place) < LT_HEAL_FORGET;
}

/* Return: false if other flows have all places that this one may have. */
static bool lt_heal_remember(struct lt_heal *heal, u64 memory)
{
	unsigned int place = lt_heal_place(heal, memory);

	if (!lt_heal_has(heal, place, memory) &&
	    lt_heal_age(heal, place) < LT_HEAL_FRESH)
		return false;

	heal->memories[place] = memory;
	heal->since[place] = jiffies;
	return true;
}

/* The rules disagree with the entry. Under the RCU read lock. */
static void lt_heal_act(struct lt_heal *heal, const struct lt_heal_job *job,
			u64 memory, const struct nf_conntrack_tuple *wanted,
			bool enforce)
{
	struct lt_net *ln = heal->ln;
	struct nf_conn *ct = job->ct;
	struct lt_event ev;

	/* An answer may have come meanwhile. */
	if (!lt_unanswered_still(ct))
		return;
	if (!lt_heal_remember(heal, memory)) {
		lt_stats_inc(&ln->stats, HEAL_BUSY);
		return;
	}

	lt_stats_inc(&ln->stats, HEAL_SEEN);
	lt_event_describe(&ev, NF_LOOPTRACK_FEATURE_HEAL, ct, job->sk);
	ev.wanted = *wanted;
	ev.got = *lt_ct_tuple(ct, IP_CT_DIR_REPLY);
	if (enforce) {
		lt_ct_evict(ct);
		lt_stats_inc(&ln->stats, HEAL_EVICTED);
	}
	lt_event_send(ln->net, &ev, enforce ? NF_LOOPTRACK_DECISION_EVICTED :
					      NF_LOOPTRACK_DECISION_OBSERVED);
}

/*
 * Has the socket been closed? Rules that match its owner don't match it any more, and
 * what they say then is not what they said of the packet:
 *
 *	CPU 0, the work			CPU 1, the client
 *	the socket is open
 *					closes it
 *	asks; "owner" finds no user and
 *	does not match: the entry seems
 *	to be wrong
 *
 * So this is looked at before and after. A client that is gone needs no new entry.
 */
static bool lt_heal_is_closed(const struct lt_heal_job *job)
{
	return job->sk && !READ_ONCE(job->sk->sk_socket);
}

static void lt_heal_look(struct lt_heal *heal, const struct lt_heal_job *job)
{
	struct lt_net *ln = heal->ln;
	struct nf_conntrack_tuple wanted;
	u8 mode = lt_heal_mode(ln);
	bool enforce = mode == NF_LOOPTRACK_MODE_ENFORCE;
	u64 memory;

	if (mode == NF_LOOPTRACK_MODE_OFF || !lt_unanswered_still(job->ct) ||
	    !lt_ct_may_evict(job->ct) || lt_heal_is_closed(job))
		return;

	memory = lt_heal_memory(heal, job->ct, enforce);
	/* It has been reported. */
	if (!enforce && lt_heal_remembers(heal, memory))
		return;

	lt_stats_inc(&ln->stats, HEAL_ASKED);
	switch (lt_heal_judge(ln, job, &wanted)) {
	case LT_HEAL_RIGHT:
		break;
	case LT_HEAL_WRONG:
		if (lt_heal_is_closed(job))
			break;
		if (lt_heal_remembers(heal, memory)) {
			lt_stats_inc(&ln->stats, HEAL_AGAIN);
			break;
		}
		rcu_read_lock();
		lt_heal_act(heal, job, memory, &wanted, enforce);
		rcu_read_unlock();
		break;
	case LT_HEAL_RANDOM:
		lt_stats_inc(&ln->stats, HEAL_RANDOM);
		break;
	case LT_HEAL_FOREIGN:
		lt_stats_inc(&ln->stats, HEAL_FOREIGN);
		break;
	case LT_HEAL_BUSY:
		lt_stats_inc(&ln->stats, HEAL_BUSY);
		break;
	}
}

/**
 * lt_heal_queue() - have the jobs looked at
 * @heal: of the namespace
 * @delay: in how many jiffies
 *
 * Context: any.
 */
void lt_heal_queue(struct lt_heal *heal, unsigned long delay)
{
	queue_delayed_work(lt_heal_workers, &heal->work, delay);
}

static void lt_heal_work(struct work_struct *work)
{
	struct lt_heal *heal = container_of(to_delayed_work(work), struct lt_heal,
					    work);
	unsigned long end = jiffies + LT_HEAL_TURN;
	bool early = false;
	unsigned int i;

	for (i = 0; i < LT_HEAL_JOBS; i++) {
		struct lt_heal_job *job = &heal->jobs[heal->next % LT_HEAL_JOBS];

		if (time_after(jiffies, end)) {
			/* Behind the other namespaces. */
			lt_heal_queue(heal, 0);
			return;
		}
		heal->next++;

		if (!lt_heal_claim(job, LT_HEAL_READY))
			continue;
		if (time_before32((u32)jiffies, job->due)) {
			early = true;
			atomic_set_release(&job->state, LT_HEAL_READY);
			continue;
		}
		lt_heal_look(heal, job);
		lt_heal_release(job);
		cond_resched();
	}

	if (early)
		lt_heal_queue(heal, HZ / 10);
}

static struct lt_heal *lt_heal_alloc(struct lt_net *ln)
{
	struct lt_heal *heal = kzalloc(sizeof(*heal), GFP_NOWAIT | __GFP_NOWARN);

	if (!heal)
		return NULL;

	heal->ln = ln;
	heal->seed = get_random_u32();
	INIT_DELAYED_WORK(&heal->work, lt_heal_work);

	return heal;
}

/* What is sent to many is not answered, and NAT has nothing to do with it. */
static bool lt_heal_is_to_many(const struct nf_conn *ct)
{
	const struct nf_conntrack_tuple *t = lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL);

	if (t->src.l3num == NFPROTO_IPV6)
		return ipv6_addr_is_multicast(&t->dst.u3.in6);

	return ipv4_is_multicast(t->dst.u3.ip) || ipv4_is_lbcast(t->dst.u3.ip);
}

/**
 * lt_heal_wants() - is a flow without an answer of interest
 * @ln: the module's part of its network namespace, which has NAT
 * @ct: its entry
 * @due: its next packet is to be noted
 *
 * Context: RCU read lock; one at a time.
 * Return: false if not.
 */
bool lt_heal_wants(struct lt_net *ln, struct nf_conn *ct, bool due)
{
	if (lt_heal_is_to_many(ct))
		return false;
	if (!due)
		return true;

	if (!ln->heal)
		/* A hook that sees it sees it complete. */
		smp_store_release(&ln->heal, lt_heal_alloc(ln));
	if (!ln->heal)
		return false;
	lt_net_want(ln, LT_HOOK_HEAL);

	return true;
}

/**
 * lt_heal_is_possible() - can this kernel's rules be asked, and has an entry room
 *
 * Return: false on 32 bit, for one.
 */
bool lt_heal_is_possible(void)
{
	return lt_ct_has_room() && lt_nathook_is_possible();
}

/**
 * lt_heal_start() - look for flows without an answer
 * @ln: the module's part of the network namespace
 *
 * Context: may sleep.
 * Return: 0.
 */
int lt_heal_start(struct lt_net *ln)
{
	lt_unanswered_start(ln);

	return 0;
}

/**
 * lt_heal_init() - be ready for namespaces
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int __init lt_heal_init(void)
{
	/* The rules of one namespace may take long, and may be asked all the time:
	 * many such namespaces must not take the machine from others.
	 */
	lt_heal_workers = alloc_workqueue("looptrack_heal", WQ_UNBOUND,
					  LT_HEAL_WORKERS);

	return lt_heal_workers ? 0 : -ENOMEM;
}

/**
 * lt_heal_exit() - undo lt_heal_init()
 *
 * Context: may sleep. Each namespace has been given to lt_heal_free().
 */
void lt_heal_exit(void)
{
	destroy_workqueue(lt_heal_workers);
}

/**
 * lt_heal_free() - let go of a namespace that ends
 * @ln: the module's part of it; no hook and no walk is there
 *
 * Context: may sleep.
 */
void lt_heal_free(struct lt_net *ln)
{
	struct lt_heal *heal = ln->heal;
	unsigned int i;

	if (!heal)
		return;

	cancel_delayed_work_sync(&heal->work);
	for (i = 0; i < LT_HEAL_JOBS; i++)
		if (lt_heal_claim(&heal->jobs[i], LT_HEAL_READY))
			lt_heal_release(&heal->jobs[i]);
	kfree(heal);
}
