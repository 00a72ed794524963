/* SPDX-License-Identifier: GPL-2.0 */
#ifndef EVENT_H
#define EVENT_H

#include <stdbool.h>

#include <jansson.h>

#include "endpoint.h"

/* Write an event, a line; @event is one that attr_event decoded. */
void event_show(json_t *event);

/* The same, without its time. */
void event_show_decision(json_t *event);

/* Does a flow between these ends, as either of them sees it, occur in an event? @protocol
 * is as it is shown.
 */
bool event_is_about(json_t *event, const char *protocol, const struct endpoint wanted[2]);

/*
 * What such an event means for the flow that its client sends as @tuple, in a sentence;
 * NULL if this tool does not know.
 */
const char *event_meaning(json_t *event, json_t *tuple);

#endif /* EVENT_H */
