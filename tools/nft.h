/* SPDX-License-Identifier: GPL-2.0 */
#ifndef NFT_H
#define NFT_H

#include <libmnl/libmnl.h>

#include "endpoint.h"

/* The longest name of a table or chain in messages of nf_tables, and a NUL. */
#define NFT_NAME_SIZE	256

/**
 * struct nft_step - what a trace message of nf_tables says: one rule, or the policy of a
 *	base chain, and what became of the packet there
 * @family: of the table
 * @table: its name
 * @chain: name of the chain
 * @handle: of the rule; 0 for what is no rule
 * @is_policy: it is about the policy of the base chain
 * @verdict: NF_DROP, NFT_JUMP and so on
 * @target: chain that the verdict leads to, or ""
 * @id: of the packet
 * @generation: of the rules; 0 if it is not known: they were replaced meanwhile
 * @has_packet: it is the first message of a base chain, and has @ends and @length
 * @protocol: of IPv4, or the first of IPv6's next headers
 * @ends: addresses, and ports if the protocol has any
 * @length: of the packet, or 0 if it is not known
 */
struct nft_step {
	uint8_t family;
	char table[NFT_NAME_SIZE];
	char chain[NFT_NAME_SIZE];
	uint64_t handle;
	bool is_policy;
	int32_t verdict;
	char target[NFT_NAME_SIZE];
	uint32_t id;
	uint32_t generation;
	bool has_packet;
	uint8_t protocol;
	struct endpoint ends[2];
	unsigned int length;
};

/**
 * nft_open() - let the kernel trace the packets of a flow through the rules of nf_tables
 * @command: whose option --rules it is, for what is wrong
 * @protocol: of the flow
 * @ends: of the flow, in either direction
 *
 * Adds a table that this process owns: the kernel removes it when the process closes the
 * socket or ends.
 *
 * Return: EXIT_OK, or the exit code of a failure that was reported.
 */
enum exit_code nft_open(const char *command, uint8_t protocol,
			const struct endpoint ends[2]);
void nft_close(void);

/* Readable when there are messages; -1 before nft_open(). */
int nft_fd(void);

/* Call it before messages are taken, and give what it returns to nft_end() behind them. */
uint32_t nft_begin(void);

/* The generation of rules that all messages taken meanwhile are about; 0 if rules changed. */
uint32_t nft_end(uint32_t before);

/*
 * The next message that is about the rules of others: 1, or 0 if there is none now, or -1
 * if messages were lost.
 */
int nft_next(struct nft_step *step);

/* "ip", "ip6" or "inet" */
const char *nft_family(uint8_t family);

/* "drop", "jump" and so on */
const char *nft_verdict(int32_t verdict);

#endif /* NFT_H */
