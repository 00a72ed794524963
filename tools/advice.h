/* SPDX-License-Identifier: GPL-2.0 */
#ifndef ADVICE_H
#define ADVICE_H

#include <jansson.h>

/**
 * advice_get() - say how it stands with a flow, and what to do
 * @facts: what facts_get() has collected
 *
 * Return: an object: "kind", one of verdict_words; "text" and "next", sentences;
 * "commands", an array of strings for a shell.
 */
json_t *advice_get(const json_t *facts);

#endif /* ADVICE_H */
