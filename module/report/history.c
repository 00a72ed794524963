// SPDX-License-Identifier: GPL-2.0
/* The last decisions, for those who ask when it is over. */

#include <linux/minmax.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>

#include "report/event.h"
#include "report/history.h"

/*
 * A flow that was refused, moved or taken for another is gone when somebody asks
 * why. Decisions are rare, and a namespace without any has no history that takes
 * memory. Only those of linger are not: there is one for every flow that ends.
 * They are sent to listeners, and are not kept.
 */
#define LT_HISTORY_MAX	4096U

static unsigned int lt_history_max __read_mostly = 256;
module_param_named(history, lt_history_max, uint, 0644);
MODULE_PARM_DESC(history,
		 "How many decisions a namespace remembers (default 256, at most 4096)");

/**
 * struct lt_past - a decision that was taken
 * @list: under the lock of struct lt_history
 * @nr: how many there have been, with this one
 * @ev: what was decided
 */
struct lt_past {
	struct list_head list;
	u64 nr;
	struct lt_event ev;
};

/**
 * struct lt_history - the last decisions of a namespace
 * @lock: protects the rest. Taken with BHs off.
 * @list: oldest first
 * @count: how many there are
 * @last: number of the last one; the first is 1
 */
struct lt_history {
	spinlock_t lock;	/* see above */
	struct list_head list;
	unsigned int count;
	u64 last;
};

/**
 * lt_history_alloc() - make an empty history
 *
 * Context: may sleep.
 * Return: the history, or NULL for want of memory.
 */
struct lt_history *lt_history_alloc(void)
{
	struct lt_history *history = kzalloc(sizeof(*history), GFP_KERNEL_ACCOUNT);

	if (!history)
		return NULL;

	spin_lock_init(&history->lock);
	INIT_LIST_HEAD(&history->list);

	return history;
}

static struct lt_past *lt_history_oldest(struct lt_history *history)
{
	struct lt_past *past;

	past = list_first_entry(&history->list, struct lt_past, list);
	list_del(&past->list);
	history->count--;

	return past;
}

/**
 * lt_history_free() - free a history
 * @history: of a namespace in which nothing is decided now; or NULL
 *
 * Context: any.
 */
void lt_history_free(struct lt_history *history)
{
	while (history && history->count)
		kfree(lt_history_oldest(history));
	kfree(history);
}

/**
 * lt_history_note() - remember a decision
 * @history: of the namespace it was taken in
 * @ev: it, complete
 *
 * Where there are enough, or no memory for one more, the oldest makes room.
 *
 * Context: any but hard interrupts; doesn't sleep.
 */
void lt_history_note(struct lt_history *history, const struct lt_event *ev)
{
	unsigned int max = min(READ_ONCE(lt_history_max), LT_HISTORY_MAX);
	struct lt_past *past = NULL;

	spin_lock_bh(&history->lock);
	/* Was it lowered? Some at a time. */
	if (history->count > max)
		kfree(lt_history_oldest(history));
	if (history->count < max)
		past = kmalloc(sizeof(*past), GFP_ATOMIC | __GFP_NOWARN |
					      __GFP_ACCOUNT);
	if (!past && history->count)
		past = lt_history_oldest(history);
	history->last++;
	if (past) {
		past->nr = history->last;
		past->ev = *ev;
		list_add_tail(&past->list, &history->list);
		history->count++;
	}
	spin_unlock_bh(&history->lock);
}

/* Is it about the flow that has this tuple, in one of its directions? */
static bool lt_history_is_about(const struct lt_event *ev,
				const struct nf_conntrack_tuple *t)
{
	return nf_ct_tuple_equal(&ev->flow, t) ||
	       nf_ct_tuple_equal(&ev->wanted, t) ||
	       nf_ct_tuple_equal(&ev->got, t) ||
	       nf_ct_tuple_equal(&ev->holder, t);
}

/**
 * lt_history_find() - find the last decision about a flow
 * @history: of the namespace
 * @t: a tuple of the flow, as its packets have it or as NAT gave it
 * @ev: to be filled
 *
 * Context: any but hard interrupts.
 * Return: false if none is remembered.
 */
bool lt_history_find(struct lt_history *history,
		     const struct nf_conntrack_tuple *t, struct lt_event *ev)
{
	const struct lt_past *past;
	bool found = false;

	spin_lock_bh(&history->lock);
	list_for_each_entry_reverse(past, &history->list, list) {
		if (lt_history_is_about(&past->ev, t)) {
			*ev = past->ev;
			found = true;
			break;
		}
	}
	spin_unlock_bh(&history->lock);

	return found;
}

/**
 * lt_history_next() - find the first decision from a number on
 * @history: of the namespace
 * @nr: the number; set to that of the decision that was found
 * @ev: to be filled
 *
 * Context: any but hard interrupts.
 * Return: false if there is none.
 */
bool lt_history_next(struct lt_history *history, u64 *nr, struct lt_event *ev)
{
	const struct lt_past *past;
	bool found = false;

	spin_lock_bh(&history->lock);
	list_for_each_entry(past, &history->list, list) {
		if (past->nr >= *nr) {
			*nr = past->nr;
			*ev = past->ev;
			found = true;
			break;
		}
	}
	spin_unlock_bh(&history->lock);

	return found;
}

/**
 * lt_history_last() - the number of the last decision
 * @history: of the namespace
 *
 * Context: any but hard interrupts.
 * Return: 0 if there was none.
 */
u64 lt_history_last(struct lt_history *history)
{
	u64 last;

	spin_lock_bh(&history->lock);
	last = history->last;
	spin_unlock_bh(&history->lock);

	return last;
}
