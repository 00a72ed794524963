/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_PORTCHECK_H
#define _LT_PORTCHECK_H

#include "core/sock.h"

struct lt_new;

/**
 * enum lt_listener - is there a local socket that would get a flow's replies
 * @LT_LISTENER_NONE: there is none
 * @LT_LISTENER_HELD: there is one
 * @LT_LISTENER_SPARED: likewise, but its port is exempt, or NAT rules send what
 *	arrives there elsewhere
 */
enum lt_listener {
	LT_LISTENER_NONE,
	LT_LISTENER_HELD,
	LT_LISTENER_SPARED,
};

bool lt_portcheck_concerns(const struct lt_new *new);
bool lt_portcheck_connection(const struct lt_new *new, bool enforce,
			     struct lt_who *who);
enum lt_listener lt_portcheck_listener(const struct lt_new *new,
				       struct lt_who *who);
bool lt_portcheck_is_held(const struct lt_new *new);
bool lt_portcheck_is_arriving(const struct lt_new *new);

#endif /* _LT_PORTCHECK_H */
