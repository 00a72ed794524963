// SPDX-License-Identifier: GPL-2.0
/* Numbers, as the user writes them. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"

/* A number up to @max that ends before @end. */
static bool parse(const char *text, const char *end, int base, uint64_t max, uint64_t *value)
{
	char *stop;

	/* strtoull() would take a sign, and blanks before it. */
	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*value = strtoull(text, &stop, base);
	return stop == end && !errno && *value <= max;
}

bool number_parse(const char *word, uint64_t min, uint64_t max, uint64_t *value)
{
	uint64_t number;

	if (!parse(word, word + strlen(word), 10, max, &number) || number < min)
		return false;
	*value = number;
	return true;
}

bool number_parse_mark(const char *word, uint32_t *value, uint32_t *mask)
{
	const char *slash = strchrnul(word, '/');
	uint64_t first, second = UINT32_MAX;

	if (!parse(word, slash, 0, UINT32_MAX, &first) ||
	    (*slash &&
	     !parse(slash + 1, slash + strlen(slash), 0, UINT32_MAX, &second)))
		return false;
	*value = first;
	*mask = second;
	return true;
}

char *number_write(char *text, uint64_t value)
{
	char digits[20];
	size_t count = 0;

	do {
		digits[sizeof(digits) - ++count] = '0' + value % 10;
		value /= 10;
	} while (value);
	return mempcpy(text, digits + sizeof(digits) - count, count);
}
