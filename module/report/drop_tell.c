// SPDX-License-Identifier: GPL-2.0
/* Drops of a namespace, told to who traces there. */

#include <linux/irq_work.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/workqueue.h>
#include <net/genetlink.h>
#include <trace/events/skb.h>

#include "net.h"
#include "report/drop_tell.h"
#include "report/nlmsg.h"

/*
 * Packets are freed in any context, under any lock. So a drop goes into a ring of constant
 * size. To queue a work would take the lock of a pool of workers, and who frees a packet
 * may have that one: the console sends by netconsole, from wherever the kernel prints. An
 * irq_work needs no lock. It queues the work, and that one sends.
 */
#define LT_DROP_RING		256U

/* So many are sent before the work makes room for other works. */
#define LT_DROP_BATCH		64

/* Long names of functions are cut. */
#define LT_DROP_NAME		128

/**
 * struct lt_drops - the drops of a namespace that are to be told
 * @ln: the module's part of it
 * @lock: protects the rest but for the works; raw, as drops come in any context
 * @kick: queues @tell
 * @tell: tells what is in @ring
 * @first: index in @ring of the next drop to be sent
 * @count: how many there are
 * @lost: how many did not fit
 * @ring: the drops
 */
struct lt_drops {
	const struct lt_net *ln;
	raw_spinlock_t lock;	/* see above */
	struct irq_work kick;
	struct work_struct tell;
	unsigned int first;
	unsigned int count;
	unsigned int lost;
	struct lt_drop ring[LT_DROP_RING];
};

static void lt_drop_kicked(struct irq_work *kick)
{
	struct lt_drops *drops = container_of(kick, struct lt_drops, kick);

	queue_work(system_unbound_wq, &drops->tell);
}

/* Behind LOCAL_IN most have a device, or none. UDP has numbers there, and TCP anything. */
static bool lt_drop_has_device(const struct lt_drop *drop)
{
	return drop->sight.tuple.dst.protonum != IPPROTO_TCP &&
	       (unsigned long)drop->dev >= PAGE_OFFSET;
}

/* Is the packet in the namespace of who traces it? It may have got into another one, by
 * veth, and who traces here must not learn what happens there; or another packet has its
 * memory now, and looks the same. On its way out and in it has a device, which must be one
 * of this namespace. Behind LOCAL_OUT it may have something else there, but it cannot
 * leave without passing POST_ROUTING; behind LOCAL_IN it stays with its socket.
 */
static bool lt_drop_is_here(const struct lt_net *ln, const struct lt_drop *drop)
{
	const struct net_device *dev;

	if (drop->sight.hook == NF_INET_LOCAL_OUT ||
	    (drop->sight.hook == NF_INET_LOCAL_IN && !lt_drop_has_device(drop)))
		return true;

	for_each_netdev_rcu(ln->net, dev)
		if (dev == drop->dev)
			return true;

	return false;
}

static int lt_drop_put_reason(struct sk_buff *msg, u32 reason)
{
	const char *name = lt_compat_drop_reason(reason);
	char number[12];

	if (!name) {
		snprintf(number, sizeof(number), "%u", reason);
		name = number;
	}
	return nla_put_string(msg, NF_LOOPTRACK_A_TRACE_REASON, name);
}

/* Not where it is in memory, which user space must not learn: that is what the kernel
 * writes if the function has no name.
 */
static int lt_drop_put_function(struct sk_buff *msg, const void *location)
{
	char name[LT_DROP_NAME];

	snprintf(name, sizeof(name), "%ps", location);
	/* A module's is followed by its module. */
	*strchrnul(name, ' ') = '\0';
	if (!*name || strstarts(name, "0x"))
		return 0;

	return nla_put_string(msg, NF_LOOPTRACK_A_TRACE_FUNCTION, name);
}

static int lt_drop_fill(struct sk_buff *msg, const void *what, u32 lost)
{
	const struct lt_drop *drop = what;
	const struct lt_drop_sight *sight = &drop->sight;

	if (nla_put_u64_64bit(msg, NF_LOOPTRACK_A_TRACE_TIME, drop->time,
			      NF_LOOPTRACK_A_TRACE_PAD) ||
	    nla_put_u8(msg, NF_LOOPTRACK_A_TRACE_PROTOCOL,
		       sight->tuple.dst.protonum) ||
	    lt_nlmsg_put_tuple(msg, NF_LOOPTRACK_A_TRACE_FLOW, &sight->tuple) ||
	    nla_put_u32(msg, NF_LOOPTRACK_A_TRACE_HOOK, sight->hook) ||
	    nla_put_u32(msg, NF_LOOPTRACK_A_TRACE_STAGE, sight->stage) ||
	    (sight->pass &&
	     nla_put_u32(msg, NF_LOOPTRACK_A_TRACE_PASS, sight->pass)) ||
	    nla_put_u32(msg, NF_LOOPTRACK_A_TRACE_PACKET, sight->packet) ||
	    nla_put_u64_64bit(msg, NF_LOOPTRACK_A_TRACE_SEEN, sight->time,
			      NF_LOOPTRACK_A_TRACE_PAD) ||
	    lt_drop_put_reason(msg, drop->reason) ||
	    lt_drop_put_function(msg, drop->location) ||
	    (lost && nla_put_u32(msg, NF_LOOPTRACK_A_TRACE_LOST, lost)))
		return -EMSGSIZE;

	return 0;
}

