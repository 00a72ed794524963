/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_WORK_H
#define _LT_WORK_H

#include <linux/percpu.h>
#include <linux/types.h>

struct lt_net;

/**
 * struct lt_work - what a CPU may still do for a namespace's new flows
 * @tick: the jiffy that @left is for
 * @left: time, in nanoseconds
 * @last: what the last run of the NAT rules took, in nanoseconds; 0 before any
 * @cost: what a run is taken to cost: the cheaper of the last two
 * @full: hash of a destination and a source address between which no port was
 *	found; valid until @until
 * @until: in jiffies
 *
 * Used by its own CPU, with BHs off.
 */
struct lt_work {
	u32 tick;
	u32 left;
	u32 last;
	u32 cost;
	u32 full;
	u32 until;
};

struct lt_work __percpu *lt_work_alloc(void);
void lt_work_free(struct lt_work __percpu *work);

bool lt_work_may_idly(struct lt_net *ln);
bool lt_work_may(struct lt_net *ln, u32 where, unsigned int runs);
void lt_work_spend(struct lt_net *ln, u64 ns);
void lt_work_full(struct lt_net *ln, u32 where);

#endif /* _LT_WORK_H */
