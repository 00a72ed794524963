// SPDX-License-Identifier: GPL-2.0
/* Words of an enumeration, as the user writes them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "word.h"

static enum exit_code unknown_word(const char *where, const struct attr_words *words,
				   const char *word)
{
	char *list = NULL;
	size_t size;
	FILE *out;

	out = open_memstream(&list, &size);
	if (!out)
		return fail(EXIT_SYSTEM, "out of memory");
	for (unsigned int i = 0; i < words->count; i++)
		fprintf(out, " %s", words->word[i]);
	fclose(out);
	fail(EXIT_USAGE, "%s: %s \"%s\" is none of:%s", where, words->what, word, list ?: "");
	free(list);
	return EXIT_USAGE;
}

enum exit_code word_parse(const char *where, const struct attr_words *words, const char *word,
			  unsigned int *value)
{
	int found = attr_word(words, word);

	if (found < 0)
		return unknown_word(where, words, word);
	*value = found;
	return EXIT_OK;
}

enum exit_code word_parse_list(const char *where, const struct attr_words *words,
			       const char *list, uint64_t *bits)
{
	char *copy = strdup(list), *rest = copy, *word;
	enum exit_code code = EXIT_OK;
	unsigned int number = 0;

	if (!copy)
		return fail(EXIT_SYSTEM, "out of memory");
	while (!code && (word = strsep(&rest, ","))) {
		code = word_parse(where, words, word, &number);
		if (!code)
			*bits |= 1ULL << number;
	}
	free(copy);
	return code;
}
