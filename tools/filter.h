/* SPDX-License-Identifier: GPL-2.0 */
#ifndef FILTER_H
#define FILTER_H

#include <getopt.h>
#include <stdbool.h>

#include <jansson.h>

#include "looptrack.h"

/* What flows are wanted; empty for all. */
struct filter;

/* The options that say so; as conntrack(8) has them, and some of our own. */
extern const char *const filter_short_options;
const struct option *filter_options(void);

/* Note option @c, as getopt_long() returned it, of @command: each once, as both were
 * to be met.
 */
enum exit_code filter_note(struct filter **filter, const char *command, int c, const char *word);

/* Is a flow, decoded by attr_flow, among them? */
bool filter_wants(const struct filter *filter, json_t *flow);

void filter_free(struct filter *filter);

#endif /* FILTER_H */
