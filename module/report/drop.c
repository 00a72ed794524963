// SPDX-License-Identifier: GPL-2.0
/* Traced packets that the kernel drops, and why. */

#include <linux/hash.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <trace/events/skb.h>

#include "core/tracepoint.h"
#include "net.h"
#include "report/drop.h"
#include "report/drop_look.h"
#include "report/drop_tell.h"

/*
 * The tracepoint kfree_skb tells which packet the kernel drops, why, and which function
 * does it. Hooks note each traced packet in a slot that its address chooses; a probe
 * looks into the slot of what is freed. There is one table of slots and one probe,
 * however many namespaces have traces: all packets of the host pay for it. A slot names
 * the namespace whose hook saw the packet last. Only traces of that namespace report its
 * drop.
 *
 * Packets are freed with preemption off, also by interrupts, under any lock. So the probe
 * takes but raw locks, one at a time, and allocates nothing.
 *
 * A packet that arrives safely must leave no slot, or another one is taken for it:
 *
 *	CPU 0					CPU 1
 *	a hook notes a packet
 *						its reader consumes it
 *	another packet gets that memory,
 *	passes no hook, and is dropped: the
 *	probe finds the slot
 *
 * So a probe of the tracepoint consume_skb clears the slot. But TCP, which joins packets,
 * frees what it has read without telling anybody. So the packet must also have the
 * addresses, ports, length and number that it had in the hook. That would not do without
 * the probe: datagrams of one socket may be equal. A field of struct sk_buff that others use
 * for something else tells nothing, among them its device, once it is in a queue.
 *
 * Two packets may have the same slot. Then the later one replaces the earlier one, whose
 * drop is not reported.
 */
#define LT_DROP_SLOT_BITS	12

/**
 * struct lt_drop_slot - a packet that a hook has seen
 * @lock: protects the rest; raw, see above
 * @skb: its address, or NULL; also read without the lock, to leave early
 * @drops: of the namespace it was seen in
 * @look: how it looked
 * @sight: where it was
 */
struct lt_drop_slot {
	raw_spinlock_t lock;	/* see above */
	const struct sk_buff *skb;
	struct lt_drops *drops;
	struct lt_drop_look look;
	struct lt_drop_sight sight;
};

/**
 * struct lt_drop_table - the traced packets of all namespaces
 * @slots: by address
 */
struct lt_drop_table {
	struct lt_drop_slot slots[1 << LT_DROP_SLOT_BITS];
};

static struct tracepoint *lt_drop_consume_tp;	/* set once, before there are users */
static DEFINE_MUTEX(lt_drop_lock);	/* protects the next two */
static unsigned int lt_drop_users;	/* namespaces with traces */
static struct lt_drop_table __rcu *lt_drop_table;	/* read by hooks under RCU */

static struct lt_drop_slot *lt_drop_slot(struct lt_drop_table *table,
					 const struct sk_buff *skb)
{
	return &table->slots[hash_ptr(skb, LT_DROP_SLOT_BITS)];
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
	struct lt_drop_table *table = rcu_dereference(lt_drop_table);
	struct lt_drops *drops = rcu_dereference(ln->drops);
	struct lt_drop_slot *slot;
	struct lt_drop_look look;
	unsigned long flags;

	if (!table || !drops || !lt_drop_look(skb, &look))
		return;

	slot = lt_drop_slot(table, skb);
	raw_spin_lock_irqsave(&slot->lock, flags);
	WRITE_ONCE(slot->skb, skb);
	slot->drops = drops;
	slot->look = look;
	slot->sight = *sight;
	raw_spin_unlock_irqrestore(&slot->lock, flags);
}

/* A packet with the address of one that was seen: either it is that one, or that one is
 * no more.
 */
static noinline void lt_drop_take(struct lt_drop_slot *slot, const struct sk_buff *skb,
				  const void *location, u32 reason)
{
	struct lt_drop drop = {
		.location = location, .dev = skb->dev, .reason = reason,
	};
	struct lt_drops *drops = NULL;
	unsigned long flags;

	raw_spin_lock_irqsave(&slot->lock, flags);
	if (slot->skb == skb && lt_drop_looks_so(skb, &slot->look)) {
		drops = slot->drops;
		drop.sight = slot->sight;
	}
	if (slot->skb == skb)
		WRITE_ONCE(slot->skb, NULL);
	raw_spin_unlock_irqrestore(&slot->lock, flags);
	if (!drops)
		return;

	/* Another clock may spin here: who frees the packet may be setting the time. */
	drop.time = ktime_get_real_fast_ns();
	lt_drops_put(drops, &drop);
}

/* Clear the slot if this packet has it: its drop must not be reported. */
static void lt_drop_clear(struct lt_drop_slot *slot, const struct sk_buff *skb)
{
	unsigned long flags;

	if (likely(READ_ONCE(slot->skb) != skb))
		return;

	raw_spin_lock_irqsave(&slot->lock, flags);
	if (slot->skb == skb)
		WRITE_ONCE(slot->skb, NULL);
	raw_spin_unlock_irqrestore(&slot->lock, flags);
}

/**
 * lt_drop_forget() - do not report the drop of a packet, which no trace follows any more
 * @ln: the module's part of the network namespace
 * @skb: the packet
 *
 * Context: as a hook, with its RCU read lock.
 */
