// SPDX-License-Identifier: GPL-2.0
/* The memory of owners. */

#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "core/owner.h"
#include "core/owner_pool.h"

/*
 * Each new flow takes an owner, and where flows are short each frees that of an earlier
 * flow. So what a kernel asks of all memory is kept off this way:
 *
 * - Memory is not cleared. Kernels are built to clear whatever is allocated, but for
 *   caches with a constructor. Each field of an owner is written before anybody sees
 *   it, and what lies between them is read by no one.
 *
 * - Owners wait for RCU together, LT_OWNER_BATCH of them. The first one stands for all:
 *   they left the table before it was handed to RCU. What is not a full batch waits for
 *   the sweep, half a second at most. Each is freed by itself then: kmem_cache_free_bulk()
 *   looks for owners that share a page, and owners that die one after the other do not.
 *
 * The memory stays charged to the cgroup of who opened the flow until it is free.
 */
#define LT_OWNER_BATCH	16

struct kmem_cache *lt_owner_cache __read_mostly;

/**
 * lt_owner_free() - free an owner that no one else knows
 * @owner: with its flags set
 *
 * Context: any but hard interrupts.
 */
void lt_owner_free(struct lt_owner *owner)
{
	if (unlikely(lt_owner_is(owner, LT_OWNER_COUNTED)))
		kfree(owner);
	else
		kmem_cache_free(lt_owner_cache, owner);
}

static void lt_owner_free_rcu(struct rcu_head *rcu)
{
	struct lt_owner *owner = container_of(rcu, struct lt_owner, rcu);
	struct lt_owner *next;

	for (; owner; owner = next) {
		next = owner->next_dead;
		lt_owner_free(owner);
	}
}

/**
 * lt_owner_free_batch() - free owners that have left the table
 * @batch: which; empty afterwards
 *
 * Context: any.
 */
void lt_owner_free_batch(struct lt_owner_batch *batch)
{
	if (batch->first)
		call_rcu(&batch->first->rcu, lt_owner_free_rcu);
	batch->first = NULL;
	batch->count = 0;
}

/**
 * lt_owner_free_later() - free an owner after an RCU grace period
 * @batch: of others
 * @owner: has just left the table, and has let go of its share
 *
 * Context: any.
 */
void lt_owner_free_later(struct lt_owner_batch *batch, struct lt_owner *owner)
{
	owner->next_dead = batch->first;
	batch->first = owner;
	if (++batch->count == LT_OWNER_BATCH)
		lt_owner_free_batch(batch);
}

/* It does nothing: the kernel does not clear memory of a cache that has a constructor. */
static void lt_owner_construct(void *owner)
{
}

/**
 * lt_owner_pool_init() - be ready to allocate
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int __init lt_owner_pool_init(void)
{
	const struct lt_owner *owner;

	BUILD_BUG_ON(sizeof(*owner) > 192);
	BUILD_BUG_ON(struct_size(owner, second, IP_CT_DIR_MAX) > 256);
	lt_owner_cache = kmem_cache_create("lt_owner", sizeof(struct lt_owner), 0,
					   SLAB_ACCOUNT, lt_owner_construct);

	return lt_owner_cache ? 0 : -ENOMEM;
}

/**
 * lt_owner_pool_exit() - undo lt_owner_pool_init()
 *
 * Context: may sleep; no owner is left but those that wait for RCU.
 */
void lt_owner_pool_exit(void)
{
	rcu_barrier();
	kmem_cache_destroy(lt_owner_cache);
}
