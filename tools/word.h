/* SPDX-License-Identifier: GPL-2.0 */
#ifndef WORD_H
#define WORD_H

#include "attr.h"
#include "looptrack.h"

/**
 * word_parse() - understand a word of an enumeration
 * @where: what a complaint starts with
 * @words: those there are
 * @word: the user's
 * @value: its number; set on success
 *
 * Return: EXIT_OK, or EXIT_USAGE with all the words there are reported.
 */
enum exit_code word_parse(const char *where, const struct attr_words *words, const char *word,
			  unsigned int *value);

/* Likewise several, with commas between: @bits gets a bit for each, by its number. */
enum exit_code word_parse_list(const char *where, const struct attr_words *words,
			       const char *list, uint64_t *bits);

#endif /* WORD_H */
