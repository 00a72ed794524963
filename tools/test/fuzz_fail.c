// SPDX-License-Identifier: GPL-2.0
/* What parsers complain to while they are fuzzed. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "out.h"

/* Said to nobody, but all of it. */
enum exit_code fail(enum exit_code code, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) >= 0)
		free(text);
	va_end(args);
	return code;
}
