/* SPDX-License-Identifier: GPL-2.0 */
#ifndef NFTMATCH_H
#define NFTMATCH_H

#include <stddef.h>

#include "endpoint.h"

/**
 * struct nftmatch - a batch for nf_tables, to be sent as it is and freed
 * @len: of @data
 * @data: netlink messages
 */
struct nftmatch {
	size_t len;
	char data[];
};

/**
 * nftmatch_build() - a table whose rules have the packets of a flow traced
 * @table: its name
 * @family: of the flow, and so of the table; AF_UNSPEC: both
 * @protocol: of the flow
 * @ends: of the flow, in either direction
 * @by_entry: match also by the addresses and ports that the packet's entry has
 * @last: set to the number of the message that is acknowledged
 *
 * Return: the batch, or NULL if there is no memory.
 */
struct nftmatch *nftmatch_build(const char *table, int family, uint8_t protocol,
				const struct endpoint ends[2], bool by_entry, uint32_t *last);

/* Does a protocol have ports where TCP has them, or what conntrack takes for that of ICMP? */
bool nftmatch_has_ports(uint8_t protocol);

#endif /* NFTMATCH_H */
