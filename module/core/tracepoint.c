// SPDX-License-Identifier: GPL-2.0
/* Tracepoints that the kernel does not export. */

#include <linux/string.h>
#include <linux/tracepoint.h>

#include "core/tracepoint.h"

struct lt_tracepoint_search {
	const char *name;
	struct tracepoint *found;
};

static void lt_tracepoint_match(struct tracepoint *tp, void *data)
{
	struct lt_tracepoint_search *search = data;

	if (!strcmp(tp->name, search->name))
		search->found = tp;
}

/**
 * lt_tracepoint_find() - find a tracepoint of the kernel itself, not of a module
 * @name: its name
 *
 * Context: may sleep.
 * Return: NULL if there is none, or the kernel was built without tracepoints.
 */
struct tracepoint *lt_tracepoint_find(const char *name)
{
	struct lt_tracepoint_search search = { .name = name };

	for_each_kernel_tracepoint(lt_tracepoint_match, &search);
	return search.found;
}
