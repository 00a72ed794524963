// SPDX-License-Identifier: GPL-2.0
/*
 * What rules of nf_tables say, as nft(8) lists them. A handle is not used twice as long as
 * its table is there: which rule it is depends on the generation of the rules.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nftchain.h"
#include "ruletext.h"
#include "run.h"

#define HANDLE	" # handle "

/* By "FAMILY TABLE CHAIN" the rules, by handle; and when they were listed. */
static json_t *chains;
static uint32_t generation;	/* that all these are of */

static long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + 1;	/* never 0 */
}

void ruletext_clean(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

/* Is this line no rule, but what surrounds rules? */
static bool is_frame(const char *line, size_t len)
{
	return !len || line[len - 1] == '{' || *line == '}' || *line == '#' ||
	       (!strncmp(line, "type ", 5) && line[len - 1] == ';') ||
	       (!strncmp(line, "comment ", 8) && line[len - 1] == '"');
}

/* A rule may have several lines; the last one has its handle. */
static void read_rules(json_t *rules, char *text)
{
	char *line, *rule = text, *end = text, *handle;

	while ((line = strsep(&text, "\n"))) {
		line += strspn(line, " \t");
		handle = strstr(line, HANDLE);
		/* A comment of the user's may look like it. */
		for (char *next = handle; next; next = strstr(next + 1, HANDLE))
			handle = next;
		if (handle)
			*handle = '\0';
		if (is_frame(line, strlen(line))) {
			end = rule;
			continue;
		}
		if (end != rule)
			*end++ = ' ';
		end += strlen(memmove(end, line, strlen(line) + 1));
		if (!handle)
			continue;
		ruletext_clean(rule);
		json_object_set_new(rules, handle + strlen(HANDLE), json_string(rule));
		end = rule;
	}
}

/* nft(8) reads its arguments as a script: what is no plain name stays out of it. */
static bool is_plain(const char *name)
{
	if (!isalpha((unsigned char)*name))
		return false;
	while (isalnum((unsigned char)*name) || (*name && strchr("_-./", *name)))
		name++;
	return !*name;
}

static json_t *list_chain(const char *family, const char *table, const char *chain)
{
	const char *const argv[] = {
		"nft", "-a", "-s", "list", "chain", family, table, chain, NULL
	};
	json_t *rules = json_object();
	char *text;

	if (is_plain(table) && is_plain(chain) && !run_read(argv, &text)) {
		read_rules(rules, text);
		free(text);
	}
	json_object_set_new(rules, "listed", json_integer(now()));
	return rules;
}

/* Of chains it is known only when they were listed. */
static void forget(void)
{
	const char *key;
	json_t *rules;

	json_object_foreach(chains, key, rules) {
		json_t *listed = json_incref(json_object_get(rules, "listed"));

		json_object_clear(rules);
		json_object_set_new(rules, "listed", listed);
	}
	generation = 0;
}

json_t *ruletext_find(uint32_t wanted, const char *family, const char *table,
		      const char *chain, uint64_t handle)
{
	char key[600], number[21];
	json_t *rules, *text;

	if (!chains)
		chains = json_object();
	if (wanted != generation) {
		if (!wanted || nftchain_generation() != wanted)
			return NULL;
		forget();
		generation = wanted;
	}
	snprintf(key, sizeof(key), "%s %s %s", family, table, chain);
	snprintf(number, sizeof(number), "%llu", (unsigned long long)handle);
	rules = json_object_get(chains, key);
	text = json_object_get(rules, number);
	/* A rule that came since; but no more than one list a second. */
	if (!text && json_integer_value(json_object_get(rules, "listed")) < now()) {
		rules = list_chain(family, table, chain);
		json_object_set_new(chains, key, rules);
		text = json_object_get(rules, number);
		if (nftchain_generation() != wanted) {
			forget();
			text = NULL;
		}
	}
	return json_incref(text);
}

void ruletext_free(void)
{
	json_decref(chains);
	chains = NULL;
}
