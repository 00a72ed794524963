/* SPDX-License-Identifier: GPL-2.0 */
#ifndef RULES_H
#define RULES_H

#include <jansson.h>

#include "flow.h"

/**
 * struct rules_packet - what else the rules may match on
 * @device: index of the device by which the first packet comes; 0 if it is not known
 * @mark: its mark
 * @is_traced: nft_open() has been called, and the rules that it meets are to be told
 */
struct rules_packet {
	unsigned int device;
	uint32_t mark;
	bool is_traced;
};

/**
 * rules_get() - ask what the NAT rules would do with the first packet of a flow
 * @nl: the connection
 * @question: the flow, as its client sends it
 * @packet: its first packet
 * @flow: its entry, as attr_flow decoded it, to be compared with; or NULL. If it contradicts
 *	the rules and is marked, and @packet is not, they are asked with its mark, too
 * @rules: where to put the answer, for the caller to json_decref(); looptrack(8) says what
 *	there is under which key
 *
 * Return: EXIT_OK, or the exit code of a failure that was reported. That the rules can't be
 * asked is none.
 */
enum exit_code rules_get(struct nl *nl, const struct question *question,
			 const struct rules_packet *packet, json_t *flow, json_t **rules);

/* Would the rules not make the entry today, whichever mark the packet has? */
bool rules_contradict(const json_t *rules);

/* Is this one of the ends that are listed under @key? Of any port, if @port is NULL. */
bool rules_has_end(const json_t *rules, const char *key, json_t *address, json_t *port);

/* How many destinations, and source addresses, they choose from, as far as is known. */
size_t rules_variety(const json_t *rules);

/* The packet as it is in the end, as a tuple; NULL if it does not get there, or differs
 * from one question to the next.
 */
json_t *rules_tuple(const json_t *rules);

/* How the packet's way ends: the last step's answer, or "" if they could not be asked. */
const char *rules_end(const json_t *rules);

/* That step, or NULL. */
json_t *rules_last_step(const json_t *rules);

/* Does the packet get to its end? */
bool rules_is_complete(const json_t *rules);

#endif /* RULES_H */
