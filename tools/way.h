/* SPDX-License-Identifier: GPL-2.0 */
#ifndef WAY_H
#define WAY_H

#include "endpoint.h"
#include "stream.h"

/**
 * struct way_options - how the ways of packets are followed
 * @protocol: of the flow
 * @ends: of the flow, in either direction
 * @has_rules: rules are asked for, too
 * @is_counted: so many packets are wanted, and no more
 * @show_sight: write a packet at a stage, or nothing if it has not changed
 * @show_decision: write a decision of the module
 */
struct way_options {
	uint8_t protocol;
	const struct endpoint *ends;
	bool has_rules;
	bool is_counted;
	enum exit_code (*show_sight)(struct stream *stream, json_t *sight);
	void (*show_decision)(json_t *decision);
};

void way_init(const struct way_options *options);

/* A packet at a stage, or a decision, in the order in which the module told it. */
enum exit_code way_add_sight(json_t *sight);
enum exit_code way_add_decision(json_t *decision);

/* A packet that the kernel has dropped; the reference is taken over. */
enum exit_code way_add_drop(json_t *drop);

/* Messages of the module, or of nf_tables, were lost: less is sure for a while. */
void way_doubt(void);

/* Show them, with the rules that were met between them; count packets that came to an end. */
enum exit_code way_settle(struct stream *stream);

void way_free(void);

#endif /* WAY_H */
