// SPDX-License-Identifier: GPL-2.0
/* Which flows are wanted: conntrack's filters, and what only we know. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/socket.h>

#include "endpoint.h"
#include "filter.h"
#include "flow.h"
#include "out.h"

#define CGROUP_ROOT	"/sys/fs/cgroup"

enum kind {
	ADDRESS,	/* ADDRESS or ADDRESS/LENGTH */
	PORT,
	WORD,		/* a string, compared as it is */
	NUMBER,		/* an integer */
	MARK,		/* VALUE or VALUE/MASK */
	CGROUP,		/* a number, or a path below the cgroup file system */
	FLAG,		/* no value; what is looked at is true */
};

/* Each option: what of a flow it looks at, by JSON keys. */
static const struct field {
	int option;
	const char *name;
	enum kind kind;
	const char *nest;
	const char *key;
} fields[] = {
	{ 's', "orig-src", ADDRESS, "original", "src" },
	{ 's', "src", ADDRESS, "original", "src" },
	{ 'd', "orig-dst", ADDRESS, "original", "dst" },
	{ 'd', "dst", ADDRESS, "original", "dst" },
	{ 'r', "reply-src", ADDRESS, "reply", "src" },
	{ 'q', "reply-dst", ADDRESS, "reply", "dst" },
	{ 'p', "proto", WORD, NULL, "protocol" },
	{ 1, "sport", PORT, "original", "sport" },
	{ 1, "orig-port-src", PORT, "original", "sport" },
	{ 2, "dport", PORT, "original", "dport" },
	{ 2, "orig-port-dst", PORT, "original", "dport" },
	{ 3, "reply-port-src", PORT, "reply", "sport" },
	{ 4, "reply-port-dst", PORT, "reply", "dport" },
	{ 'w', "zone", NUMBER, NULL, "zone" },
	{ 'm', "mark", MARK, NULL, "mark" },
	{ 5, "state", WORD, NULL, "tcp_state" },
	{ 6, "uid", NUMBER, "owner", "uid" },
	{ 7, "pid", NUMBER, "owner", "pid" },
	{ 8, "cgroup", CGROUP, "owner", "cgroup" },
	{ 9, "loop", FLAG, NULL, "is_loopback" },
	{ 10, "implicit-snat", FLAG, NULL, "is_rewritten" },
	{ 11, "stale", FLAG, NULL, "is_stale" },
};

const char filter_short_options[] = "s:d:r:q:p:w:m:";

/**
 * struct filter - one condition; all must be met
 * @next: one more
 * @field: what is looked at
 * @family: of @addr
 * @addr: ADDRESS: the network
 * @length: ADDRESS: of its prefix, in bits
 * @value: PORT, NUMBER, MARK, CGROUP: what it must be
 * @mask: MARK: the bits that count
 * @word: WORD: what it must be; the user's
 */
struct filter {
	struct filter *next;
	const struct field *field;
	int family;
	unsigned char addr[sizeof(struct in6_addr)];
	unsigned int length;
	uint64_t value;
	uint64_t mask;
	const char *word;
};

const struct option *filter_options(void)
{
	static struct option options[ARRAY_SIZE(fields) + 1];

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		options[i] = (struct option) {
			.name = fields[i].name,
			.has_arg = fields[i].kind == FLAG ? no_argument : required_argument,
			.val = fields[i].option,
		};
	return options;
}

static bool parse_number(const char *word, const char *end, uint64_t max, uint64_t *value)
{
	char *stop;

	errno = 0;
	*value = strtoull(word, &stop, 0);
	return isdigit((unsigned char)*word) && stop == end && !errno && *value <= max;
}

static bool parse_address(struct filter *f, const char *word)
{
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchrnul(word, '/');
	uint64_t length;

	if (slash - word >= (ptrdiff_t)sizeof(address))
		return false;
	memcpy(address, word, slash - word);
	address[slash - word] = '\0';

	if (inet_pton(AF_INET, address, f->addr) == 1)
		f->family = AF_INET;
	else if (inet_pton(AF_INET6, address, f->addr) == 1)
		f->family = AF_INET6;
	else
		return false;

	length = f->family == AF_INET ? 32 : 128;
	if (*slash && !parse_number(slash + 1, slash + strlen(slash), length, &length))
		return false;
	f->length = length;
	return true;
}

