// SPDX-License-Identifier: GPL-2.0
/* looptrack stats: the counters, and what they mean */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <linux/nf_looptrack.h>

#include "nl.h"
#include "out.h"
#include "prometheus.h"

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

/* Prometheus would refuse a file with a label that is no UTF-8, all of it. */
static enum exit_code check_label(const char *value)
{
	json_t *string = json_string(value);

	if (value && !string)
		return fail(EXIT_USAGE,
			    "stats: the namespace's name is not UTF-8, as Prometheus wants it");
	json_decref(string);
	return EXIT_OK;
}

static enum exit_code measure(struct nl *nl, json_t *counters)
{
	json_t *module = NULL, *config = NULL;
	enum exit_code code;

	code = nl_get(nl, NF_LOOPTRACK_CMD_MODULE_GET, &attr_module, &module);
	if (!code)
		code = nl_get(nl, NF_LOOPTRACK_CMD_FEATURE_GET, &attr_config, &config);
	if (!code)
		prometheus_write(module, config, counters);
	json_decref(module);
	json_decref(config);
	return code;
}

static enum exit_code show(struct nl *nl, bool explained, json_t *counters)
{
	if (opt.prometheus)
		return measure(nl, counters);
	if (opt.json)
		return out_json(json_incref(counters));
	if (explained)
		explain(counters);
	else
		out_counters(counters);
	return EXIT_OK;
}

static enum exit_code cmd_stats_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "explain", no_argument, NULL, LONG_ONLY + 'e' },
		{ "prometheus", no_argument, NULL, LONG_ONLY + 'P' },
		{ }
	};
	bool explained = false;
	enum exit_code code;
	json_t *counters = NULL;
	struct nl nl;
	int c;

	optind = 0;
	while ((c = getopt_long(argc, argv, "+:", options, NULL)) != -1) {
		if (c == LONG_ONLY + 'e')
			explained = true;
		else if (c == LONG_ONLY + 'P')
			opt.prometheus = true;
		else
			return bad_option(c, argv);
	}
	code = no_arguments(argc, argv, optind);
	if (code)
		return code;
	if (explained && opt.json)
		return fail(EXIT_USAGE, "stats: --explain is for people and has no JSON");
	if (opt.prometheus && (explained || opt.json))
		return fail(EXIT_USAGE,
			    "stats: --prometheus is a format of its own; say that or %s",
			    explained ? "--explain" : "-j");
	if (opt.prometheus)
		code = check_label(opt.netns);
	if (code)
		return code;

	code = nl_open(&nl);
	if (!code)
		code = nl_get(&nl, NF_LOOPTRACK_CMD_STATS_GET, &attr_stats, &counters);
	if (!code)
		code = show(&nl, explained, counters);
	nl_close(&nl);
	json_decref(counters);
	return code;
}

const struct command cmd_stats = {
	.name = "stats",
	.args = "[--explain|--prometheus]",
	.help = "the counters, and what they mean",
	.measures = true,
	.run = cmd_stats_run,
};
