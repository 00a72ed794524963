/* SPDX-License-Identifier: GPL-2.0 */
#ifndef OUT_H
#define OUT_H

#include <stdbool.h>

#include <jansson.h>

#include "looptrack.h"

/* Decide about colours: "auto", "always" or "never"; false for other words. */
bool out_color(const char *when);

/* Write a word, padded to @width, in the colour of its meaning if it has one. */
void out_word(const char *word, int width);

/* Write a value, indented with -p, and drop the reference. */
enum exit_code out_item(json_t *value);

/* Likewise, and a newline. */
enum exit_code out_json(json_t *value);

/* The string under @key, as it is shown: "-" if there is none. */
const char *out_text(const json_t *object, const char *key);

/* Write " KEY NUMBER", if there is a number under @key. */
void out_number(json_t *object, const char *key);

/* Write the counters, one a line. */
void out_counters(json_t *counters);

/*
 * Hand on what was written so far; false if nobody takes it any more. Why, is
 * told by out_close().
 */
bool out_flush(void);

/* The same without handing on: said right behind what was written. */
bool out_taken(void);

/*
 * At the end: complain about a failure to write; its code, if @code is that of
 * success. A reader that has closed its pipe has seen enough; that is none.
 */
enum exit_code out_close(enum exit_code code);

/* One line on stderr; returns @code. */
__printf(2, 3) enum exit_code fail(enum exit_code code, const char *format, ...);

#endif /* OUT_H */
