// SPDX-License-Identifier: GPL-2.0
/* Netlink attributes to JSON, by table. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

#include "attr.h"
#include "looptrack.h"
#include "number.h"

static const struct {
	enum mnl_attr_data_type type;
	size_t len;
} attr_checks[] = {
	[ATTR_FLAG]	= { MNL_TYPE_FLAG, 0 },
	[ATTR_STRING]	= { MNL_TYPE_NUL_STRING, 0 },
	[ATTR_NAME]	= { MNL_TYPE_NUL_STRING, 0 },
	[ATTR_U16]	= { MNL_TYPE_U16, sizeof(uint16_t) },
	[ATTR_BE16]	= { MNL_TYPE_U16, sizeof(uint16_t) },
	[ATTR_U32]	= { MNL_TYPE_U32, sizeof(uint32_t) },
	[ATTR_U64]	= { MNL_TYPE_U64, sizeof(uint64_t) },
	[ATTR_ENUM]	= { MNL_TYPE_U32, sizeof(uint32_t) },
	[ATTR_TCP_FLAGS] = { MNL_TYPE_U8, sizeof(uint8_t) },
	[ATTR_PROTOCOL]	= { MNL_TYPE_U8, sizeof(uint8_t) },
	[ATTR_TIME]	= { MNL_TYPE_U64, sizeof(uint64_t) },
	[ATTR_IP4]	= { MNL_TYPE_BINARY, sizeof(struct in_addr) },
	[ATTR_IP6]	= { MNL_TYPE_BINARY, sizeof(struct in6_addr) },
	[ATTR_NEST]	= { MNL_TYPE_NESTED, 0 },
	[ATTR_LIST]	= { MNL_TYPE_NESTED, 0 },
	[ATTR_ARRAY]	= { MNL_TYPE_NESTED, 0 },
};

static const char *const protocol_names[] = {
	[IPPROTO_ICMP] = "icmp",
	[IPPROTO_TCP] = "tcp",
	[IPPROTO_UDP] = "udp",
	[IPPROTO_DCCP] = "dccp",
	[IPPROTO_GRE] = "gre",
	[IPPROTO_ICMPV6] = "icmpv6",
	[IPPROTO_SCTP] = "sctp",
	[IPPROTO_UDPLITE] = "udplite",
};

int attr_word(const struct attr_words *words, const char *word)
{
	for (unsigned int i = 0; i < words->count; i++)
		if (!strcmp(words->word[i], word))
			return i;
	return -1;
}

const char *attr_protocol(uint8_t protocol)
{
	return protocol < ARRAY_SIZE(protocol_names) ? protocol_names[protocol] : NULL;
}

bool attr_find_protocol(const char *name, uint8_t *protocol)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(protocol_names); i++)
		if (protocol_names[i] && !strcmp(protocol_names[i], name)) {
			*protocol = i;
			return true;
		}
	return false;
}

const char *attr_protocol_text(uint8_t protocol, char number[4])
{
	const char *name = attr_protocol(protocol);

	if (name)
		return name;
	*number_write(number, protocol) = '\0';
	return number;
}

static const char *attr_key(const struct attr_desc *desc)
{
	return desc->key ?: desc->name;
}

const char *attr_doc(const struct attr_set *set, const char *key)
{
	for (unsigned int i = 0; i < set->count; i++)
		if (set->desc[i].name && !strcmp(attr_key(&set->desc[i]), key))
			return set->desc[i].doc;
	return NULL;
}

/* The attribute as it is described, or NULL if this tool has nothing to read. */
static const struct attr_desc *attr_describe(const struct attr_set *set, const struct nlattr *attr)
{
	unsigned int type = mnl_attr_get_type(attr);

	if (type >= set->count || set->desc[type].type == ATTR_IGNORE)
		return NULL;
	return &set->desc[type];
}

