/* SPDX-License-Identifier: GPL-2.0 */
#ifndef FILTER_H
#define FILTER_H

#include <getopt.h>
#include <stdbool.h>

#include <jansson.h>

#include "looptrack.h"

/* What flows, or events, are wanted; empty for all. */
struct filter;

/**
 * enum filter_of - what there are filters of
 * @FILTER_FLOWS: flows, decoded by attr_flow
 * @FILTER_EVENTS: events, decoded by attr_event; what they are about has the keys of a flow
 */
enum filter_of {
	FILTER_FLOWS = 1,
	FILTER_EVENTS = 2,
};

/*
 * The options that say so; as conntrack(8) has them, and some of our own. With the
 * long ones are @own, if not NULL: the few that a command has besides, as getopt_long()
 * takes them.
 */
const char *filter_short_options(enum filter_of of);
const struct option *filter_options(enum filter_of of, const struct option *own);

/* Note option @c, as getopt_long() returned it, of @command: each once, as both were
 * to be met.
 */
enum exit_code filter_note(struct filter **filter, const char *command, int c, const char *word);

/* Is a flow, or event, among them? */
bool filter_wants(const struct filter *filter, json_t *object);

void filter_free(struct filter *filter);

#endif /* FILTER_H */
