/* SPDX-License-Identifier: GPL-2.0 */
#ifndef EVENT_H
#define EVENT_H

#include <jansson.h>

/* Write an event, a line; @event is one that attr_event decoded. */
void event_show(json_t *event);

#endif /* EVENT_H */
