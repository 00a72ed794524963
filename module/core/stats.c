// SPDX-License-Identifier: GPL-2.0
/* Counters: per CPU, per network namespace. */

#include "core/stats.h"

/**
 * lt_stats_init() - allocate the counters, all zero
 * @stats: where
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int lt_stats_init(struct lt_stats *stats)
{
	stats->cpu = alloc_percpu(struct lt_stats_cpu);

	return stats->cpu ? 0 : -ENOMEM;
}

/**
 * lt_stats_free() - free the counters
 * @stats: which; no CPU may count in them any more
 */
void lt_stats_free(struct lt_stats *stats)
{
	free_percpu(stats->cpu);
}

static unsigned long lt_stats_sum(const struct lt_stats *stats,
				  unsigned int which)
{
	unsigned long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(stats->cpu, cpu)->val[which]);

	return sum;
}

/**
 * lt_stats_read() - read one counter
 * @stats: of the namespace, whose lock is held
 * @which: NF_LOOPTRACK_A_STATS_*
 *
 * Return: events since the last reset.
 */
unsigned long lt_stats_read(const struct lt_stats *stats, unsigned int which)
{
	return lt_stats_sum(stats, which) - stats->base[which];
}

/**
 * lt_stats_reset() - start counting from zero
 * @stats: of the namespace, whose lock is held
 */
void lt_stats_reset(struct lt_stats *stats)
{
	unsigned int i;

	for (i = LT_STAT_FIRST; i < LT_STAT_COUNT; i++)
		stats->base[i] = lt_stats_sum(stats, i);
}
