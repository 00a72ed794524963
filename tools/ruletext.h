/* SPDX-License-Identifier: GPL-2.0 */
#ifndef RULETEXT_H
#define RULETEXT_H

#include <jansson.h>
#include <stdint.h>

/**
 * ruletext_find() - what a rule of nf_tables says, as nft(8) lists it, without its counters
 * @generation: of the rules; 0 if it is not known
 * @family: of its table
 * @table: that it is in
 * @chain: that it is in
 * @handle: its number
 *
 * Return: a string, a new reference; NULL if nft cannot be run or does not list it, or the
 * rules were replaced since.
 */
json_t *ruletext_find(uint32_t generation, const char *family, const char *table,
		      const char *chain, uint64_t handle);

/* What is not printable ASCII becomes "?": it must not reach a terminal. */
void ruletext_clean(char *text);

void ruletext_free(void);

#endif /* RULETEXT_H */
