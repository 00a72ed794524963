// SPDX-License-Identifier: GPL-2.0
/* Which flows, or events, are wanted: conntrack's filters, and what only we know. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "attr.h"
#include "cgroup.h"
#include "endpoint.h"
#include "filter.h"
#include "flow.h"
#include "number.h"
#include "out.h"
#include "word.h"

enum kind {
	ADDRESS,	/* ADDRESS or ADDRESS/LENGTH */
	PORT,
	PROTOCOL,	/* a name or a number */
	STATE,		/* of TCP, as conntrack(8) has it or as we show it */
	ZONE,
	NUMBER,		/* 32 bits */
	MARK,		/* VALUE or VALUE/MASK */
	CGROUP,		/* a number or a path */
	FEATURES,	/* one, or several with commas between */
	DECISIONS,	/* likewise */
	FLAG,		/* no value; what is looked at is true */
};

/* What the user can say instead. */
static const char *const kind_docs[] = {
	[ADDRESS] = "ADDRESS or ADDRESS/LENGTH, as 10.0.0.0/8",
	[PORT] = "a port from 0 to 65535",
	[PROTOCOL] = "an IP protocol, as tcp, udp or 47",
	[STATE] = "a state of TCP, as established or time-wait",
	[ZONE] = "a number from 0 to 65535",
	[NUMBER] = "a number from 0 to 4294967295",
	[MARK] = "VALUE or VALUE/MASK, as 0x1000/0x1000, with all bits within MASK",
	[CGROUP] = "a cgroup: its number, or its path",
};

static const struct attr_words *const kind_words[] = {
	[FEATURES] = &attr_features,
	[DECISIONS] = &attr_decisions,
};

#define FLOW	FILTER_FLOWS
#define EVENT	FILTER_EVENTS

/* Each option: whose it is, and what it looks at, by JSON keys. */
static const struct field {
	int option;
	const char *name;
	enum kind kind;
	unsigned int of;
	const char *nest;
	const char *key;
} fields[] = {
	{ 's', "src", ADDRESS, FLOW | EVENT, "original", "src" },
	{ 's', "orig-src", ADDRESS, FLOW | EVENT, "original", "src" },
	{ 'd', "dst", ADDRESS, FLOW | EVENT, "original", "dst" },
	{ 'd', "orig-dst", ADDRESS, FLOW | EVENT, "original", "dst" },
	{ 'r', "reply-src", ADDRESS, FLOW, "reply", "src" },
	{ 'q', "reply-dst", ADDRESS, FLOW, "reply", "dst" },
	{ 'p', "proto", PROTOCOL, FLOW | EVENT, NULL, "protocol" },
	{ 1, "sport", PORT, FLOW | EVENT, "original", "sport" },
	{ 1, "orig-port-src", PORT, FLOW | EVENT, "original", "sport" },
	{ 2, "dport", PORT, FLOW | EVENT, "original", "dport" },
	{ 2, "orig-port-dst", PORT, FLOW | EVENT, "original", "dport" },
	{ 3, "reply-port-src", PORT, FLOW, "reply", "sport" },
	{ 4, "reply-port-dst", PORT, FLOW, "reply", "dport" },
	{ 'w', "zone", ZONE, FLOW | EVENT, NULL, "zone" },
	{ 'm', "mark", MARK, FLOW, NULL, "mark" },
	{ 5, "state", STATE, FLOW, NULL, "tcp_state" },
	{ 6, "uid", NUMBER, FLOW | EVENT, "owner", "uid" },
	{ 7, "pid", NUMBER, FLOW, "owner", "pid" },
	{ 8, "cgroup", CGROUP, FLOW, "owner", "cgroup" },
	{ 9, "loop", FLAG, FLOW, NULL, "is_loopback" },
	{ 10, "implicit-snat", FLAG, FLOW, NULL, "is_rewritten" },
	{ 11, "stale", FLAG, FLOW, NULL, "is_stale" },
	{ 12, "feature", FEATURES, EVENT, NULL, "feature" },
	{ 13, "decision", DECISIONS, EVENT, NULL, "decision" },
};

const char *filter_short_options(enum filter_of of)
{
	return of == FILTER_FLOWS ? "s:d:r:q:p:w:m:" : "s:d:p:w:";
}

/**
 * struct filter - one condition; all must be met
 * @next: one more
 * @field: what is looked at
 * @family: of @addr
 * @addr: ADDRESS: the network
 * @length: ADDRESS: of its prefix, in bits
 * @value: PORT, ZONE, NUMBER, MARK, CGROUP: what it must be;
 *	FEATURES, DECISIONS: a bit for each that it may be
 * @mask: MARK: the bits that count
 * @word: PROTOCOL, STATE: what it must be
 */
struct filter {
	struct filter *next;
	const struct field *field;
	int family;
	struct in6_addr addr;
	unsigned int length;
	uint64_t value;
	uint32_t mask;
	char word[16];
};

const struct option *filter_options(enum filter_of of, const struct option *own)
{
	static struct option options[ARRAY_SIZE(fields) + 3];
	struct option *next = options;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i].of & of)
			*next++ = (struct option) {
				.name = fields[i].name,
				.has_arg = fields[i].kind == FLAG ? no_argument :
								    required_argument,
				.val = fields[i].option,
			};
	for (; own && own->name; own++)
		*next++ = *own;
	*next = (struct option) { };
	return options;
}

