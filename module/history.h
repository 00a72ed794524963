/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_HISTORY_H
#define _LT_HISTORY_H

#include <linux/list.h>
#include <linux/spinlock.h>

struct lt_event;

/**
 * struct lt_history - the last decisions of a namespace
 * @lock: protects the rest. Taken with BHs off.
 * @list: oldest first
 * @count: how many
 * @last: number of the last one; the first is 1
 */
struct lt_history {
	spinlock_t lock;	/* see above */
	struct list_head list;
	unsigned int count;
	u64 last;
};

void lt_history_init(struct lt_history *history);
void lt_history_free(struct lt_history *history);
void lt_history_note(struct lt_history *history, const struct lt_event *ev);

#endif /* _LT_HISTORY_H */
