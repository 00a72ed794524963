// SPDX-License-Identifier: GPL-2.0
/* libFuzzer's way into the parsers of single words: endpoints, protocols, marks, filters. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "endpoint.h"
#include "filter.h"
#include "number.h"
#include "out.h"

#define WORDS	3

struct options opt = { .family = AF_UNSPEC };

static void parse_filter(const char *word)
{
	static const enum filter_of of[] = { FILTER_FLOWS, FILTER_EVENTS };

	for (size_t i = 0; i < ARRAY_SIZE(of); i++) {
		const struct option *option = filter_options(of[i], NULL);
		struct filter *filter = NULL;

		for (; option->name; option++)
			filter_note(&filter, "fuzz", option->val, word);
		filter_free(filter);
	}
}

static void parse(char *const words[WORDS])
{
	struct endpoint ends[2] = {};
	uint8_t protocol = 0;
	uint32_t value, mask;

	endpoint_parse_protocol(&protocol, "fuzz", words[0]);
	endpoint_parse_flow(ends, "fuzz", protocol, words + 1);
	for (int i = 0; i < WORDS; i++) {
		struct endpoint end = {};

		endpoint_parse(&end, "fuzz", protocol, words[i]);
		number_parse_mark(words[i], &value, &mask);
		parse_filter(words[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *words[WORDS];
	char *text, *next;

	/* Exactly as long as it may be, so that each byte too far is seen. */
	text = malloc(size + 1);
	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	next = text;
	for (int i = 0; i < WORDS; i++)
		words[i] = strsep(&next, "\n") ?: text + size;
	parse(words);
	free(text);
	return 0;
}
