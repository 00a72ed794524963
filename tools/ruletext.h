/* SPDX-License-Identifier: GPL-2.0 */
#ifndef RULETEXT_H
#define RULETEXT_H

#include <jansson.h>
#include <stdint.h>

/*
 * A rule of nf_tables as nft(8) lists it, without its counters, a new reference; NULL if
 * nft cannot be run or does not list it.
 */
json_t *ruletext_find(const char *family, const char *table, const char *chain, uint64_t handle);

/* What is not printable ASCII becomes "?": it must not reach a terminal. */
void ruletext_clean(char *text);

void ruletext_free(void);

#endif /* RULETEXT_H */