static bool parse_mark(struct filter *f, const char *word)
{
	const char *slash = strchrnul(word, '/');

	f->mask = UINT32_MAX;
	return parse_number(word, slash, UINT32_MAX, &f->value) &&
	       (!*slash || parse_number(slash + 1, slash + strlen(slash), UINT32_MAX, &f->mask));
}

/* The id of a cgroup is the number of its directory. */
static bool parse_cgroup(struct filter *f, const char *word)
{
	char path[4096];
	struct stat st;

	if (isdigit((unsigned char)*word))
		return parse_number(word, word + strlen(word), UINT64_MAX, &f->value);
	if (snprintf(path, sizeof(path), "%s%s%s",
		     !strncmp(word, CGROUP_ROOT "/", sizeof(CGROUP_ROOT)) ? "" : CGROUP_ROOT,
		     *word == '/' ? "" : "/", word) >= (int)sizeof(path) ||
	    stat(path, &st) || !S_ISDIR(st.st_mode))
		return false;
	f->value = st.st_ino;
	return true;
}

static bool parse(struct filter *f, const char *word)
{
	uint16_t port;

	switch (f->field->kind) {
	case ADDRESS:
		return parse_address(f, word);
	case PORT:
		if (!endpoint_parse_port(word, &port))
			return false;
		f->value = port;
		return true;
	case NUMBER:
		return parse_number(word, word + strlen(word), UINT32_MAX, &f->value);
	case MARK:
		return parse_mark(f, word);
	case CGROUP:
		return parse_cgroup(f, word);
	case WORD:
	case FLAG:
		f->word = word;
		return true;
	}
	return false;
}

enum exit_code filter_note(struct filter **filter, const char *command, int c, const char *word)
{
	struct filter *f = calloc(1, sizeof(*f));

	if (!f)
		return fail(EXIT_SYSTEM, "out of memory");
	f->next = *filter;
	*filter = f;
	for (size_t i = 0; i < ARRAY_SIZE(fields) && !f->field; i++)
		if (fields[i].option == c)
			f->field = &fields[i];
	if (f->field && parse(f, word))
		return EXIT_OK;
	return fail(EXIT_USAGE, "%s: \"%s\" is no value for --%s", command, word,
		    f->field ? f->field->name : "");
}

static bool is_within(const struct filter *f, const char *text)
{
	unsigned char addr[sizeof(struct in6_addr)];
	unsigned int bytes = f->length / 8, bits = f->length % 8;

	return text && inet_pton(f->family, text, addr) == 1 && !memcmp(addr, f->addr, bytes) &&
	       (!bits || !((addr[bytes] ^ f->addr[bytes]) >> (8 - bits)));
}

static bool meets(const struct filter *f, json_t *flow)
{
	json_t *nest = f->field->nest ? json_object_get(flow, f->field->nest) : flow;
	json_t *value = json_object_get(nest, f->field->key);

	switch (f->field->kind) {
	case ADDRESS:
		return is_within(f, json_string_value(value));
	case WORD:
		return value && !strcasecmp(json_string_value(value), f->word);
	case FLAG:
		return json_is_true(value);
	case MARK:
		/* Absent if it is 0. */
		return (json_integer_value(value) & f->mask) == f->value;
	case PORT:
	case NUMBER:
	case CGROUP:
		break;
	}
	return value && (uint64_t)json_integer_value(value) == f->value;
}

bool filter_wants(const struct filter *filter, json_t *flow)
{
	for (; filter; filter = filter->next)
		if (!meets(filter, flow))
			return false;
	return true;
}

void filter_free(struct filter *filter)
{
	while (filter) {
		struct filter *next = filter->next;

		free(filter);
		filter = next;
	}
}
