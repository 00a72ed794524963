/* SPDX-License-Identifier: GPL-2.0 */
#ifndef NFTCHAIN_H
#define NFTCHAIN_H

#include "nft.h"

/**
 * struct nft_chain - a base chain of the families ip, ip6 and inet
 * @next: the one that was found before
 * @family: its family
 * @number: counts the base chains that were found
 * @hook: NF_LOOPTRACK_HOOK_...
 * @priority: where it runs in the hook; for a chain of the type nat that is where NAT runs
 * @is_nat: it is of the type nat: it sees first packets only
 * @rules: rules in it, and jumps to it
 * @is_listed: it was there when the chains were listed the last time
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
	bool is_listed;
	char table[NFT_NAME_SIZE];
	char name[NFT_NAME_SIZE];
};

/*
 * The generation of all rules of the namespace, a number that each change of them changes;
 * 0 if the kernel does not tell.
 */
uint32_t nftchain_generation(void);

/* The base chain of a message, as it is now, or NULL. */
const struct nft_chain *nftchain_find(const struct nft_step *step);

/* Is there a rule in a chain of the type nat that sees this family? */
bool nftchain_has_nat(int family);

/* A socket for questions to nf_tables, or NULL. */
struct mnl_socket *nftchain_connect(void);

void nftchain_free(void);

#endif /* NFTCHAIN_H */
