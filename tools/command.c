// SPDX-License-Identifier: GPL-2.0
/* Commands for a shell, in the namespace that the options name. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

/* What a shell has no other use for. */
#define PLAIN	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%"

/* Write a word so that a shell takes it as it is. */
static void quote(FILE *out, const char *word)
{
	if (!word[strspn(word, PLAIN)]) {
		fputs(word, out);
		return;
	}
	fputc('\'', out);
	for (; *word; word++)
		if (*word == '\'')
			fputs("'\\''", out);
		else
			fputc(*word, out);
	fputc('\'', out);
}

/* Add a command: @enter goes before the name of the namespace that this one is for, @alone
 * is there instead if none is named.
 */
static void add(json_t *commands, const char *enter, const char *alone, const char *format,
		va_list args)
{
	char *command = NULL;
	size_t size;
	FILE *out;

	out = open_memstream(&command, &size);
	if (!out)
		return;
	fputs(opt.netns ? enter : alone, out);
	if (opt.netns) {
		quote(out, opt.netns);
		fputc(' ', out);
	}
	vfprintf(out, format, args);
	if (!fclose(out))
		json_array_append_new(commands, json_string(command));
	free(command);
}

void command_own(json_t *commands, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(commands, "looptrack -n ", "looptrack ", format, args);
	va_end(args);
}

void command_other(json_t *commands, const char *format, ...)
{
	bool path = opt.netns && strchr(opt.netns, '/');
	va_list args;

	va_start(args, format);
	add(commands, path ? "nsenter --net=" : "ip netns exec ", "", format, args);
	va_end(args);
}
