/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PACKET_H
#define PACKET_H

#include "nft.h"
#include "nftchain.h"
#include "sight.h"
#include "way.h"

void packet_init(const struct way_options *options);

/* A packet at a stage. */
enum exit_code packet_see(struct stream *stream, const struct sight *sight, json_t *object,
			  long now);

/* A rule, or a policy, that it met; @sight: the stage that it follows, or NULL. */
enum exit_code packet_meet(struct stream *stream, const struct sight *sight, json_t *rule,
			   long now);

/* The kernel has dropped it, and says why. */
enum exit_code packet_drop(struct stream *stream, json_t *drop, long now);

/* Time goes by: some are not expected any more. */
enum exit_code packet_expire(struct stream *stream, long now);

/*
 * The packet that enters a base chain behind a stage, as it was seen there, or NULL; @packet:
 * if not NULL, this one alone.
 */
struct sight *packet_find(const struct nft_step *step, const struct nft_chain *chain, int stage,
			  const uint32_t *packet);

/* Is any on its way, or was a moment ago? */
bool packet_waits(void);

/* What was lost may have been about any of them, and about those to come before @until. */
void packet_doubt(long until);

void packet_free(void);

#endif /* PACKET_H */
