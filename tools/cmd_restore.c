// SPDX-License-Identifier: GPL-2.0
/* looptrack restore: change modes as a file says, all or none */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "order.h"
#include "out.h"

/* What is larger was not written to be read here. */
#define FILE_SIZE	65536

static struct orders orders;
static const char *file_name;

/* Read the file of that name, or standard input, and understand it. */
static enum exit_code read_orders(FILE *file)
{
	static char text[FILE_SIZE + 1];
	size_t size = fread(text, 1, sizeof(text), file);
	enum exit_code code;

	if (ferror(file))
		return fail(EXIT_SYSTEM, "cannot read %s: %s", file_name, strerror(errno));
	if (size > FILE_SIZE)
		return fail(EXIT_USAGE, "%s: longer than %d bytes, this is no configuration",
			    file_name, FILE_SIZE);
	code = orders_parse_text(&orders, file_name, text, size);
	if (code)
		return code;
	for (size_t i = 0; i < ARRAY_SIZE(orders.feature); i++)
		if (orders.feature[i].given)
			return EXIT_OK;
	return fail(EXIT_USAGE, "%s: no feature in it; say FEATURE MODE, one a line", file_name);
}

static enum exit_code open_orders(const char *path)
{
	enum exit_code code;
	FILE *file;

	if (!strcmp(path, "-")) {
		file_name = "stdin";
		return read_orders(stdin);
	}
	file_name = path;
	file = fopen(path, "re");
	if (!file)
		return fail(EXIT_SYSTEM, "cannot open %s: %s", path, strerror(errno));
	code = read_orders(file);
	fclose(file);
	return code;
}

/* The line of the file that made the request what it is at @offset. */
static const char *find_line(size_t offset)
{
	const struct order *order, *found = NULL;
	static char where[PATH_MAX + sizeof(":4294967295: ")];

	for (size_t i = 0; i < ARRAY_SIZE(orders.feature); i++) {
		order = &orders.feature[i];
		if (order->given && order->offset <= offset)
			found = order;
	}
	if (found)
		snprintf(where, sizeof(where), "%s:%u: ", file_name, found->line);
	return where;
}

static enum exit_code cmd_restore_run(int argc, char **argv)
{
	static const struct option no_options[] = { { } };
	enum exit_code code;
	struct nl nl;
	int c;

	optind = 0;
	c = getopt_long(argc, argv, "+:", no_options, NULL);
	if (c != -1)
		return bad_option(c, argv);
	code = no_arguments(argc, argv, optind + 1);
	if (!code)
		code = open_orders(optind < argc ? argv[optind] : "-");
	if (code)
		return code;
	code = nl_open(&nl);
	if (!code) {
		orders_put(&orders, &nl);
		nl.find_line = find_line;
		code = nl_talk(&nl, &attr_config, NULL);
	}
	nl_close(&nl);
	return code;
}

const struct command cmd_restore = {
	.name = "restore",
	.args = "[FILE]",
	.help = "change modes as a file says, all or none",
	.run = cmd_restore_run,
};
