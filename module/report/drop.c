// SPDX-License-Identifier: GPL-2.0
/* Traced packets that the kernel drops, and why. */

#include <linux/hash.h>
#include <linux/irq_work.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <linux/workqueue.h>
#include <net/genetlink.h>
#include <trace/events/skb.h>

#include "net.h"
#include "report/drop.h"
#include "report/drop_look.h"
#include "report/nlmsg.h"

/*
 * The tracepoint kfree_skb tells which packet the kernel drops, why, and which function
 * does it. Hooks note each traced packet in a slot that its address chooses; a probe
 * looks into the slot of what is freed. There is one probe for each namespace where
 * somebody traces, with the slots of that namespace: none knows of another's packets.
 *
 * Packets are freed with preemption off, also by interrupts, under any lock. So the probe
 * takes but a raw lock and allocates nothing; what it finds goes into a ring of constant
 * size. To queue a work would take the lock of a pool of workers, and who frees a packet
 * may have that one: the console sends by netconsole, from wherever the kernel prints. An
 * irq_work needs no lock. It queues the work, and that one sends.
 *
 * A packet that arrives safely is freed without a word. Its slot stays:
 *
 *	CPU 0					CPU 1
 *	a hook notes a packet
 *						its reader consumes it
 *	another packet gets that memory,
 *	passes no hook, and is dropped: the
 *	probe finds the slot
 *
 * So the packet must still have the addresses, ports, length and number that it had in
 * the hook. A field of struct sk_buff that others use for something else tells nothing,
 * among them its device, once it is in a queue.
 *
 * The memory may also get into another namespace, by veth, with the packet in it. Who
 * traces here must not learn what happens there: the packet must be where it cannot leave
 * without another hook, or have a device of this namespace. The pointer to that device is
 * compared with those that are there, by the work, and never followed.
 */
#define LT_DROP_SLOT_BITS	9
#define LT_DROP_RING		256U

/* Long names of functions are cut. */
#define LT_DROP_NAME		128

/**
 * struct lt_drop_slot - a packet that a hook has seen
 * @skb: its address, or NULL; changed under the lock
 * @look: how it looked
 * @sight: where it was
 */
struct lt_drop_slot {
	const struct sk_buff *skb;
	struct lt_drop_look look;
	struct lt_drop_sight sight;
};

/**
 * struct lt_drop - a packet that was dropped
 * @sight: where it was seen last
 * @time: when it was dropped, in nanoseconds since 1970
 * @location: in which function
 * @dev: what it had where others have their device; never followed
 * @reason: as the kernel numbers it
 */
struct lt_drop {
	struct lt_drop_sight sight;
	u64 time;
	const void *location;
	const struct net_device *dev;
	u32 reason;
};

/**
 * struct lt_drops - the traced packets of a namespace
 * @ln: the module's part of it
 * @lock: protects the rest but for the works; raw, see above
 * @kick: queues @tell
 * @tell: tells what is in @ring
 * @first: index in @ring of the next drop to be sent
 * @count: how many there are
 * @lost: how many did not fit
 * @ring: those to be told
 * @slots: packets that were seen
 */
struct lt_drops {
	struct lt_net *ln;
	raw_spinlock_t lock;	/* see above */
	struct irq_work kick;
	struct work_struct tell;
	unsigned int first;
	unsigned int count;
	unsigned int lost;
	struct lt_drop ring[LT_DROP_RING];
	struct lt_drop_slot slots[1 << LT_DROP_SLOT_BITS];
};

static struct lt_drop_slot *lt_drop_slot(struct lt_drops *drops,
					 const struct sk_buff *skb)
{
	return &drops->slots[hash_ptr(skb, LT_DROP_SLOT_BITS)];
}

/**
 * lt_drop_note() - a traced packet was seen: have it told if it is dropped
 * @ln: the module's part of the network namespace
 * @skb: the packet
 * @sight: where it was seen, and who traces it
 *
 * Context: as a hook, with its RCU read lock.
 */
void lt_drop_note(const struct lt_net *ln, const struct sk_buff *skb,
		  const struct lt_drop_sight *sight)
{
	struct lt_drops *drops = rcu_dereference(ln->drops);
	struct lt_drop_slot *slot;
	struct lt_drop_look look;
	unsigned long flags;

	if (!drops || !lt_drop_look(skb, &look))
		return;

	slot = lt_drop_slot(drops, skb);
	raw_spin_lock_irqsave(&drops->lock, flags);
	WRITE_ONCE(slot->skb, skb);
	slot->look = look;
	slot->sight = *sight;
	raw_spin_unlock_irqrestore(&drops->lock, flags);
}

/* Put a drop into the ring, under the lock. */
static void lt_drop_put(struct lt_drops *drops, const struct lt_drop_slot *slot,
			const struct lt_drop *drop)
{
	struct lt_drop *place;

	if (drops->count == LT_DROP_RING) {
		drops->lost++;
		return;
	}

	place = &drops->ring[(drops->first + drops->count++) % LT_DROP_RING];
	*place = *drop;
	place->sight = slot->sight;
}