void lt_drop_forget(const struct lt_net *ln, const struct sk_buff *skb)
{
	struct lt_drop_table *table = rcu_dereference(lt_drop_table);

	if (table && rcu_access_pointer(ln->drops))
		lt_drop_clear(lt_drop_slot(table, skb), skb);
}

/* Both are called with preemption off, by whoever frees a packet, in any context. */
static void LT_COMPAT_KFREE_SKB_PROBE(lt_drop_probe)
{
	struct lt_drop_slot *slot = lt_drop_slot(data, skb);

	if (unlikely(READ_ONCE(slot->skb) == skb))
		lt_drop_take(slot, skb, location, reason);
}

static void LT_COMPAT_CONSUME_SKB_PROBE(lt_drop_consumed)
{
	lt_drop_clear(lt_drop_slot(data, skb), skb);
}

/* Return: 0 or an error. After an error no probe is registered, and none is running. */
static int lt_drop_watch(struct lt_drop_table *table)
{
	int err = tracepoint_probe_register(lt_drop_consume_tp, lt_drop_consumed, table);

	if (err)
		return err;

	err = register_trace_kfree_skb(lt_drop_probe, table);
	if (err) {
		tracepoint_probe_unregister(lt_drop_consume_tp, lt_drop_consumed, table);
		tracepoint_synchronize_unregister();
	}
	return err;
}

/* Make the table and have the probes look into it. */
static int lt_drop_begin(void)
{
	struct lt_drop_table *table = kvzalloc(sizeof(*table), GFP_KERNEL_ACCOUNT);
	unsigned int i;
	int err;

	if (!table)
		return -ENOMEM;

	for (i = 0; i < ARRAY_SIZE(table->slots); i++)
		raw_spin_lock_init(&table->slots[i].lock);
	err = lt_drop_watch(table);
	if (err)
		kvfree(table);
	else
		rcu_assign_pointer(lt_drop_table, table);

	return err;
}

/* One namespace more. */
static int lt_drop_join(void)
{
	int err = 0;

	mutex_lock(&lt_drop_lock);
	if (!lt_drop_users)
		err = lt_drop_begin();
	if (!err)
		lt_drop_users++;
	mutex_unlock(&lt_drop_lock);

	return err;
}

/* Forget what was seen in a namespace. */
static void lt_drop_forget_all(struct lt_drop_table *table, const struct lt_drops *drops)
{
	struct lt_drop_slot *slot;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(table->slots); i++) {
		slot = &table->slots[i];
		raw_spin_lock_irq(&slot->lock);
		if (slot->drops == drops)
			WRITE_ONCE(slot->skb, NULL);
		raw_spin_unlock_irq(&slot->lock);
	}
}

/* A namespace ends its traces; none of its hooks is running. Return: the table, if no other
 * namespace has traces, else NULL. The caller frees it when no probe is running any more.
 */
static struct lt_drop_table *lt_drop_leave(const struct lt_drops *drops)
{
	struct lt_drop_table *table;

	mutex_lock(&lt_drop_lock);
	table = rcu_dereference_protected(lt_drop_table, lockdep_is_held(&lt_drop_lock));
	lt_drop_forget_all(table, drops);
	if (--lt_drop_users) {
		table = NULL;
	} else {
		RCU_INIT_POINTER(lt_drop_table, NULL);
		unregister_trace_kfree_skb(lt_drop_probe, table);
		tracepoint_probe_unregister(lt_drop_consume_tp, lt_drop_consumed, table);
	}
	mutex_unlock(&lt_drop_lock);

	return table;
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
	if (!IS_ENABLED(CONFIG_TRACEPOINTS) || !lt_drop_consume_tp ||
	    rcu_access_pointer(ln->drops))
		return 0;

	drops = lt_drops_alloc(ln);
	if (!drops)
		return -ENOMEM;

	err = lt_drop_join();
	if (err) {
		lt_drops_free(drops);
		return err;
	}

	rcu_assign_pointer(ln->drops, drops);
	return 0;
}

/**
 * lt_drop_stop() - undo lt_drop_start(), behind the last tracer
 * @ln: the module's part of the namespace
 *
 * The first to end are hooks, which fill slots. Then the slots are cleared, for other
 * namespaces keep the probe; but it may have been faster:
 *
 *	CPU 0					CPU 1
 *	the probe takes a drop of the
 *	namespace out of its slot
 *						lt_drop_leave() clears the slots
 *	puts it into the ring
 *
 * So lt_drop_stop() waits for all running probes before it frees the ring.
 *
 * Context: may sleep; with the lock of @ln. Does nothing if there is nothing to undo.
 */
void lt_drop_stop(struct lt_net *ln)
{
	struct lt_drops *drops = rcu_replace_pointer(ln->drops, NULL,
						     lockdep_is_held(&ln->lock));
	struct lt_drop_table *table;

	if (!drops)
		return;

	synchronize_rcu();
	table = lt_drop_leave(drops);
	tracepoint_synchronize_unregister();
	lt_drops_free(drops);
	kvfree(table);
}

/**
 * lt_drop_init() - look for what the kernel tells
 */
void __init lt_drop_init(void)
{
	lt_drop_consume_tp = lt_tracepoint_find("consume_skb");
}
