/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SIGHT_H
#define SIGHT_H

#include <jansson.h>

#include "endpoint.h"
#include "nftchain.h"

/**
 * struct sight - a packet at a stage
 * @serial: counts sights
 * @packet: the module's number for it
 * @hook: NF_LOOPTRACK_HOOK_..., or -1
 * @stage: NF_LOOPTRACK_STAGE_..., or -1
 * @pass: 0, 1 or 2
 * @is_first: it may be the first packet of its flow, which NAT's rules see
 * @length: of the packet
 * @ends: addresses and ports
 * @met: base chains whose rules were put behind it, by number
 */
struct sight {
	uint64_t serial;
	uint32_t packet;
	int hook;
	int stage;
	int pass;
	bool is_first;
	unsigned int length;
	struct endpoint ends[2];
	uint64_t met;
};

/* Read it from what the module told; @ports: the protocol has any. */
void sight_read(struct sight *sight, json_t *object, bool ports);

/* How far a packet has come: more is farther. */
int sight_rank(const struct sight *sight);

/* Has it left the host, or got to a socket? */
bool sight_is_through(const struct sight *sight);

/* May it be this packet, behind this stage, that enters a base chain? */
bool sight_is_packet(const struct sight *sight, const struct nft_step *step,
		     const struct nft_chain *chain, int stage);

#endif /* SIGHT_H */
