/* SPDX-License-Identifier: GPL-2.0 */
#ifndef EVENT_H
#define EVENT_H

#include <jansson.h>

/* Write an event, a line; @event is one that attr_event decoded. */
void event_show(json_t *event);

/*
 * What such an event means for the flow that its client sends as @tuple, in a sentence;
 * NULL if this tool does not know.
 */
const char *event_meaning(json_t *event, json_t *tuple);

#endif /* EVENT_H */
