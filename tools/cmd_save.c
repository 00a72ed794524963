// SPDX-License-Identifier: GPL-2.0
/* looptrack save: the modes of features, for restore to read */
#include <errno.h>
#include <stdio.h>

#include "order.h"
#include "out.h"

static const char *text(json_t *feature, const char *key)
{
	return json_string_value(json_object_get(feature, key)) ?: "-";
}

/* Only what is supported can be set again. */
static bool is_supported(json_t *feature)
{
	return json_is_true(json_object_get(feature, "supported"));
}

/* Half of a configuration must not look like all of it. */
static enum exit_code check(json_t *features)
{
	json_t *feature;
	size_t i;

	json_array_foreach(features, i, feature) {
		const char *name = text(feature, "name"), *mode = text(feature, "mode");

		if (is_supported(feature) && (attr_word(&attr_features, name) < 0 ||
					      attr_word(&attr_modes, mode) < 0))
			return fail(EXIT_MISMATCH,
				    "save: \"%s %s\" is of a module newer than this tool: upgrade the tool",
				    name, mode);
	}
	return EXIT_OK;
}

static void show(json_t *features)
{
	json_t *feature;
	size_t i;

	puts("# Written by looptrack save, to be read by looptrack restore; see looptrack(8).");
	json_array_foreach(features, i, feature) {
		char mark[40];

		if (!is_supported(feature))
			continue;
		printf("%-10s %s", text(feature, "name"), text(feature, "mode"));
		if (order_mark(feature, mark, sizeof(mark)))
			printf(" %s", mark);
		putchar('\n');
	}
}

static enum exit_code cmd_save_run(int argc, char **argv)
{
	enum exit_code code = no_arguments(argc, argv, 1);
	json_t *config = NULL, *features;
	struct nl nl;

	if (code)
		return code;
	if (opt.json)
		return fail(EXIT_USAGE, "save: has no JSON; \"looptrack -j status\" has");

	code = nl_open(&nl);
	if (!code)
		code = nl_get(&nl, NF_LOOPTRACK_CMD_FEATURE_GET, &attr_config, &config);
	nl_close(&nl);
	if (code)
		return code;
	features = json_object_get(config, "features");
	if (features) {
		code = check(features);
	} else {
		errno = EBADMSG;
		code = nl_undecodable();
	}
	if (!code)
		show(features);
	json_decref(config);
	return code;
}

const struct command cmd_save = {
	.name = "save",
	.args = "",
	.help = "write the modes, for restore",
	.run = cmd_save_run,
};
