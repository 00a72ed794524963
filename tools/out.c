// SPDX-License-Identifier: GPL-2.0
/* What the user sees: text, colours, JSON, complaints. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "number.h"
#include "out.h"

#define RED	"\033[31m"
#define GREEN	"\033[32m"
#define YELLOW	"\033[33m"
#define DIM	"\033[2m"

static const struct {
	const char *word;
	const char *color;
} colors[] = {
	{ "off", DIM },
	{ "observe", YELLOW },
	{ "enforce", GREEN },
	{ "observed", YELLOW },
	{ "repicked", GREEN },
	{ "exhausted", RED },
	{ "refused", RED },
	{ "unable", RED },
	{ "evicted", GREEN },
	{ "kept", GREEN },
	{ "rewritten", YELLOW },
	{ "stale", RED },
};

static bool colored;
static int write_error;	/* the first of stdout */

bool out_color(const char *when)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (!strcmp(when, "auto"))
		colored = isatty(STDOUT_FILENO) && !(no_color && *no_color) &&
			  term && strcmp(term, "dumb");
	else if (!strcmp(when, "always"))
		colored = true;
	else if (!strcmp(when, "never"))
		colored = false;
	else
		return false;
	return true;
}

void out_word(const char *word, int width)
{
	const char *color = NULL;
	int len = strlen(word);

	for (size_t i = 0; colored && i < ARRAY_SIZE(colors); i++)
		if (!strcmp(colors[i].word, word))
			color = colors[i].color;
	if (color)
		printf("%s%s\033[0m%*s", color, word, width > len ? width - len : 0, "");
	else
		printf("%-*s", width, word);
}

enum exit_code out_item(json_t *value)
{
	int err = json_dumpf(value, stdout, opt.pretty ? JSON_INDENT(4) : JSON_COMPACT);

	json_decref(value);
	/* A failure to write is for out_close() to report. */
	if (err && !ferror(stdout))
		return fail(EXIT_SYSTEM, "out of memory");
	return EXIT_OK;
}

enum exit_code out_json(json_t *value)
{
	enum exit_code code = out_item(value);

	putchar('\n');
	return code;
}

const char *out_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key)) ?: "-";
}

void out_number(json_t *object, const char *key)
{
	json_t *number = json_object_get(object, key);
	char digits[20];

	if (!number)
		return;
	putchar(' ');
	fputs(key, stdout);
	putchar(' ');
	fwrite(digits, number_write(digits, json_integer_value(number)) - digits, 1, stdout);
}

void out_counters(json_t *counters)
{
	const char *key;
	json_t *value;
	int width = 0;

	json_object_foreach(counters, key, value)
		if (width < (int)strlen(key))
			width = strlen(key);
	json_object_foreach(counters, key, value)
		printf("%-*s %" JSON_INTEGER_FORMAT "\n", width, key, json_integer_value(value));
}

bool out_flush(void)
{
	if (fflush(stdout) && !write_error)
		write_error = errno;
	if (ferror(stdout) && !write_error)
		write_error = EIO;
	return !write_error;
}

bool out_taken(void)
{
	if (ferror(stdout) && !write_error)
		write_error = errno;
	return !write_error;
}

enum exit_code out_close(enum exit_code code)
{
	/* Some file systems tell only when a file is closed. */
	if (out_flush() && fclose(stdout))
		write_error = errno;
	if (!write_error || write_error == EPIPE)
		return code;
	return fail(code ?: EXIT_SYSTEM, "cannot write: %s", strerror(write_error));
}

enum exit_code fail(enum exit_code code, const char *format, ...)
{
	va_list args;

	out_flush();
	fputs("looptrack: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}
