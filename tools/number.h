/* SPDX-License-Identifier: GPL-2.0 */
#ifndef NUMBER_H
#define NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/**
 * number_parse() - understand a decimal number
 * @word: digits, and nothing else: no sign, no blank, no unit
 * @min: the least it may be
 * @max: the most it may be
 * @value: the number; set on success
 *
 * Return: whether @word is one from @min to @max.
 */
bool number_parse(const char *word, uint64_t min, uint64_t max, uint64_t *value);

/**
 * number_parse_mark() - understand "VALUE" or "VALUE/MASK"
 * @word: one or two numbers as C writes them, each from 0 to 0xffffffff
 * @value: the first; set on success
 * @mask: the second, or all bits if there is none; set on success
 *
 * Whether @value is within @mask is for the caller to see.
 *
 * Return: whether @word is that.
 */
bool number_parse_mark(const char *word, uint32_t *value, uint32_t *mask);

/**
 * number_write() - write a decimal number
 * @text: where to; 20 bytes are enough. No NUL is added.
 * @value: the number
 *
 * As a list of all flows has a dozen each, and printf() takes its time.
 *
 * Return: the place behind the last digit.
 */
char *number_write(char *text, uint64_t value);

#endif /* NUMBER_H */
