// SPDX-License-Identifier: GPL-2.0
/* looptrack trace: the packets of one flow, hook by hook */
#include <arpa/inet.h>
#include <ctype.h>
#include <getopt.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/nf_looptrack.h>

#include "stream.h"

/* Columns of a line: of the time, of hook and stage, of both ends. */
#define TIME_WIDTH	15
#define HOOK_WIDTH	12
#define STAGE_WIDTH	10

/**
 * struct end - one end of the flow
 * @family: of its address, or AF_UNSPEC if it may be any
 * @addr: address
 * @port: port, or 0 if it may be any
 */
struct end {
	int family;
	struct in6_addr addr;
	uint16_t port;
};

static bool all_stages;
/* The packet and hook of the last line, and what it said of it. */
static json_t *last;

static enum exit_code bad_end(const char *word)
{
	return fail(EXIT_USAGE,
		    "trace: \"%s\" is not ADDRESS, ADDRESS:PORT, [ADDRESS6]:PORT, *:PORT or *",
		    word);
}

static bool parse_port(const char *word, uint16_t *port)
{
	char *stop;
	unsigned long value = strtoul(word, &stop, 10);

	*port = value;
	return isdigit((unsigned char)*word) && !*stop && value && value <= UINT16_MAX;
}

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80", "*", "*:80" */
static enum exit_code parse_end(const char *word, struct end *end)
{
	char text[INET6_ADDRSTRLEN + 8];
	char *address = text, *port = NULL, *close;

	if (snprintf(text, sizeof(text), "%s", word) >= (int)sizeof(text))
		return bad_end(word);
	if (*text == '[') {
		address = text + 1;
		close = strchr(text, ']');
		if (!close || (close[1] && close[1] != ':'))
			return bad_end(word);
		*close = '\0';
		port = close[1] ? close + 2 : NULL;
	} else if (strchr(text, ':') == strrchr(text, ':') && strchr(text, ':')) {
		port = strchr(text, ':');
		*port++ = '\0';
	}

	if (inet_pton(AF_INET, address, &end->addr) == 1 && *text != '[')
		end->family = AF_INET;
	else if (inet_pton(AF_INET6, address, &end->addr) == 1)
		end->family = AF_INET6;
	else if (*text == '[' || strcmp(address, "*"))
		return bad_end(word);
	if (port && !parse_port(port, &end->port))
		return bad_end(word);
	return EXIT_OK;
}

static enum exit_code parse_protocol(const char *word, uint8_t *protocol)
{
	const struct protoent *entry = getprotobyname(word);
	unsigned long number;
	char *stop;

	number = entry ? (unsigned long)entry->p_proto : strtoul(word, &stop, 10);
	if (!entry && (!isdigit((unsigned char)*word) || *stop || number > UINT8_MAX))
		return fail(EXIT_USAGE, "trace: \"%s\" is no IP protocol, as tcp, udp or 47",
			    word);
	*protocol = number;
	return EXIT_OK;
}

static void put_end(struct nlmsghdr *nlh, const struct end *end, int type4, int type6,
		    int port_type)
{
	if (end->family == AF_INET)
		mnl_attr_put(nlh, type4, sizeof(struct in_addr), &end->addr);
	if (end->family == AF_INET6)
		mnl_attr_put(nlh, type6, sizeof(end->addr), &end->addr);
	if (end->port)
		mnl_attr_put_u16(nlh, port_type, htons(end->port));
}

static const char *text(json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key)) ?: "-";
}

static bool is_same(json_t *packet, const char *key)
{
	json_t *now = json_object_get(packet, key), *before = json_object_get(last, key);

	/* Two that are absent are not equal to json_equal(). */
	return now == before || json_equal(now, before);
}

/* Does the packet look as it did at the stage before? */
static bool is_unchanged(json_t *packet)
{
	static const char *const keys[] = {
		"packet", "hook", "flow", "mark", "state", "is_reply", "is_committed", "reply",
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!is_same(packet, keys[i]))
			return false;
	return strcmp(text(packet, "stage"), "start") && strcmp(text(packet, "stage"), "end");
}

static void show_reply(json_t *packet)
{
	json_t *reply = json_object_get(packet, "reply");

	if (!reply)
		return;
	printf(" answers");
	stream_end(reply, "src", "sport");
	printf(" ->");
	stream_end(reply, "dst", "dport");
}

