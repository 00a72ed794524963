// SPDX-License-Identifier: GPL-2.0
/*
 * Rules that match a packet's mark exactly. On its second pass a packet has the bits of
 * passmark, too: a rule for mark 1 does not match 0x1001.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "looptrack.h"
#include "marks.h"
#include "out.h"
#include "run.h"

/* So many rules are named. */
#define NAMED_MAX	5
/* A longer rule is read no further than that. */
#define WORDS_MAX	256

/**
 * struct search - the rules that were found
 * @value: bits that passmark sets
 * @mask: bits that it changes
 * @rule: the first of them, as they were printed
 * @count: number of all
 * @skip: the chain that is read is one that packets pass on their first pass only
 */
struct search {
	uint32_t value, mask;
	char *rule[NAMED_MAX];
	unsigned int count;
	bool skip;
};

/*
 * Does a match of @value under @mask miss because of the bits of passmark? One that
 * looks at these bits alone is meant for them.
 */
static bool misses(const struct search *search, uint32_t value, uint32_t mask)
{
	uint32_t common = mask & search->mask;

	return common && mask & ~search->mask && (value ^ search->value) & common;
}

static void note(struct search *search, const char *rule)
{
	/* iptables-save and iptables-legacy-save may be the same program. */
	for (unsigned int i = 0; i < search->count && i < NAMED_MAX; i++)
		if (search->rule[i] && !strcmp(search->rule[i], rule))
			return;
	if (search->count < NAMED_MAX)
		search->rule[search->count] = strdup(rule);
	search->count++;
}

/* Take "..." as one word. Returns how many words there are; @line is changed. */
static int split(char *line, char *words[WORDS_MAX])
{
	int count = 0;

	while (count < WORDS_MAX - 1) {
		line += strspn(line, " \t");
		if (!*line)
			break;
		words[count++] = line;
		if (*line == '"')
			for (line++; *line && *line != '"'; line++)
				if (*line == '\\' && line[1])
					line++;
		line += strcspn(line, " \t");
		if (*line)
			*line++ = '\0';
	}
	words[count] = "";
	return count;
}

/* A number as C writes it, at the start of a word */
static bool parse_number(const char *word, uint32_t *number, const char **rest)
{
	char *end;

	if (*word < '0' || *word > '9')
		return false;
	*number = strtoul(word, &end, 0);
	*rest = end;
	return true;
}

/* "-A CHAIN ... -m mark [!] --mark VALUE[/MASK] ..." */
static bool is_missed_iptables(const struct search *search, char **words, int count)
{
	const char *match = "";

	if (count < 2 || strcmp(words[0], "-A") || !strcmp(words[1], "OUTPUT") ||
	    !strcmp(words[1], "POSTROUTING"))
		return false;
	for (int i = 2; i + 1 < count; i++) {
		uint32_t value, mask = UINT32_MAX;
		const char *rest;

		if (!strcmp(words[i], "-m"))
			match = words[++i];
		else if (!strcmp(words[i], "--mark") && !strcmp(match, "mark") &&
			 parse_number(words[i + 1], &value, &rest) &&
			 (*rest != '/' || parse_number(rest + 1, &mask, &rest)) &&
			 misses(search, value, mask))
			return true;
	}
	return false;
}

/* The numbers of "VALUE", of "VALUE-VALUE" and of "{ VALUE, VALUE : VERDICT, ... }" */
static bool is_missed_value(const struct search *search, char **words, uint32_t mask)
{
	bool set = !strcmp(*words, "{");
	const char *rest;
	uint32_t value;

	if (!set)
		return parse_number(*words, &value, &rest) && misses(search, value, mask);
	for (words++; **words && **words != '}'; words++)
		if (parse_number(*words, &value, &rest) && misses(search, value, mask))
			return true;
	return false;
}

