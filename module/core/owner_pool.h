/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_OWNER_POOL_H
#define _LT_OWNER_POOL_H

#include <linux/slab.h>

#include "core/owner.h"

/* Of owners without counters of the second pass. */
extern struct kmem_cache *lt_owner_cache;

/**
 * struct lt_owner_batch - owners that have left the table, to be freed together
 * @first: the last one that came, or NULL; the others follow by their @next_dead
 * @count: how many there are
 *
 * Protected by its user's lock.
 */
struct lt_owner_batch {
	struct lt_owner *first;
	unsigned int count;
};

/**
 * lt_owner_alloc() - allocate an owner
 * @flags: of enum lt_owner_flag, as it will have them
 *
 * It is charged to the memory cgroup of the process that sends.
 *
 * Context: any but hard interrupts.
 * Return: the owner, nothing of which is set, or NULL.
 */
static inline struct lt_owner *lt_owner_alloc(unsigned int flags)
{
	struct lt_owner *owner;

	if (unlikely(flags & LT_OWNER_COUNTED))
		return kmalloc(struct_size(owner, second, IP_CT_DIR_MAX),
			       GFP_ATOMIC | __GFP_NOWARN | __GFP_ACCOUNT);

	return kmem_cache_alloc(lt_owner_cache, GFP_ATOMIC | __GFP_NOWARN);
}

void lt_owner_free(struct lt_owner *owner);
void lt_owner_free_later(struct lt_owner_batch *batch, struct lt_owner *owner);
void lt_owner_free_batch(struct lt_owner_batch *batch);

int lt_owner_pool_init(void);
void lt_owner_pool_exit(void);

#endif /* _LT_OWNER_POOL_H */
