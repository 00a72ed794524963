/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_OWNER_POOL_H
#define _LT_OWNER_POOL_H

struct lt_owner;

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

struct lt_owner *lt_owner_alloc(unsigned int flags);
void lt_owner_free(struct lt_owner *owner);
void lt_owner_free_later(struct lt_owner_batch *batch, struct lt_owner *owner);
void lt_owner_free_batch(struct lt_owner_batch *batch);

int lt_owner_pool_init(void);
void lt_owner_pool_exit(void);

#endif /* _LT_OWNER_POOL_H */
