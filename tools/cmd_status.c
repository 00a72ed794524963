// SPDX-License-Identifier: GPL-2.0
/* looptrack status: module, namespace, features and counters on one screen */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "exempt.h"
#include "order.h"
#include "out.h"
#include "proxy.h"

/* Columns: of a feature's name, of that and its mode, and its default, of a line. */
#define NAME_END	11
#define MODE_END	19
#define DEFAULT_END	28
#define LINE_END	79

static json_t *find_feature(json_t *features, const char *name)
{
	json_t *feature;
	size_t i;

	json_array_foreach(features, i, feature) {
		const char *is = json_string_value(json_object_get(feature, "name"));

		if (is && !strcmp(is, name))
			return feature;
	}
	return NULL;
}

/* An older module may not have heard of a feature: that is not to support it. */
static int add_unheard(json_t *features)
{
	for (unsigned int i = 0; i < attr_features.count; i++) {
		const char *name = attr_features.word[i];

		json_t *feature;

		if (find_feature(features, name))
			continue;
		feature = json_pack("{s:s, s:s, s:s, s:b}", "name", name, "mode", "off",
				    "default", "off", "supported", 0);
		if (json_array_append_new(features, feature))
			return -1;
	}
	return 0;
}

/* Everything there is to show, under the keys of JSON, or NULL with errno. */
static json_t *assemble(json_t *module, json_t *config, json_t *counters)
{
	json_t *features = json_object_get(config, "features");
	const char *netns = opt.netns ?: "current";
	const char *version, *netns_default;
	struct utsname uts;
	json_t *status;

	if (json_unpack(module, "{s:s, s:s}", "version", &version,
			"netns_default", &netns_default) || !features) {
		errno = EBADMSG;
		return NULL;
	}
	uname(&uts);
	status = json_pack("{s:{s:s}, s:{s:s}, s:s, s:o, s:s, s:O, s:O}",
			   "module", "version", version,
			   "tool", "version", VERSION,
			   "kernel", uts.release,
			   "netns", json_string(netns) ?: json_string("?"),
			   "netns_default", netns_default,
			   "features", features,
			   "counters", counters);
	if (status && !add_unheard(features) && !proxy_add_paths(features))
		return status;
	json_decref(status);
	errno = ENOMEM;
	return NULL;
}

static enum exit_code ask(struct nl *nl, json_t **status)
{
	json_t *module = NULL, *config = NULL, *counters = NULL;
	enum exit_code code;

	code = nl_get(nl, NF_LOOPTRACK_CMD_MODULE_GET, &attr_module, &module);
	if (!code)
		code = nl_get(nl, NF_LOOPTRACK_CMD_FEATURE_GET, &attr_config, &config);
	if (!code)
		code = nl_get(nl, NF_LOOPTRACK_CMD_STATS_GET, &attr_stats, &counters);
	if (!code) {
		*status = assemble(module, config, counters);
		if (!*status)
			code = nl_undecodable();
	}
	json_decref(module);
	json_decref(config);
	json_decref(counters);
	return code;
}

/* What the name of a counter of @feature says beyond that, or NULL for others. */
static const char *counter_of(const char *feature, const char *counter)
{
	size_t len = strlen(feature);

	if (strncmp(counter, feature, len) || counter[len] != '_')
		return NULL;
	return counter + len + 1;
}

/* Something of a feature, in a line that has @column columns; returns how many then. */
static int show_item(int column, const char *item)
{
	if (column + strlen(item) > LINE_END) {
		putchar('\n');
		column = 0;
	}
	if (column < DEFAULT_END)
		column += printf("%*s", DEFAULT_END - column, "");
	return column + printf("%s", item);
}

/* The mark of passmark, if it has one. */
static int show_mark(json_t *feature, int column)
{
	char item[80] = "  ";

	if (!order_mark(feature, item + 2, sizeof(item) - 2))
		return column;
	return show_item(column, item);
}

