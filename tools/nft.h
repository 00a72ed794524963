/* SPDX-License-Identifier: GPL-2.0 */
#ifndef NFT_H
#define NFT_H

#include <libmnl/libmnl.h>

#include "endpoint.h"

/* The longest name of a table or chain in messages of nf_tables, and a NUL. */
#define NFT_NAME_SIZE	256

/**
 * struct nft_chain - a base chain of the families ip, ip6 and inet
 * @next: the one that was found before
 * @family: its family
 * @number: counts the base chains that were found
 * @hook: NF_LOOPTRACK_HOOK_...
 * @priority: where it runs in the hook; for a chain of the type nat that is where NAT runs
 * @is_nat: it is of the type nat: it sees first packets only
 * @rules: rules in it, and jumps to it
 * @table: name of its table
 * @name: its own name
 */
struct nft_chain {
	struct nft_chain *next;
	uint8_t family;
	unsigned int number;
	uint32_t hook;
	int32_t priority;
	bool is_nat;
	uint32_t rules;
	char table[NFT_NAME_SIZE];
	char name[NFT_NAME_SIZE];
};

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
	bool has_packet;
	uint8_t protocol;
	struct endpoint ends[2];
	unsigned int length;
};

/**
 * nft_open() - let the kernel trace the packets of a flow through the rules of nf_tables
 * @protocol: of the flow
 * @ends: of the flow, in either direction
 *
 * Adds a table that this process owns: the kernel removes it when the process closes the
 * socket or ends.
 *
 * Return: EXIT_OK, or the exit code of a failure that was reported.
 */
enum exit_code nft_open(uint8_t protocol, const struct endpoint ends[2]);
void nft_close(void);

/* Readable when there are messages; -1 before nft_open(). */
int nft_fd(void);

/*
 * The next message that is about the rules of others: 1, or 0 if there is none now, or -1
 * if messages were lost.
 */
int nft_next(struct nft_step *step);

/* The base chain of a message, or NULL. */
const struct nft_chain *nft_find_chain(const struct nft_step *step);

/* "ip", "ip6" or "inet" */
const char *nft_family(uint8_t family);

/* "drop", "jump" and so on */
const char *nft_verdict(int32_t verdict);

#endif /* NFT_H */
