// SPDX-License-Identifier: GPL-2.0
/* looptrack stats: the counters, and what they mean */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <linux/nf_looptrack.h>

#include "nl.h"
#include "out.h"

#define WIDTH 76

/* Write @text indented, in lines of at most WIDTH columns. */
static void write_wrapped(const char *text)
{
	int column = 0;

	while (*text) {
		int len = strcspn(text, " ");

		if (column && column + 1 + len > WIDTH) {
			putchar('\n');
			column = 0;
		}
		column += printf("%s%.*s", column ? " " : "    ", len, text);
		text += len;
		text += strspn(text, " ");
	}
	putchar('\n');
}

static void explain(json_t *counters)
{
	const char *key;
	json_t *value;

	json_object_foreach(counters, key, value) {
		printf("%s %" JSON_INTEGER_FORMAT "\n", key, json_integer_value(value));
		write_wrapped(attr_doc(&attr_stats, key) ?:
			      "This tool does not know it; a newer one will.");
	}
}

static enum exit_code cmd_stats_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "explain", no_argument, NULL, 'e' },
		{ }
	};
	bool explained = false;
	enum exit_code code;
	json_t *counters = NULL;
	struct nl nl;
	int c;

	optind = 0;
	while ((c = getopt_long(argc, argv, "+:", options, NULL)) != -1) {
		if (c != 'e')
			return bad_option(c, argv);
		explained = true;
	}
	code = no_arguments(argc, argv, optind);
	if (code)
		return code;
	if (explained && opt.json)
		return fail(EXIT_USAGE, "stats: --explain is for people and has no JSON");

	code = nl_open(&nl);
	if (!code)
		code = nl_get(&nl, NF_LOOPTRACK_CMD_STATS_GET, &attr_stats, &counters);
	nl_close(&nl);
	if (code)
		return code;
	if (opt.json)
		return out_json(counters);
	if (explained)
		explain(counters);
	else
		out_counters(counters);
	json_decref(counters);
	return EXIT_OK;
}

const struct command cmd_stats = {
	.name = "stats",
	.args = "[--explain]",
	.help = "the counters, and what they mean",
	.run = cmd_stats_run,
};
