/* SPDX-License-Identifier: GPL-2.0 */
#ifndef FACTS_H
#define FACTS_H

#include <jansson.h>

#include "flow.h"
#include "rules.h"

/**
 * facts_get() - collect what can be known of a flow, be it there or not
 * @nl: the connection
 * @question: which: TCP or UDP, with addresses and ports
 * @packet: its first packet, for rules that match on more
 * @facts: where to put them, for the caller to json_decref(); looptrack(8) says what
 *	there is under which key
 *
 * Return: EXIT_OK, or the exit code of a failure that was reported.
 */
enum exit_code facts_get(struct nl *nl, const struct question *question,
			 const struct rules_packet *packet, json_t **facts);

#endif /* FACTS_H */