/* What loopguard knows to be a proxy. */
static int show_proxies(json_t *feature, int column)
{
	json_t *proxy;
	size_t i;

	json_array_foreach(json_object_get(feature, "proxies"), i, proxy) {
		char item[PROXY_SIZE + 2] = "  ";

		proxy_text(proxy, item + 2, sizeof(item) - 2);
		column = show_item(column, item);
	}
	return column;
}

/* The ports that listeners leaves alone. */
static int show_exempts(json_t *feature, int column)
{
	json_t *exempt;
	size_t i;

	json_array_foreach(json_object_get(feature, "exempt"), i, exempt) {
		char item[EXEMPT_SIZE + 2] = "  ";

		exempt_text(exempt, item + 2, sizeof(item) - 2);
		column = show_item(column, item);
	}
	return column;
}

/* What belongs to @feature alone. */
static int show_more(json_t *feature, int column)
{
	column = show_mark(feature, column);
	column = show_proxies(feature, column);
	return show_exempts(feature, column);
}

/* The counters of @feature. */
static void show_counters(const char *feature, json_t *counters, int column)
{
	const char *key;
	json_t *value;

	json_object_foreach(counters, key, value) {
		const char *name = counter_of(feature, key);
		char item[80];

		if (!name)
			continue;
		snprintf(item, sizeof(item), "  %s %" JSON_INTEGER_FORMAT, name,
			 json_integer_value(value));
		column = show_item(column, item);
	}
}

/* Drop what was shown, or need not be: what is not supported does not count. */
static void drop_counters(const char *feature, json_t *counters)
{
	const char *key;
	json_t *value;
	void *next;

	json_object_foreach_safe(counters, next, key, value)
		if (counter_of(feature, key))
			json_object_del(counters, key);
}

/* What one has to know as long as the feature acts. */
static void show_danger(const char *name, const char *mode)
{
	if (!strcmp(name, "express") && !strcmp(mode, "enforce"))
		printf("%*s%s\n", NAME_END, "",
		       "PREROUTING and INPUT don't see packets of accepted loopback flows");
}

static void show_feature(json_t *feature, json_t *counters)
{
	const char *by_default = out_text(feature, "default");
	const char *name = out_text(feature, "name");
	int column = MODE_END;

	printf("%-10s ", name);
	out_word(out_text(feature, "mode"), 8);
	column += printf(" %s", by_default);
	if (json_is_true(json_object_get(feature, "supported")))
		show_counters(name, counters, show_more(feature, column));
	else
		show_item(column, "  not supported by this module");
	putchar('\n');
	show_danger(name, out_text(feature, "mode"));
	drop_counters(name, counters);
}

static void show(json_t *status)
{
	json_t *counters = json_object_get(status, "counters");
	json_t *feature;
	size_t i;

	printf("module     nf_looptrack %s\n",
	       out_text(json_object_get(status, "module"), "version"));
	printf("tool       looptrack %s\n", VERSION);
	printf("kernel     %s\n", out_text(status, "kernel"));
	printf("namespace  %s\n", opt.netns ?: "current");
	printf("defaults   netns=%s\n", out_text(status, "netns_default"));

	printf("\n%-10s %-8s %-8s  %s\n", "feature", "mode", "default", "counters");
	json_array_foreach(json_object_get(status, "features"), i, feature)
		show_feature(feature, counters);

	putchar('\n');
	out_counters(counters);
}

static enum exit_code cmd_status_run(int argc, char **argv)
{
	enum exit_code code = no_arguments(argc, argv, 1);
	json_t *status = NULL;
	struct nl nl;

	if (code)
		return code;
	code = nl_open(&nl);
	if (!code)
		code = ask(&nl, &status);
	nl_close(&nl);
	if (code)
		return code;
	if (opt.json)
		return out_json(status);
	show(status);
	json_decref(status);
	return EXIT_OK;
}

const struct command cmd_status = {
	.name = "status",
	.args = "",
	.help = "module, namespace, features and counters on one screen",
	.run = cmd_status_run,
};
