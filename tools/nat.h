/* SPDX-License-Identifier: GPL-2.0 */
#ifndef NAT_H
#define NAT_H

#include <jansson.h>

#include "flow.h"

/**
 * nat_get() - what NAT changed of a flow, and why
 * @nl: the connection
 * @question: protocol and zone of the flow
 * @flow: it, as attr_flow decoded it
 * @history: events about it, as attr_event decoded them
 * @changes: where to put the answer, for the caller to json_decref(): an array of objects
 *	of "what", "from", "to" and "why" and, where the port was changed though no rule
 *	asks for that, "holder", "holder_owner" and "holder_state" of the flow for whose
 *	sake it was
 *
 * Return: EXIT_OK, or the exit code of a failure that was reported.
 */
enum exit_code nat_get(struct nl *nl, const struct question *question, json_t *flow,
		       json_t *history, json_t **changes);

/* "live" or "dead": has a flow that holds a port a socket that needs it? */
const char *nat_holder_state(json_t *flow);

#endif /* NAT_H */