static void show(json_t *packet)
{
	json_t *flow = json_object_get(packet, "flow");
	json_int_t pass = json_integer_value(json_object_get(packet, "pass"));
	json_int_t mark = json_integer_value(json_object_get(packet, "mark"));
	json_int_t lost = json_integer_value(json_object_get(packet, "lost"));
	const char *time = text(packet, "time");

	if (lost)
		printf("%" JSON_INTEGER_FORMAT " stages were lost\n", lost);
	printf("%.*s %c %-*s %-*s", TIME_WIDTH, strlen(time) > 26 ? time + 11 : time,
	       pass ? (char)('0' + pass) : '-', HOOK_WIDTH - 1, text(packet, "hook"),
	       STAGE_WIDTH - 1, text(packet, "stage"));
	stream_end(flow, "src", "sport");
	printf(" ->");
	stream_end(flow, "dst", "dport");
	if (json_object_get(packet, "tcp_flags"))
		printf(" %s", text(packet, "tcp_flags"));
	printf(" %s", text(packet, "state"));
	if (json_is_true(json_object_get(packet, "is_reply")))
		printf(" reply");
	if (json_is_true(json_object_get(packet, "is_committed")))
		printf(" committed");
	if (!is_same(packet, "reply"))
		show_reply(packet);
	if (mark)
		printf(" mark 0x%llx", (unsigned long long)mark);
	if (!strcmp(text(packet, "stage"), "start")) {
		if (json_object_get(packet, "in"))
			printf(" in %s", text(packet, "in"));
		if (json_object_get(packet, "out"))
			printf(" out %s", text(packet, "out"));
	}
	putchar('\n');
}

static enum exit_code message(struct stream *stream, const struct nlmsghdr *nlh)
{
	enum exit_code code = EXIT_OK;
	json_t *packet;

	if (!nl_is(nlh, stream->nl.family, NF_LOOPTRACK_CMD_TRACE_PACKET))
		return EXIT_OK;
	packet = nl_decode(nlh, &attr_trace);
	if (!packet)
		return nl_undecodable();
	if (stream_wants(json_object_get(packet, "flow")) &&
	    (all_stages || opt.json || !is_unchanged(packet)))
		code = stream_show(stream, json_incref(packet), show);
	json_decref(last);
	last = packet;
	return code;
}

static enum exit_code start(struct stream *stream, uint8_t protocol, const struct end *ends)
{
	struct nlmsghdr *nlh = nl_request(&stream->nl, NF_LOOPTRACK_CMD_TRACE_START);
	struct nlattr *nest;

	mnl_attr_put_u8(nlh, NF_LOOPTRACK_A_TRACE_PROTOCOL, protocol);
	nest = mnl_attr_nest_start(nlh, NF_LOOPTRACK_A_TRACE_FLOW);
	put_end(nlh, &ends[0], NF_LOOPTRACK_A_TUPLE_SRC4, NF_LOOPTRACK_A_TUPLE_SRC6,
		NF_LOOPTRACK_A_TUPLE_SPORT);
	put_end(nlh, &ends[1], NF_LOOPTRACK_A_TUPLE_DST4, NF_LOOPTRACK_A_TUPLE_DST6,
		NF_LOOPTRACK_A_TUPLE_DPORT);
	mnl_attr_nest_end(nlh, nest);
	return nl_talk(&stream->nl, &attr_trace, NULL);
}

static enum exit_code cmd_trace_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "count", required_argument, NULL, 'C' },
		{ "all", no_argument, NULL, 'a' },
		{ }
	};
	struct stream stream = { .message = message, .left = -1UL };
	struct end ends[2] = {};
	enum exit_code code = EXIT_OK;
	uint8_t protocol = 0;
	int c;

	optind = 0;
	while (!code && (c = getopt_long(argc, argv, "+:C:a", options, NULL)) != -1) {
		if (c == 'C')
			code = stream_count(&stream, "trace", optarg);
		else if (c == 'a')
			all_stages = true;
		else
			return bad_option(c, argv);
	}
	if (code)
		return code;
	if (argc - optind < 3)
		return fail(EXIT_USAGE,
			    "trace: say PROTOCOL SOURCE DESTINATION, as in tcp \"*\" 192.0.2.1:80");
	code = parse_protocol(argv[optind], &protocol);
	for (int i = 0; i < 2 && !code; i++)
		code = parse_end(argv[optind + 1 + i], &ends[i]);
	if (!code)
		code = no_arguments(argc, argv, optind + 3);
	if (code)
		return code;

	code = nl_open(&stream.nl);
	if (!code)
		code = nl_watch_end(&stream.nl);
	if (!code)
		code = start(&stream, protocol, ends);
	if (!code) {
		fail(code, "tracing %s %s -> %s, until interrupted", argv[optind],
		     argv[optind + 1], argv[optind + 2]);
		code = stream_run(&stream);
	}
	nl_close(&stream.nl);
	json_decref(last);
	return code;
}

const struct command cmd_trace = {
	.name = "trace",
	.args = "[-a] PROTO SRC DST",
	.help = "the packets of one flow, hook by hook, as they pass",
	.run = cmd_trace_run,
};
