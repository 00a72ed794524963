// SPDX-License-Identifier: GPL-2.0
/* Memory for JSON: what was made of one flow of a list is gone before the next. */
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <jansson.h>

#include "pool.h"

/*
 * A flow is some sixty small objects. To allocate each of them, and to free it, was a
 * quarter of what a list of all flows cost. Here they lie one after the other, and when
 * the last one goes all begins anew. What doesn't fit, as it is too much or some of it is
 * kept, is malloc()'s.
 */
#define ROUND	alignof(max_align_t)

static alignas(ROUND) char pool[64 << 10];
static size_t used;		/* bytes of it, from the start */
static unsigned long live;	/* how many pieces of that are in use */

static void *take(size_t size)
{
	void *piece = pool + used;

	size = (size + ROUND - 1) / ROUND * ROUND;
	if (size > sizeof(pool) - used)
		return malloc(size);
	used += size;
	live++;
	return piece;
}

static void give(void *piece)
{
	if ((char *)piece < pool || (char *)piece >= pool + sizeof(pool))
		free(piece);
	else if (!--live)
		used = 0;
}

/* The sanitizer wants to see each object. */
#ifdef __SANITIZE_ADDRESS__
#define SEEN	true
#else
#define SEEN	false
#endif

void pool_init(void)
{
	if (!SEEN)
		json_set_alloc_funcs(take, give);
}
