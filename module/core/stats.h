/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_STATS_H
#define _LT_STATS_H

#include <linux/percpu.h>

#include <uapi/linux/nf_looptrack.h>

/* A counter is named by its netlink attribute: one vocabulary from here to the
 * JSON key. Slots below the first counter stay unused.
 */
#define LT_STAT_FIRST	NF_LOOPTRACK_A_STATS_CLASH_COMMITTED
#define LT_STAT_COUNT	(NF_LOOPTRACK_A_STATS_MAX + 1)

/**
 * struct lt_stats_cpu - the counters of one CPU
 * @val: by attribute; written by its own CPU only, in any context. As wide as
 *	one instruction can increment, so that no reader sees half a value; on
 *	32 bit they wrap, as conntrack's own do.
 */
struct lt_stats_cpu {
	unsigned long val[LT_STAT_COUNT];
};

/**
 * struct lt_stats - the counters of one network namespace
 * @cpu: what was counted since the namespace appeared
 * @base: what had been counted at the last reset. A reset moves the base and
 *	leaves the counters alone, which a CPU may be about to increment.
 *	Protected by the lock of struct lt_net.
 */
struct lt_stats {
	struct lt_stats_cpu __percpu *cpu;
	unsigned long base[LT_STAT_COUNT];
};

#define lt_stats_add(stats, name, n) \
	this_cpu_add((stats)->cpu->val[NF_LOOPTRACK_A_STATS_##name], n)

#define lt_stats_inc(stats, name)	lt_stats_add(stats, name, 1)

int lt_stats_init(struct lt_stats *stats);
void lt_stats_free(struct lt_stats *stats);
unsigned long lt_stats_read(const struct lt_stats *stats, unsigned int which);
void lt_stats_reset(struct lt_stats *stats);

#endif /* _LT_STATS_H */
