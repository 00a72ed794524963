/* SPDX-License-Identifier: GPL-2.0 */
#ifndef EXEMPT_H
#define EXEMPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "looptrack.h"

struct nlmsghdr;

/* As many ranges as the module takes. */
#define EXEMPTS_MAX	16

/**
 * struct exempts - ports that the feature listeners leaves alone
 * @none: no port is exempt
 * @count: number of ranges
 * @range: first and last port of each
 */
struct exempts {
	bool none;
	unsigned int count;
	struct {
		uint16_t from, to;
	} range[EXEMPTS_MAX];
};

/**
 * exempt_parse() - understand "PORT", "PORT-PORT" or "none"
 * @exempts: the ranges given before, and the one that is added
 * @where: what complaints start with
 * @word: the word, or NULL if there is none
 *
 * Return: EXIT_OK, or EXIT_USAGE with the wrong word reported.
 */
enum exit_code exempt_parse(struct exempts *exempts, const char *where, const char *word);

/* Write the ranges in the nest of a feature. */
void exempt_put(struct nlmsghdr *nlh, const struct exempts *exempts);

/* Room for a range in words. */
#define EXEMPT_SIZE	sizeof("exempt 65535-65535")

/* A range as orders_parse() reads it. */
void exempt_text(json_t *exempt, char *text, size_t size);

#endif /* EXEMPT_H */
