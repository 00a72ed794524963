// SPDX-License-Identifier: GPL-2.0
/* looptrack save: the modes of features, for restore to read */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "exempt.h"
#include "order.h"
#include "out.h"

/* Only what is supported can be set again. */
static bool is_supported(json_t *feature)
{
	return json_is_true(json_object_get(feature, "supported"));
}

/* The number of a cgroup is another one's, or no one's, after a boot. */
static enum exit_code check_proxies(json_t *feature)
{
	json_t *proxy;
	size_t i;

	json_array_foreach(json_object_get(feature, "proxies"), i, proxy) {
		json_t *cgroup = json_object_get(proxy, "cgroup");
		const char *path = json_string_value(json_object_get(proxy, "path"));

		if (!cgroup)
			continue;
		if (!path)
			return fail(EXIT_SYSTEM,
				    "save: cgroup %lld is gone or cannot be seen: name the proxies again with \"looptrack set\"",
				    json_integer_value(cgroup));
		if (!order_is_word(path))
			return fail(EXIT_SYSTEM,
				    "save: cgroup \"%s\" has a blank or # in its name: name one above it, or the proxy by uid",
				    path);
	}
	return EXIT_OK;
}

/* Half of a configuration must not look like all of it. */
static enum exit_code check(json_t *features)
{
	json_t *feature;
	size_t i;

	json_array_foreach(features, i, feature) {
		const char *name = out_text(feature, "name"), *mode = out_text(feature, "mode");
		enum exit_code code = check_proxies(feature);

		if (code)
			return code;
		if (is_supported(feature) && (attr_word(&attr_features, name) < 0 ||
					      attr_word(&attr_modes, mode) < 0))
			return fail(EXIT_MISMATCH,
				    "save: \"%s %s\" is of a module newer than this tool: upgrade the tool",
				    name, mode);
	}
	return EXIT_OK;
}

/* None is told, too, as restore is to leave none. */
static void show_proxies(json_t *feature)
{
	json_t *proxies = json_object_get(feature, "proxies"), *proxy;
	size_t i;

	json_array_foreach(proxies, i, proxy) {
		char item[PROXY_SIZE];

		proxy_text(proxy, item, sizeof(item));
		printf(" %s", item);
	}
	if (!proxies && !strcmp(out_text(feature, "name"), "loopguard"))
		fputs(" proxy none", stdout);
}

/* Likewise. */
static void show_exempts(json_t *feature)
{
	json_t *exempts = json_object_get(feature, "exempt"), *exempt;
	size_t i;

	json_array_foreach(exempts, i, exempt) {
		char item[EXEMPT_SIZE];

		exempt_text(exempt, item, sizeof(item));
		printf(" %s", item);
	}
	if (!exempts && !strcmp(out_text(feature, "name"), "listeners"))
		fputs(" exempt none", stdout);
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
		printf("%-10s %s", out_text(feature, "name"), out_text(feature, "mode"));
		if (order_mark(feature, mark, sizeof(mark)))
			printf(" %s", mark);
		show_proxies(feature);
		show_exempts(feature);
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
	if (!features) {
		errno = EBADMSG;
		code = nl_undecodable();
	} else if (proxy_add_paths(features)) {
		code = fail(EXIT_SYSTEM, "out of memory");
	} else {
		code = check(features);
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
