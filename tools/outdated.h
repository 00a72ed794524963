/* SPDX-License-Identifier: GPL-2.0 */
#ifndef OUTDATED_H
#define OUTDATED_H

#include "finding.h"
#include "flow.h"

/* Is it worth asking the rules about an entry, as attr_flow decoded it? It has no answer yet,
 * and nothing but NAT rules has made it what it is.
 */
bool outdated_may_be(json_t *flow);

/* A finding that has no cause yet: the rules are to be asked. */
enum exit_code outdated_suspect(json_t *flow, struct finding **finding);

/**
 * outdated_judge() - would the NAT rules make another entry of a flow today
 * @nl: the module
 * @question: the flow, as its client sends it
 * @flow: the entry, as attr_flow decoded it just now
 * @finding: set to what was found, or NULL: the entry is right, or has been answered
 * @unasked: increased by one if the rules could not be asked
 *
 * Return: EXIT_OK, or the exit code of a failure that was reported.
 */
enum exit_code outdated_judge(struct nl *nl, const struct question *question, json_t *flow,
			      struct finding **finding, unsigned long *unasked);

#endif /* OUTDATED_H */
