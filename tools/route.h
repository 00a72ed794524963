/* SPDX-License-Identifier: GPL-2.0 */
#ifndef ROUTE_H
#define ROUTE_H

#include <jansson.h>

#include "endpoint.h"
#include "looptrack.h"

/**
 * route_get() - ask where the kernel would send a packet of this host
 * @from: its source; NULL if that is for the kernel to choose, or no address of this host
 * @to: its destination
 * @route: where to put the answer, for the caller to json_decref(): "type", as
 *	ip-route(8) names it, "device" and "gateway", if there are any. No route is an
 *	answer, too: of type "none", with the "reason".
 *
 * In the namespace that the process is in: after nl_open(). Marks, users and ports may
 * lead a packet elsewhere; they are not asked with.
 *
 * Return: EXIT_OK, or the exit code of a failure that was reported.
 */
enum exit_code route_get(const struct endpoint *from, const struct endpoint *to, json_t **route);

/* Does such an answer say that the destination is an address of this host? */
bool route_is_local(const json_t *route);

/* Or that it is a group or all hosts of a network, and so for this host, too? */
bool route_is_to_here(const json_t *route);

#endif /* ROUTE_H */