/* JSON knows signed integers only; a counter that large stays at the largest. */
static json_t *json_u64(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static json_t *json_word(const struct attr_words *words, uint32_t value)
{
	if (value < words->count)
		return json_string_nocheck(words->word[value]);
	return json_sprintf("%s-%u", words->what, value);
}

static json_t *json_protocol(uint8_t protocol)
{
	char number[4];

	return json_string(attr_protocol_text(protocol, number));
}

static json_t *json_tcp_flags(uint8_t flags)
{
	static const char *const names[] = {
		"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr",
	};
	char text[40] = "";

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		if (flags & 1 << i)
			sprintf(text + strlen(text), "%s%s", *text ? "," : "", names[i]);
	return json_string(text);
}

/* Much of what is listed is of the same second as what was before. */
static json_t *json_time(uint64_t ns)
{
	static char date[32], offset[8];
	static time_t last = -1;
	time_t sec = ns / 1000000000;
	char text[64];
	struct tm tm;

	if (sec != last) {
		last = -1;
		if (!localtime_r(&sec, &tm) ||
		    !strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm))
			return json_string("-");
		snprintf(offset, sizeof(offset), "%c%02ld:%02ld", tm.tm_gmtoff < 0 ? '-' : '+',
			 labs(tm.tm_gmtoff) / 3600 % 100, labs(tm.tm_gmtoff) / 60 % 60);
		last = sec;
	}
	snprintf(text, sizeof(text), "%s.%09u%s", date, (unsigned int)(ns % 1000000000), offset);
	return json_string_nocheck(text);
}

/* There are four in each flow, and inet_ntop() asks sprintf(). */
static json_t *json_ip4(const uint8_t *octets)
{
	char text[INET_ADDRSTRLEN], *end = text;

	for (int i = 0; i < 4; i++) {
		end = number_write(end, octets[i]);
		*end++ = '.';
	}
	return json_stringn_nocheck(text, end - 1 - text);
}

static json_t *json_ip6(const void *data)
{
	char buf[INET6_ADDRSTRLEN];

	return json_string_nocheck(inet_ntop(AF_INET6, data, buf, sizeof(buf)));
}

json_t *attr_name(const char *name)
{
	char text[64];
	size_t i;

	for (i = 0; name[i] && i < sizeof(text) - 1; i++)
		text[i] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
	text[i] = '\0';
	return json_string(text);
}

