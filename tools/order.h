/* SPDX-License-Identifier: GPL-2.0 */
#ifndef ORDER_H
#define ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <linux/nf_looptrack.h>

#include "exempt.h"
#include "nl.h"
#include "proxy.h"

/**
 * struct order - what is to become of a feature
 * @given: anything at all
 * @marked: @mark and @mask were given
 * @mode: its mode
 * @mark: bits to set
 * @mask: bits to change
 * @proxies: what is to be known as a proxy
 * @exempts: ports that listeners is to leave alone
 * @line: of the file that says so
 * @offset: where it starts in the request
 */
struct order {
	bool given, marked;
	uint32_t mode, mark, mask;
	struct proxies proxies;
	struct exempts exempts;
	unsigned int line;
	size_t offset;
};

/**
 * struct orders - what is to become of all features
 * @feature: by number
 */
struct orders {
	struct order feature[NF_LOOPTRACK_FEATURE_MAX + 1];
};

/**
 * orders_parse() - understand "FEATURE MODE [mark ...] [proxy ...] [exempt ...] ..."
 * @orders: what was understood before, which is added to
 * @where: what complaints start with
 * @line: of the file, or 0
 * @count: number of words
 * @words: these
 *
 * Return: EXIT_OK, or EXIT_USAGE with the first wrong word reported.
 */
enum exit_code orders_parse(struct orders *orders, const char *where, unsigned int line,
			    int count, char **words);

/**
 * orders_parse_text() - understand a file, of orders and comments
 * @orders: what was understood before, which is added to
 * @name: of the file
 * @text: what is in it, which is changed
 * @size: bytes of @text; there is room for one more
 *
 * Return: EXIT_OK, or EXIT_USAGE with the first wrong line reported.
 */
enum exit_code orders_parse_text(struct orders *orders, const char *name, char *text,
				 size_t size);

/* Is it one word where orders_parse_text() meets it? */
bool order_is_word(const char *text);

/* Build the request of these orders; they learn where they are in it. */
void orders_put(struct orders *orders, struct nl *nl);

/* The mark of a feature as orders_parse() reads it; false if it has none. */
bool order_mark(const json_t *feature, char *text, size_t size);

#endif /* ORDER_H */
