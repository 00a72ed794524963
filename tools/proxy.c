// SPDX-License-Identifier: GPL-2.0
/* Proxies: as they are named in words, in netlink and in JSON. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/nf_looptrack.h>

#include "cgroup.h"
#include "number.h"
#include "out.h"
#include "proxy.h"

/* A path, or the number that is shown when there is none. */
static enum exit_code parse_cgroup(const char *where, const char *text, uint64_t *value)
{
	if (*text != '/') {
		if (number_parse(text, 1, UINT64_MAX, value))
			return EXIT_OK;
		return fail(EXIT_USAGE, "%s: cgroup \"%s\" is neither a path nor a number", where,
			    text);
	}
	if (!cgroup_number(text, value))
		return EXIT_OK;
	if (errno == ENOENT)
		return fail(EXIT_USAGE,
			    "%s: there is no cgroup \"%s\"; start its service first, or name the proxy by uid",
			    where, text);
	if (errno == ENOTSUP)
		return fail(EXIT_USAGE, "%s: \"%s\" is no cgroup of the unified hierarchy", where,
			    text);
	return fail(EXIT_USAGE, "%s: cgroup \"%s\": %s", where, text, strerror(errno));
}

static enum exit_code parse_value(unsigned int by, const char *where, const char *text,
				  uint64_t *value)
{
	switch (by) {
	case NF_LOOPTRACK_A_PROXY_PORT:
		if (number_parse(text, 1, UINT16_MAX, value))
			return EXIT_OK;
		return fail(EXIT_USAGE, "%s: port \"%s\" is not a number from 1 to 65535", where,
			    text);
	case NF_LOOPTRACK_A_PROXY_UID:
		if (number_parse(text, 0, UINT32_MAX - 1, value))
			return EXIT_OK;
		return fail(EXIT_USAGE, "%s: uid \"%s\" is not the number of a user", where,
			    text);
	default:
		return parse_cgroup(where, text, value);
	}
}

enum exit_code proxy_parse(struct proxies *proxies, const char *where, int count,
			   char **words, int *used)
{
	const char *word = count > 0 ? words[0] : "";
	bool none = !strcmp(word, "none");
	enum exit_code code;
	unsigned int by;
	uint64_t value;

	if (proxies->none || (proxies->count && none))
		return fail(EXIT_USAGE, "%s: proxy none goes with no other proxy", where);
	if (none) {
		proxies->none = true;
		*used = 1;
		return EXIT_OK;
	}

	if (!strcmp(word, "port"))
		by = NF_LOOPTRACK_A_PROXY_PORT;
	else if (!strcmp(word, "uid"))
		by = NF_LOOPTRACK_A_PROXY_UID;
	else if (!strcmp(word, "cgroup"))
		by = NF_LOOPTRACK_A_PROXY_CGROUP;
	else
		return fail(EXIT_USAGE,
			    "%s: proxy \"%s\" is none of: port PORT, uid UID, cgroup PATH, none",
			    where, word);
	if (count == 1)
		return fail(EXIT_USAGE, "%s: no %s given behind proxy %s", where, word, word);
	if (proxies->count == PROXIES_MAX)
		return fail(EXIT_USAGE, "%s: more than %u proxies", where, PROXIES_MAX);

	code = parse_value(by, where, words[1], &value);
	if (code)
		return code;
	proxies->proxy[proxies->count].by = by;
	proxies->proxy[proxies->count++].value = value;
	*used = 2;
	return EXIT_OK;
}

void proxy_put(struct nlmsghdr *nlh, const struct proxies *proxies)
{
	if (proxies->none)
		mnl_attr_put(nlh, NF_LOOPTRACK_A_FEATURE_NO_PROXY, 0, NULL);
	for (unsigned int i = 0; i < proxies->count; i++) {
		struct nlattr *nest = mnl_attr_nest_start(nlh, NF_LOOPTRACK_A_FEATURE_PROXY);
		unsigned int by = proxies->proxy[i].by;
		uint64_t value = proxies->proxy[i].value;

		if (by == NF_LOOPTRACK_A_PROXY_PORT)
			mnl_attr_put_u16(nlh, by, value);
		else if (by == NF_LOOPTRACK_A_PROXY_UID)
			mnl_attr_put_u32(nlh, by, value);
		else
			mnl_attr_put_u64(nlh, by, value);
		mnl_attr_nest_end(nlh, nest);
	}
}

int proxy_add_paths(json_t *features)
{
	json_t *feature, *proxy;
	size_t i, j;

	json_array_foreach(features, i, feature) {
		json_array_foreach(json_object_get(feature, "proxies"), j, proxy) {
			json_t *cgroup = json_object_get(proxy, "cgroup");
			char *path = cgroup ? cgroup_path(json_integer_value(cgroup)) : NULL;
			/* One that is not UTF-8 is not told. */
			json_t *text = path ? json_string(path) : NULL;

			free(path);
			if (text && json_object_set_new(proxy, "path", text))
				return -1;
		}
	}
	return 0;
}

void proxy_text(json_t *proxy, char *text, size_t size)
{
	const char *path = json_string_value(json_object_get(proxy, "path"));
	const char *by;
	json_t *value;

	if (path) {
		snprintf(text, size, "proxy cgroup %s", path);
		return;
	}
	json_object_foreach(proxy, by, value)
		snprintf(text, size, "proxy %s %" JSON_INTEGER_FORMAT, by,
			 json_integer_value(value));
}