/* A packet with the address of one that was seen. */
static noinline void lt_drop_take(struct lt_drops *drops, const struct sk_buff *skb,
				  const struct lt_drop *drop)
{
	struct lt_drop_slot *slot = lt_drop_slot(drops, skb);
	struct lt_drop_look look;
	unsigned long flags;
	bool is_it;

	if (!lt_drop_look(skb, &look))
		return;

	raw_spin_lock_irqsave(&drops->lock, flags);
	is_it = slot->skb == skb && !memcmp(&slot->look, &look, sizeof(look));
	if (is_it) {
		WRITE_ONCE(slot->skb, NULL);
		lt_drop_put(drops, slot, drop);
	}
	raw_spin_unlock_irqrestore(&drops->lock, flags);

	if (is_it)
		irq_work_queue(&drops->kick);
}

/* Called with preemption off, by whoever frees a packet, in any context; what
 * is consumed is not told by this tracepoint.
 */
static void LT_COMPAT_KFREE_SKB_PROBE(lt_drop_probe)
{
	struct lt_drops *drops = data;
	struct lt_drop drop;

	if (likely(READ_ONCE(lt_drop_slot(drops, skb)->skb) != skb))
		return;

	drop.time = ktime_get_real_ns();
	drop.location = location;
	drop.dev = skb->dev;
	drop.reason = reason;
	lt_drop_take(drops, skb, &drop);
}

static void lt_drop_kicked(struct irq_work *kick)
{
	struct lt_drops *drops = container_of(kick, struct lt_drops, kick);

	schedule_work(&drops->tell);
}

/* Is the packet in the namespace of who traces it? On its way out and in it has got
 * a device; behind LOCAL_OUT and LOCAL_IN it may have something else there, but it cannot
 * leave: it comes by POST_ROUTING, or stays with its socket.
 */
static bool lt_drop_is_here(const struct lt_net *ln, const struct lt_drop *drop)
{
	const struct net_device *dev;

	if (drop->sight.hook == NF_INET_LOCAL_OUT ||
	    drop->sight.hook == NF_INET_LOCAL_IN)
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

static void lt_drop_tell(struct work_struct *work)
{
	struct lt_drops *drops = container_of(work, struct lt_drops, tell);
	const struct lt_net *ln = drops->ln;
	struct lt_tracer *tr;
	struct lt_drop drop;
	u32 lost;

	while (lt_drop_next(drops, &drop, &lost)) {
		rcu_read_lock();
		if (!lt_drop_is_here(ln, &drop))
			drop.sight.count = 0;
		list_for_each_entry_rcu(tr, &ln->tracers, list) {
			/* It isn't known whose they were. */
			atomic_add(lost, &tr->lost);
			if (lt_drop_concerns(&drop, tr))
				lt_nlmsg_unicast(ln->net, tr->portid,
						 NF_LOOPTRACK_CMD_TRACE_DROP,
						 lt_drop_size(), lt_drop_fill,
						 &drop, &tr->lost);
		}
		rcu_read_unlock();
		cond_resched();
	}
}

/**
 * lt_drop_start() - learn which packets are dropped, for the first tracer of a namespace
 * @ln: the module's part of it
 *
 * Context: may sleep; with the lock of @ln.
 * Return: 0, also if the kernel tells nothing; -ENOMEM; or an error of
 * tracepoint_probe_register().
 */
int lt_drop_start(struct lt_net *ln)
{
	struct lt_drops *drops;
	int err;

	/* Without tracepoints, traces go without reasons. */
	if (!IS_ENABLED(CONFIG_TRACEPOINTS) || rcu_access_pointer(ln->drops))
		return 0;

	drops = kvzalloc(sizeof(*drops), GFP_KERNEL_ACCOUNT);
	if (!drops)
		return -ENOMEM;

	drops->ln = ln;
	raw_spin_lock_init(&drops->lock);
	init_irq_work(&drops->kick, lt_drop_kicked);
	INIT_WORK(&drops->tell, lt_drop_tell);
	err = register_trace_kfree_skb(lt_drop_probe, drops);
	if (err) {
		kvfree(drops);
		return err;
	}

	rcu_assign_pointer(ln->drops, drops);
	return 0;
}

/**
 * lt_drop_stop() - undo lt_drop_start(), behind the last tracer
 * @ln: the module's part of the namespace
 *
 * Context: may sleep; with the lock of @ln. Does nothing if there is nothing to undo.
 */
void lt_drop_stop(struct lt_net *ln)
{
	struct lt_drops *drops = rcu_replace_pointer(ln->drops, NULL,
						     lockdep_is_held(&ln->lock));

	if (!drops)
		return;

	/* Hooks and the probe are the first to end, then what queues the work, then the
	 * work.
	 */
	unregister_trace_kfree_skb(lt_drop_probe, drops);
	tracepoint_synchronize_unregister();
	synchronize_rcu();
	irq_work_sync(&drops->kick);
	cancel_work_sync(&drops->tell);
	kvfree(drops);
}