/* A tuple, two names, and room for the small ones. */
static size_t lt_drop_size(void)
{
	return lt_nlmsg_tuple_size() + 2 * nla_total_size(LT_DROP_NAME) +
	       2 * nla_total_size_64bit(sizeof(u64)) +
	       8 * nla_total_size(sizeof(u32));
}

static bool lt_drop_concerns(const struct lt_drop *drop, const struct lt_tracer *tr)
{
	unsigned int i;

	for (i = 0; i < drop->sight.count; i++)
		if (drop->sight.tracers[i] == tr->id)
			return true;

	return false;
}

/* Take the next one out of the ring. */
static bool lt_drop_next(struct lt_drops *drops, struct lt_drop *drop, u32 *lost)
{
	bool found;

	raw_spin_lock_irq(&drops->lock);
	*lost = drops->lost;
	drops->lost = 0;
	found = drops->count;
	if (found) {
		*drop = drops->ring[drops->first];
		drops->first = (drops->first + 1) % LT_DROP_RING;
		drops->count--;
	}
	raw_spin_unlock_irq(&drops->lock);

	return found;
}

static void lt_drop_send(const struct lt_net *ln, const struct lt_drop *drop, u32 lost)
{
	struct lt_tracer *tr;
	bool is_here;

	rcu_read_lock();
	is_here = lt_drop_is_here(ln, drop);
	list_for_each_entry_rcu(tr, &ln->tracers, list) {
		/* It isn't known whose they were. */
		atomic_add(lost, &tr->lost);
		if (is_here && lt_drop_concerns(drop, tr))
			lt_nlmsg_unicast(ln->net, tr->portid,
					 NF_LOOPTRACK_CMD_TRACE_DROP,
					 lt_drop_size(), lt_drop_fill, drop,
					 &tr->lost);
	}
	rcu_read_unlock();
}

/* Packets may be dropped as fast as this work reports them. So it reports a batch, and queues
 * itself again behind the works of others.
 */
static void lt_drop_tell(struct work_struct *work)
{
	struct lt_drops *drops = container_of(work, struct lt_drops, tell);
	struct lt_drop drop;
	unsigned int i;
	u32 lost;

	for (i = 0; i < LT_DROP_BATCH; i++) {
		if (!lt_drop_next(drops, &drop, &lost))
			return;
		lt_drop_send(drops->ln, &drop, lost);
	}
	queue_work(system_unbound_wq, work);
}

/**
 * lt_drops_alloc() - make a namespace's ring of drops
 * @ln: the module's part of the namespace
 *
 * Context: may sleep.
 * Return: NULL if there is no memory.
 */
struct lt_drops *lt_drops_alloc(const struct lt_net *ln)
{
	struct lt_drops *drops = kvzalloc(sizeof(*drops), GFP_KERNEL_ACCOUNT);

	if (!drops)
		return NULL;

	drops->ln = ln;
	raw_spin_lock_init(&drops->lock);
	init_irq_work(&drops->kick, lt_drop_kicked);
	INIT_WORK(&drops->tell, lt_drop_tell);
	return drops;
}

/**
 * lt_drops_put() - have a drop told
 * @drops: of the namespace where it was traced
 * @drop: copied
 *
 * Context: any but NMI.
 */
void lt_drops_put(struct lt_drops *drops, const struct lt_drop *drop)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&drops->lock, flags);
	if (drops->count == LT_DROP_RING)
		drops->lost++;
	else
		drops->ring[(drops->first + drops->count++) % LT_DROP_RING] = *drop;
	raw_spin_unlock_irqrestore(&drops->lock, flags);

	irq_work_queue(&drops->kick);
}

/**
 * lt_drops_free() - undo lt_drops_alloc()
 * @drops: the ring, which no probe uses any more; drops still in it are not reported
 *
 * Context: may sleep.
 */
void lt_drops_free(struct lt_drops *drops)
{
	/* First what queues the work, then the work. */
	irq_work_sync(&drops->kick);
	cancel_work_sync(&drops->tell);
	kvfree(drops);
}
