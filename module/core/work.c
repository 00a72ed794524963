// SPDX-License-Identifier: GPL-2.0
/* A budget for runs of the NAT rules beyond the kernel's own. */

#include <linux/bottom_half.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>

#include "core/work.h"
#include "net.h"

/*
 * The NAT rules run in softirq, and what one run costs is the operator's affair:
 * from 3,000 instructions to 1.6 million with 5,000 rules. In a range that is full
 * each run searches in vain. Whoever sends first packets must not be able to buy
 * many runs with each.
 *
 * One more run is what a lost race takes, and every first packet has it. A second one
 * is what two lost races take, and every first packet has it, too, unless runs are dear.
 * All others are paid from a budget in time: half of each jiffy for each namespace on
 * each CPU. A dear run, of more than half of the budget, is not bought at all: no first
 * packet is to take more than three times as long as without the module, also where
 * many come at once.
 */
#define LT_WORK_BUDGET	(TICK_NSEC / 2)
#define LT_WORK_RUN	(LT_WORK_BUDGET / 2)

/**
 * lt_work_alloc() - make the budgets of a namespace
 *
 * Context: may sleep.
 * Return: the budgets, or NULL for want of memory.
 */
struct lt_work __percpu *lt_work_alloc(void)
{
	return alloc_percpu(struct lt_work);
}

/**
 * lt_work_free() - free them
 * @work: from lt_work_alloc(), or NULL; no hook uses it
 *
 * Context: may sleep.
 */
void lt_work_free(struct lt_work __percpu *work)
{
	free_percpu(work);
}

static struct lt_work *lt_work_get(struct lt_net *ln)
{
	struct lt_work *work = this_cpu_ptr(ln->work);
	u32 now = jiffies;

	if (work->tick != now) {
		work->tick = now;
		work->left = LT_WORK_BUDGET;
	}

	return work;
}

/**
 * lt_work_may() - may the NAT rules run once more
 * @ln: the module's part of the network namespace
 * @where: hash of the addresses between which a port is looked for; 0 if none is
 * @runs: how often they have run again for this packet, at least once
 *
 * A refusal is counted.
 *
 * Context: any but hard interrupts.
 * Return: false if the budget does not allow for a run like the last one, or if a
 * search at the same place has just been in vain.
 */
bool lt_work_may(struct lt_net *ln, u32 where, unsigned int runs)
{
	const struct lt_work *work;
	u32 most;
	bool may;

	local_bh_disable();
	work = lt_work_get(ln);
	most = runs < 2 ? LT_WORK_RUN : min_t(u32, work->left, LT_WORK_RUN);
	may = work->cost <= most &&
	      !(where && work->full == where &&
		(s32)(work->until - (u32)jiffies) >= 0);
	/* Rules that were dear may be so no longer, and only a run can tell. */
	if (work->cost > LT_WORK_RUN)
		this_cpu_ptr(ln->work)->cost -= work->cost / 8;
	if (!may)
		lt_stats_inc(&ln->stats, WORK_BOUNDED);
	local_bh_enable();

	return may;
}

/**
 * lt_work_may_idly() - may the NAT rules run for what can wait
 * @ln: the module's part of the network namespace
 *
 * Half of the budget stays for packets. A dear run, which no packet may buy, has to
 * have the budget of a jiffy for itself.
 *
 * Context: any but hard interrupts.
 * Return: false if it is to wait for the next jiffy.
 */
bool lt_work_may_idly(struct lt_net *ln)
{
	struct lt_work *work;
	bool may;

	local_bh_disable();
	work = lt_work_get(ln);
	may = work->left >= LT_WORK_BUDGET / 2 + min_t(u32, work->cost, LT_WORK_BUDGET / 2);
	local_bh_enable();

	return may;
}

/**
 * lt_work_spend() - the NAT rules have run once more
 * @ln: the module's part of the network namespace
 * @ns: how long, in nanoseconds
 *
 * Context: any but hard interrupts.
 */
void lt_work_spend(struct lt_net *ln, u64 ns)
{
	u32 took = clamp_t(u64, ns, 1, U32_MAX);
	struct lt_work *work;

	local_bh_disable();
	work = lt_work_get(ln);
	/* A hard interrupt or a hypervisor that took the CPU away for a while makes
	 * one run look dear. Rules that are dear are so twice in a row.
	 */
	work->cost = work->last ? min(took, work->last) : took;
	work->last = took;
	work->left -= min(took, work->left);
	local_bh_enable();
}

/**
 * lt_work_full() - a search was in vain
 * @ln: the module's part of the network namespace
 * @where: as in lt_work_may()
 *
 * The next flows on this CPU are spared the same search for a jiffy or two.
 *
 * Context: any but hard interrupts.
 */
void lt_work_full(struct lt_net *ln, u32 where)
{
	struct lt_work *work;

	local_bh_disable();
	work = this_cpu_ptr(ln->work);
	work->full = where;
	work->until = (u32)jiffies + 1;
	local_bh_enable();
}
