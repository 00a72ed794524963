/* SPDX-License-Identifier: GPL-2.0 */
#ifndef FLOW_H
#define FLOW_H

#include <jansson.h>

#include "endpoint.h"
#include "nl.h"

/**
 * struct question - which flow is asked for
 * @protocol: of IP
 * @ends: source and destination, of either direction
 * @zone: of conntrack
 */
struct question {
	uint8_t protocol;
	struct endpoint ends[2];
	uint16_t zone;
};

/* Write a flow, a line; @flow is one that attr_flow decoded. */
void flow_show(json_t *flow);

/* Write who opened a flow, as " curl[4711] uid 1000": @owner is a flow's. */
void flow_show_owner(json_t *owner);

/* The protocol of a flow, if it is IPPROTO_TCP or IPPROTO_UDP, else 0. */
uint8_t flow_protocol(json_t *flow);

/**
 * flow_get() - ask for one flow
 * @nl: the connection
 * @question: which
 * @flow: where to put the answer, for the caller to json_decref()
 *
 * Return: EXIT_OK, or the exit code of a failure that was reported.
 */
enum exit_code flow_get(struct nl *nl, const struct question *question, json_t **flow);

/* Likewise; that there is none is no failure, and *@flow is NULL. */
enum exit_code flow_find(struct nl *nl, const struct question *question, json_t **flow);

/* Understand PROTOCOL SOURCE DESTINATION, three words written at @where. */
enum exit_code flow_parse(struct question *question, const char *where, char *const words[3]);

/* Understand "-w ZONE", the one option of @command; optind is then behind it. */
enum exit_code flow_parse_zone(uint16_t *zone, const char *command, int argc, char **argv);

#endif /* FLOW_H */
