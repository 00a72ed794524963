// SPDX-License-Identifier: GPL-2.0
/* A flow: asking for it, and showing it. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <linux/nf_looptrack.h>

#include "flow.h"
#include "number.h"
#include "out.h"
#include "stream.h"

static bool is_same(json_t *a, const char *a_key, json_t *b, const char *b_key)
{
	json_t *value = json_object_get(a, a_key), *other = json_object_get(b, b_key);

	return value == other || json_equal(value, other);
}

/* Do replies come from where the flow went, to where it came from? ICMP has no ports:
 * in their place are its id, the same in a reply, and its type, which is another.
 */
static bool is_plain(json_t *flow)
{
	json_t *original = json_object_get(flow, "original");
	json_t *reply = json_object_get(flow, "reply");

	if (!is_same(original, "src", reply, "dst") || !is_same(original, "dst", reply, "src"))
		return false;
	if (!strncmp(out_text(flow, "protocol"), "icmp", 4))
		return is_same(original, "sport", reply, "sport");
	return is_same(original, "sport", reply, "dport") &&
	       is_same(original, "dport", reply, "sport");
}

/* " first 5/300 4/250": packets and bytes, as sent and as answered */
static void show_pass(json_t *flow, const char *label, const char *original, const char *reply)
{
	const char *const keys[] = { original, reply };

	if (!json_object_get(flow, original))
		return;
	printf(" %s", label);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		json_t *pass = json_object_get(flow, keys[i]);

		printf(" %" JSON_INTEGER_FORMAT "/%" JSON_INTEGER_FORMAT,
		       json_integer_value(json_object_get(pass, "packets")),
		       json_integer_value(json_object_get(pass, "bytes")));
	}
}

static void show_socket(json_t *flow, const char *key)
{
	json_t *socket = json_object_get(flow, key);

	if (!socket)
		return;
	printf(" %s %s", key, out_text(socket, "state"));
	out_number(socket, "uid");
}

void flow_show_owner(json_t *owner)
{
	json_t *pid = json_object_get(owner, "pid");

	if (json_object_get(owner, "comm"))
		printf(" %s", out_text(owner, "comm"));
	if (pid)
		printf("[%" JSON_INTEGER_FORMAT "]", json_integer_value(pid));
	out_number(owner, "uid");
	out_number(owner, "gid");
	out_number(owner, "cgroup");
}

void flow_show(json_t *flow)
{
	json_t *owner = json_object_get(flow, "owner");
	json_int_t mark = json_integer_value(json_object_get(flow, "mark"));

	fputs(out_text(flow, "protocol"), stdout);
	if (json_object_get(flow, "tcp_state"))
		printf(" %s", out_text(flow, "tcp_state"));
	stream_tuple(json_object_get(flow, "original"));
	if (!is_plain(flow)) {
		printf(" answers");
		stream_tuple(json_object_get(flow, "reply"));
	}
	if (json_is_true(json_object_get(flow, "is_rewritten")))
		printf(" rewritten");
	if (json_is_true(json_object_get(flow, "is_loopback")))
		printf(" loopback");
	if (json_is_true(json_object_get(flow, "is_stale"))) {
		putchar(' ');
		out_word("stale", 0);
	}
	out_number(flow, "timeout");
	if (json_integer_value(json_object_get(flow, "zone")))
		out_number(flow, "zone");
	if (mark)
		printf(" mark 0x%llx", (unsigned long long)mark);
	show_pass(flow, "first", "first_original", "first_reply");
	show_pass(flow, "second", "second_original", "second_reply");
	show_socket(flow, "client");
	show_socket(flow, "server");
	if (owner) {
		printf(" owner");
		flow_show_owner(owner);
	}
	putchar('\n');
}

uint8_t flow_protocol(json_t *flow)
{
	const char *protocol = out_text(flow, "protocol");

	if (!strcmp(protocol, "tcp"))
		return IPPROTO_TCP;
	return strcmp(protocol, "udp") ? 0 : IPPROTO_UDP;
}

static void request(struct nl *nl, const struct question *question)
{
	struct nlmsghdr *nlh = nl_request(nl, NF_LOOPTRACK_CMD_FLOW_GET);

	mnl_attr_put_u8(nlh, NF_LOOPTRACK_A_FLOW_PROTOCOL, question->protocol);
	mnl_attr_put_u16(nlh, NF_LOOPTRACK_A_FLOW_ZONE, question->zone);
	endpoint_put(nlh, NF_LOOPTRACK_A_FLOW_TUPLE, question->ends);
}

enum exit_code flow_get(struct nl *nl, const struct question *question, json_t **flow)
{
	request(nl, question);
	return nl_talk(nl, &attr_flow, flow);
}

enum exit_code flow_find(struct nl *nl, const struct question *question, json_t **flow)
{
	request(nl, question);
	return nl_find(nl, &attr_flow, flow);
}

enum exit_code flow_parse(struct question *question, const char *where, char *const words[3])
{
	enum exit_code code;

	*question = (struct question){ .zone = question->zone };
	code = endpoint_parse_protocol(&question->protocol, where, words[0]);
	if (code)
		return code;
	return endpoint_parse_flow(question->ends, where, question->protocol, words + 1);
}

enum exit_code flow_parse_zone(uint16_t *zone, const char *command, int argc, char **argv)
{
	static const struct option options[] = {
		{ "zone", required_argument, NULL, 'w' },
		{ }
	};
	uint64_t value;
	int c;

	optind = 0;
	while ((c = getopt_long(argc, argv, "+:w:", options, NULL)) != -1) {
		if (c != 'w')
			return bad_option(c, argv);
		if (!number_parse(optarg, 0, UINT16_MAX, &value))
			return fail(EXIT_USAGE,
				    "%s: --zone \"%s\" is not a number from 0 to 65535", command,
				    optarg);
		*zone = value;
	}
	return EXIT_OK;
}