/* What follows "meta mark" */
static bool is_missed_mark(const struct search *search, char **words)
{
	uint32_t mask = UINT32_MAX;
	const char *rest;

	if (!strcmp(words[0], "&") || !strcmp(words[0], "and")) {
		if (!parse_number(words[1], &mask, &rest))
			return false;
		words += 2;
	}
	if (!strcmp(words[0], "==") || !strcmp(words[0], "!=") || !strcmp(words[0], "vmap") ||
	    !strcmp(words[0], "map"))
		words++;
	/* What a named set or a concatenation matches is not looked up. */
	if (**words == '@' || !strcmp(*words, "."))
		return mask & search->mask && mask & ~search->mask;
	return is_missed_value(search, words, mask);
}

static bool is_missed_nft(const struct search *search, char **words, int count)
{
	for (int i = 1; i < count; i++)
		if (!strcmp(words[i], "mark") && !strcmp(words[i - 1], "meta") &&
		    is_missed_mark(search, words + i + 1))
			return true;
	return false;
}

/* Which hook a base chain of nft is in: "type filter hook output priority ...;" */
static void look_at_chain(struct search *search, char **words, int count)
{
	if (count && !strcmp(words[0], "chain"))
		search->skip = false;
	for (int i = 0; i + 1 < count; i++)
		if (!strcmp(words[i], "hook"))
			search->skip = !strcmp(words[i + 1], "output") ||
				       !strcmp(words[i + 1], "postrouting");
}

static void look_at_line(struct search *search, const char *line, bool nft)
{
	char *words[WORDS_MAX], *copy;
	bool missed;
	int count;

	line += strspn(line, " \t");
	if (!strstr(line, "mark") && !strstr(line, "chain") && !strstr(line, "hook"))
		return;
	copy = strdup(line);
	if (!copy)
		return;
	count = split(copy, words);
	if (nft) {
		look_at_chain(search, words, count);
		missed = !search->skip && is_missed_nft(search, words, count);
	} else {
		missed = is_missed_iptables(search, words, count);
	}
	if (missed)
		note(search, line);
	free(copy);
}

static void look_at_rules(struct search *search, char *text, bool nft)
{
	char *line, *rest = text;

	search->skip = false;
	while ((line = strsep(&rest, "\n")))
		look_at_line(search, line, nft);
}

/* A rule may have any text in its comment, which must not get to a terminal as it is. */
static void show_rule(char *rule)
{
	for (char *c = rule; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	fail(EXIT_OK, "  %.200s%s", rule, strlen(rule) > 200 ? " ..." : "");
}

static void tell(struct search *search)
{
	fail(EXIT_OK,
	     "warning: on its second pass a packet has the mark bits 0x%x/0x%x, and %u rule%s may treat it otherwise than before:",
	     search->value, search->mask, search->count, search->count == 1 ? "" : "s");
	for (unsigned int i = 0; i < search->count && i < NAMED_MAX; i++) {
		if (search->rule[i])
			show_rule(search->rule[i]);
		free(search->rule[i]);
	}
	if (search->count > NAMED_MAX)
		fail(EXIT_OK, "  and %u more", search->count - NAMED_MAX);
	fail(EXIT_OK,
	     "match under a mask without these bits, as in 0x1/0x%x, or choose other bits; see passmark in looptrack(8)",
	     ~search->mask);
}

void marks_warn(uint32_t value, uint32_t mask)
{
	static const char *const commands[][5] = {
		{ "iptables-save" },
		{ "iptables-legacy-save" },
		{ "ip6tables-save" },
		{ "ip6tables-legacy-save" },
		{ "nft", "-n", "-s", "list", "ruleset" },
	};
	struct search search = { .value = value, .mask = mask };
	bool read = false;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		const char *argv[ARRAY_SIZE(commands[i]) + 1] = {};
		char *text;

		memcpy(argv, commands[i], sizeof(commands[i]));
		if (run_read(argv, &text))
			continue;
		read = true;
		look_at_rules(&search, text, argv[1]);
		free(text);
	}
	if (!read)
		fail(EXIT_OK,
		     "the rules were not read: neither iptables-save nor nft could be run; rules that match a mark exactly may miss packets with 0x%x/0x%x",
		     value, mask);
	if (search.count)
		tell(&search);
}
