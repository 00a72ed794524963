/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_EXEMPT_H
#define _LT_EXEMPT_H

#include <linux/rcupdate.h>
#include <linux/types.h>

/* Each flow that a listener's port is given to is compared with all of them. */
#define LT_EXEMPTS_MAX	16

/**
 * struct lt_exempt - ports that listeners leaves alone
 * @from: the first one, in host byte order
 * @to: the last one
 */
struct lt_exempt {
	u16 from;
	u16 to;
};

/**
 * struct lt_exempts - all of them, in a namespace
 * @rcu: to free it
 * @count: how many
 * @exempt: each of them
 *
 * Constant once hooks can see it.
 */
struct lt_exempts {
	struct rcu_head rcu;
	unsigned int count;
	struct lt_exempt exempt[LT_EXEMPTS_MAX];
};

/**
 * lt_exempts_have() - is a port exempt
 * @exempts: those that are, or NULL
 * @port: in host byte order
 *
 * Context: RCU read lock.
 * Return: true if it is.
 */
static inline bool lt_exempts_have(const struct lt_exempts *exempts, u16 port)
{
	unsigned int i;

	for (i = 0; exempts && i < exempts->count; i++)
		if (port >= exempts->exempt[i].from &&
		    port <= exempts->exempt[i].to)
			return true;

	return false;
}

#endif /* _LT_EXEMPT_H */