static bool parse_address(struct filter *f, const char *word)
{
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchrnul(word, '/');
	struct endpoint end = {};
	uint64_t length;

	if (slash - word >= (ptrdiff_t)sizeof(address))
		return false;
	memcpy(address, word, slash - word);
	address[slash - word] = '\0';

	if (inet_pton(AF_INET, address, &end.addr) == 1)
		end.family = AF_INET;
	else if (inet_pton(AF_INET6, address, &end.addr) == 1)
		end.family = AF_INET6;
	else
		return false;

	length = end.family == AF_INET ? 32 : 128;
	if (*slash && !number_parse(slash + 1, 0, length, &length))
		return false;
	if (length >= 96 && endpoint_unmap(&end))
		length -= 96;
	f->family = end.family;
	f->addr = end.addr;
	f->length = length;
	return true;
}

static bool parse_protocol(struct filter *f, const char *word)
{
	uint8_t protocol;
	char number[4];

	if (!endpoint_find_protocol(word, &protocol))
		return false;
	snprintf(f->word, sizeof(f->word), "%s", attr_protocol_text(protocol, number));
	return true;
}

static bool parse_state(struct filter *f, const char *word)
{
	size_t i;

	for (i = 0; word[i] && i < sizeof(f->word) - 1; i++)
		f->word[i] = word[i] == '_' ? '-' : tolower((unsigned char)word[i]);
	return !word[i] && attr_word(&attr_tcp_states, f->word) >= 0;
}

static bool parse_mark(struct filter *f, const char *word)
{
	uint32_t value;

	if (!number_parse_mark(word, &value, &f->mask))
		return false;
	f->value = value;
	return !(value & ~f->mask);
}

static bool parse_cgroup(struct filter *f, const char *word)
{
	if (*word == '/')
		return !cgroup_number(word, &f->value);
	return number_parse(word, 0, UINT64_MAX, &f->value);
}

static bool parse(struct filter *f, const char *word)
{
	switch (f->field->kind) {
	case ADDRESS:
		return parse_address(f, word);
	case PORT:
		return number_parse(word, 0, UINT16_MAX, &f->value);
	case PROTOCOL:
		return parse_protocol(f, word);
	case STATE:
		return parse_state(f, word);
	case ZONE:
		return number_parse(word, 0, UINT16_MAX, &f->value);
	case NUMBER:
		return number_parse(word, 0, UINT32_MAX, &f->value);
	case MARK:
		return parse_mark(f, word);
	case CGROUP:
		return parse_cgroup(f, word);
	case FLAG:
		return true;
	case FEATURES:
	case DECISIONS:
		break;
	}
	return false;
}

enum exit_code filter_note(struct filter **filter, const char *command, int c, const char *word)
{
	const struct field *field = fields;
	struct filter *f;

	while (field->option != c)
		field++;
	for (f = *filter; f; f = f->next)
		if (f->field == field)
			return fail(EXIT_USAGE, "%s: --%s is given twice", command, field->name);

	f = calloc(1, sizeof(*f));
	if (!f)
		return fail(EXIT_SYSTEM, "out of memory");
	f->field = field;
	f->next = *filter;
	*filter = f;
	if (field->kind == FEATURES || field->kind == DECISIONS)
		return word_parse_list(command, kind_words[field->kind], word, &f->value);
	if (parse(f, word))
		return EXIT_OK;
	return fail(EXIT_USAGE, "%s: --%s \"%s\" is not %s", command, field->name, word,
		    kind_docs[field->kind]);
}

static bool is_within(const struct filter *f, const char *text)
{
	unsigned int bytes = f->length / 8, bits = f->length % 8;
	const uint8_t *wanted = f->addr.s6_addr;
	uint8_t addr[sizeof(struct in6_addr)];

	return text && inet_pton(f->family, text, addr) == 1 && !memcmp(addr, wanted, bytes) &&
	       (!bits || !((addr[bytes] ^ wanted[bytes]) >> (8 - bits)));
}

/* A word that this tool does not know is none of those that were asked for. */
static bool is_among(const struct filter *f, const char *word)
{
	int number = word ? attr_word(kind_words[f->field->kind], word) : -1;

	return number >= 0 && f->value >> number & 1;
}

static bool meets(const struct filter *f, json_t *object)
{
	json_t *nest = f->field->nest ? json_object_get(object, f->field->nest) : object;
	json_t *value = json_object_get(nest, f->field->key);

	switch (f->field->kind) {
	case ADDRESS:
		return is_within(f, json_string_value(value));
	case PROTOCOL:
	case STATE:
		return value && !strcmp(json_string_value(value), f->word);
	case FEATURES:
	case DECISIONS:
		return is_among(f, json_string_value(value));
	case FLAG:
		return json_is_true(value);
	case MARK:
		/* Absent if it is 0. */
		return (json_integer_value(value) & f->mask) == f->value;
	case PORT:
	case ZONE:
	case NUMBER:
	case CGROUP:
		break;
	}
	return value && (uint64_t)json_integer_value(value) == f->value;
}

bool filter_wants(const struct filter *filter, json_t *object)
{
	for (; filter; filter = filter->next)
		if (!meets(filter, object))
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
