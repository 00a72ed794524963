/* SPDX-License-Identifier: GPL-2.0 */
#ifndef RULEMET_H
#define RULEMET_H

#include <jansson.h>

#include "nft.h"

/* NF_LOOPTRACK_STAGE_... that a packet has passed last before a chain of this priority. */
int rulemet_stage(unsigned int hook, int priority);

/* And the one that comes next in the hook, or -1 behind the last. */
int rulemet_next_stage(unsigned int hook, int stage);

/* A rule, or a policy, that a packet met; @hook and @stage are -1 if they are not known. */
json_t *rulemet_json(const struct nft_step *step, int hook, int stage);

/*
 * How the way of a packet ended: by @rule, which rulemet_json() made, or, if that is NULL,
 * behind the stage where it was last seen. @sight: that stage, or NULL. @is_doubtful: it may
 * have met a rule that was lost.
 */
json_t *rulemet_end(json_t *rule, json_t *sight, bool is_doubtful);

/* Write it as the rest of a line: "rule 14 of table ip nat chain output: dnat to ... (accept)" */
void rulemet_show_verdict(json_t *rule);

/* The same for a packet that the kernel says it has dropped. */
json_t *rulemet_drop(json_t *drop);

/* It does not say why. */
bool rulemet_has_no_reason(json_t *drop);

/* Write it as a line. */
void rulemet_show(json_t *rule);
void rulemet_show_end(json_t *end);

/* Does the verdict end the way of the packet? */
bool rulemet_is_end(json_t *rule);

#endif /* RULEMET_H */