static json_t *decode_nest(const struct attr_set *set, const struct nlattr *attr)
{
	return attr_decode(set, mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
}

static json_t *decode_array(const struct attr_set *set, const struct nlattr *array)
{
	json_t *list = json_array();
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, array) {
		json_t *item = decode_nest(set, attr);

		if (json_array_append_new(list, item)) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *decode_value(const struct attr_desc *desc, const struct nlattr *attr)
{
	const void *data = mnl_attr_get_payload(attr);
	json_t *value;

	switch (desc->type) {
	case ATTR_FLAG:
		return json_true();
	case ATTR_STRING:
		value = json_string(data);
		if (!value)		/* not UTF-8, most likely */
			errno = EBADMSG;
		return value;
	case ATTR_NAME:
		return attr_name(data);
	case ATTR_U16:
		return json_integer(mnl_attr_get_u16(attr));
	case ATTR_BE16:
		return json_integer(ntohs(mnl_attr_get_u16(attr)));
	case ATTR_U32:
		return json_integer(mnl_attr_get_u32(attr));
	case ATTR_U64:
		return json_u64(mnl_attr_get_u64(attr));
	case ATTR_ENUM:
		return json_word(desc->words, mnl_attr_get_u32(attr));
	case ATTR_TCP_FLAGS:
		return json_tcp_flags(mnl_attr_get_u8(attr));
	case ATTR_PROTOCOL:
		return json_protocol(mnl_attr_get_u8(attr));
	case ATTR_TIME:
		return json_time(mnl_attr_get_u64(attr));
	case ATTR_IP4:
		return json_ip4(data);
	case ATTR_IP6:
		return json_ip6(data);
	case ATTR_NEST:
	case ATTR_LIST:
		return decode_nest(desc->nest, attr);
	case ATTR_ARRAY:
		return decode_array(desc->nest, attr);
	case ATTR_IGNORE:
		break;
	}
	return NULL;
}

static int decode_known(json_t *object, const struct attr_desc *desc, const struct nlattr *attr)
{
	const char *key = attr_key(desc);
	json_t *list;

	if (mnl_attr_validate2(attr, attr_checks[desc->type].type, attr_checks[desc->type].len)) {
		errno = EBADMSG;
		return -1;
	}
	if (desc->type != ATTR_LIST)
		return json_object_set_new_nocheck(object, key, decode_value(desc, attr));

	list = json_object_get(object, key);
	if (!list) {
		list = json_array();
		if (json_object_set_new(object, key, list))
			return -1;
	}
	return json_array_append_new(list, decode_value(desc, attr));
}

/* A newer module counts something this tool has no name for. */
static int decode_unknown(json_t *object, const char *what, const struct nlattr *attr)
{
	char key[32];

	snprintf(key, sizeof(key), "%s-%u", what, mnl_attr_get_type(attr));
	switch (mnl_attr_get_payload_len(attr)) {
	case sizeof(uint32_t):
		return json_object_set_new(object, key, json_integer(mnl_attr_get_u32(attr)));
	case sizeof(uint64_t):
		return json_object_set_new(object, key, json_u64(mnl_attr_get_u64(attr)));
	}
	return 0;
}

static int decode_absent_flags(json_t *object, const struct attr_set *set)
{
	for (unsigned int i = 0; i < set->count; i++) {
		const struct attr_desc *desc = &set->desc[i];

		if (desc->type == ATTR_FLAG && !json_object_get(object, attr_key(desc)) &&
		    json_object_set_new_nocheck(object, attr_key(desc), json_false()))
			return -1;
	}
	return 0;
}

json_t *attr_decode(const struct attr_set *set, const void *data, size_t len)
{
	json_t *object = json_object();
	const struct nlattr *attr;
	int err = 0;

	errno = ENOMEM;		/* unless somebody knows better */
	mnl_attr_for_each_payload(data, len) {
		const struct attr_desc *desc = attr_describe(set, attr);

		if (desc)
			err = decode_known(object, desc, attr);
		else if (set->unknown && mnl_attr_get_type(attr) >= set->count)
			err = decode_unknown(object, set->unknown, attr);
		if (err)
			goto fail;
	}
	if (!decode_absent_flags(object, set))
		return object;
fail:
	json_decref(object);
	return NULL;
}

/* The words of a nest, which are what the user typed. */
static void write_words(FILE *out, const struct attr_set *set, const struct nlattr *nest)
{
	json_t *object = decode_nest(set, nest);
	bool first = true;
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value) {
		if (!json_is_string(value))
			continue;
		fprintf(out, "%s%s", first ? " in \"" : " ", json_string_value(value));
		first = false;
	}
	if (!first)
		fputc('"', out);
	json_decref(object);
}

static bool locate(FILE *out, const struct attr_set *set, const void *data, size_t len,
		   const char *pos)
{
	const struct attr_desc *desc;
	const struct nlattr *attr;

	mnl_attr_for_each_payload(data, len) {
		const char *start = (const char *)attr;

		if (pos < start || pos >= start + mnl_attr_get_len(attr))
			continue;
		desc = attr_describe(set, attr);
		if (!desc) {
			fprintf(out, "%u", mnl_attr_get_type(attr));
			return pos == start;
		}
		fputs(desc->name, out);
		if (!desc->nest)
			return pos == start;
		if (pos != start) {
			fputc('.', out);
			if (!locate(out, desc->nest, mnl_attr_get_payload(attr),
				    mnl_attr_get_payload_len(attr), pos))
				return false;
		}
		write_words(out, desc->nest, attr);
		return true;
	}
	return false;
}

char *attr_locate(const struct attr_set *set, const struct nlmsghdr *nlh, size_t offset)
{
	size_t len = mnl_nlmsg_get_payload_len(nlh) - GENL_HDRLEN;
	const char *pos = (const char *)nlh + offset;
	char *name = NULL;
	bool found;
	size_t size;
	FILE *out;

	if (offset >= nlh->nlmsg_len)
		return NULL;
	out = open_memstream(&name, &size);
	if (!out)
		return NULL;
	found = locate(out, set, mnl_nlmsg_get_payload_offset(nlh, GENL_HDRLEN), len, pos);
	if (!fclose(out) && found)
		return name;
	free(name);
	return NULL;
}
