/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SNAT_H
#define SNAT_H

#include "finding.h"
#include "ledger.h"

/**
 * struct snat - ports that NAT has given to others, of one address of this host
 * @next: one more address, or protocol
 * @protocol: IPPROTO_TCP or IPPROTO_UDP
 * @end: the address
 * @flows: how many have a port that local sockets could get
 * @lowest: of those
 * @highest: likewise
 */
struct snat {
	struct snat *next;
	uint8_t protocol;
	struct endpoint end;
	unsigned long flows;
	uint16_t lowest;
	uint16_t highest;
};

/* Out of which ports do local sockets get theirs? Both are 0 if that is not known. */
void snat_read_range(uint16_t range[2]);

/* Count a flow, as attr_flow decoded it, if it is somebody else's and has such a port. */
enum exit_code snat_count(struct snat **list, const struct ledger *ledger,
			  const uint16_t range[2], json_t *flow);

/* What was counted for an address, as a finding; NULL: out of memory. */
struct finding *snat_finding(const struct snat *snat, const uint16_t range[2]);

void snat_free(struct snat *list);

#endif /* SNAT_H */
