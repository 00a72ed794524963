// SPDX-License-Identifier: GPL-2.0
/* looptrack trace: the packets of one flow, hook by hook */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <linux/nf_looptrack.h>

#include "endpoint.h"
#include "event.h"
#include "legacy.h"
#include "nft.h"
#include "queue.h"
#include "ruletext.h"
#include "stream.h"
#include "way.h"

/* Columns of a line: of the time, of hook and stage, of both ends. */
#define TIME_WIDTH	15
#define HOOK_WIDTH	12
#define STAGE_WIDTH	10

static bool all_stages;
/* The flow, as it was asked for. */
static uint8_t protocol;
static struct endpoint ends[2];
/* The packet and hook of the last line, and what it said of it. */
static json_t *last;

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
	return strcmp(out_text(packet, "stage"), "start") &&
	       strcmp(out_text(packet, "stage"), "end");
}

static void show_reply(json_t *packet)
{
	json_t *reply = json_object_get(packet, "reply");

	if (!reply)
		return;
	printf(" answers");
	stream_tuple(reply);
}

static void show_time(json_t *object)
{
	const char *time = out_text(object, "time");

	printf("%.*s ", TIME_WIDTH, strlen(time) > 26 ? time + 11 : time);
}

static void show_packet(json_t *packet)
{
	json_t *flow = json_object_get(packet, "flow");
	json_int_t pass = json_integer_value(json_object_get(packet, "pass"));
	json_int_t mark = json_integer_value(json_object_get(packet, "mark"));
	json_int_t lost = json_integer_value(json_object_get(packet, "lost"));

	if (lost)
		printf("%" JSON_INTEGER_FORMAT " stages were lost\n", lost);
	show_time(packet);
	printf("%c %-*s %-*s", pass ? (char)('0' + pass) : '-', HOOK_WIDTH - 1,
	       out_text(packet, "hook"), STAGE_WIDTH - 1, out_text(packet, "stage"));
	stream_tuple(flow);
	if (json_object_get(packet, "tcp_flags"))
		printf(" %s", out_text(packet, "tcp_flags"));
	printf(" %s", out_text(packet, "state"));
	if (json_is_true(json_object_get(packet, "is_reply")))
		printf(" reply");
	if (json_is_true(json_object_get(packet, "is_committed")))
		printf(" committed");
	if (!is_same(packet, "reply"))
		show_reply(packet);
	if (mark)
		printf(" mark 0x%llx", (unsigned long long)mark);
	if (!strcmp(out_text(packet, "stage"), "start")) {
		if (json_object_get(packet, "in"))
			printf(" in %s", out_text(packet, "in"));
		if (json_object_get(packet, "out"))
			printf(" out %s", out_text(packet, "out"));
	}
	putchar('\n');
}

static void show_decision(json_t *line)
{
	json_t *event = json_object_get(line, "event");

	show_time(event);
	fputs("! ", stdout);
	event_show_decision(event);
}

/* What the module decided about the flow, between two stages of its packet. */
static enum exit_code decision(const struct nlmsghdr *nlh)
{
	json_t *event = nl_decode(nlh, &attr_event);
	enum exit_code code = EXIT_OK;
	char number[4];

	if (!event)
		return nl_undecodable();
	if (stream_wants(json_object_get(event, "flow") ?: json_object_get(event, "holder")) &&
	    event_is_about(event, attr_protocol_text(protocol, number), ends))
		code = way_add_decision(json_pack("{s:O}", "event", event));
	json_decref(event);
	return code;
}

static enum exit_code sight(const struct nlmsghdr *nlh)
{
	json_t *packet = nl_decode(nlh, &attr_trace);

	if (!packet)
		return nl_undecodable();
	if (stream_wants(json_object_get(packet, "flow")))
		return way_add_sight(packet);
	json_decref(packet);
	return EXIT_OK;
}

static enum exit_code drop(const struct nlmsghdr *nlh)
{
	json_t *object = nl_decode(nlh, &attr_trace);

	if (!object)
		return nl_undecodable();
	if (stream_wants(json_object_get(object, "flow")))
		return way_add_drop(object);
	json_decref(object);
	return EXIT_OK;
}

static enum exit_code show_sight(struct stream *stream, json_t *packet)
{
	enum exit_code code = EXIT_OK;

	if (all_stages || opt.json || !is_unchanged(packet))
		code = stream_add(stream, json_incref(packet), show_packet);
	json_decref(last);
	last = json_incref(packet);
	return code;
}

static enum exit_code message(struct stream *stream, const struct nlmsghdr *nlh)
{
	if (nl_is(nlh, stream->nl.family, NF_LOOPTRACK_CMD_TRACE_PACKET))
		return sight(nlh);
	if (nl_is(nlh, stream->nl.family, NF_LOOPTRACK_CMD_TRACE_DROP))
		return drop(nlh);
	if (nl_is(nlh, stream->nl.family, NF_LOOPTRACK_CMD_EVENT))
		return decision(nlh);
	return EXIT_OK;
}

static enum exit_code start(struct stream *stream)
{
	struct nlmsghdr *nlh = nl_request(&stream->nl, NF_LOOPTRACK_CMD_TRACE_START);

	mnl_attr_put_u8(nlh, NF_LOOPTRACK_A_TRACE_PROTOCOL, protocol);
	endpoint_put(nlh, NF_LOOPTRACK_A_TRACE_FLOW, ends);
	return nl_talk(&stream->nl, &attr_trace, NULL);
}

static enum exit_code cmd_trace_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "count", required_argument, NULL, 'C' },
		{ "all", no_argument, NULL, 'a' },
		{ "force", no_argument, NULL, LONG_ONLY + 'F' },
		{ "rules", no_argument, NULL, LONG_ONLY + 'R' },
		{ }
	};
	struct way_options way = {
		.ends = ends,
		.show_sight = show_sight,
		.show_decision = show_decision,
	};
	struct stream stream = {
		.message = message,
		.left = -1UL,
		.settle = way_settle,
		.lost = way_doubt,
		.other = -1,
		.timeout = -1,
	};
	enum exit_code code = EXIT_OK;
	bool force = false;
	int c;

	optind = 0;
	while (!code && (c = getopt_long(argc, argv, "+:C:a", options, NULL)) != -1) {
		if (c == 'C') {
			code = stream_count(&stream, "trace", optarg);
			way.is_counted = true;
		} else if (c == 'a') {
			all_stages = true;
		} else if (c == LONG_ONLY + 'F') {
			force = true;
		} else if (c == LONG_ONLY + 'R') {
			way.has_rules = true;
		} else {
			return bad_option(c, argv);
		}
	}
	if (code)
		return code;
	if (argc - optind < 3)
		return fail(EXIT_USAGE,
			    "trace: say PROTOCOL SOURCE DESTINATION, as in tcp \"*\" 192.0.2.1:80");
	code = endpoint_parse_protocol(&protocol, "trace", argv[optind]);
	for (int i = 0; i < 2 && !code; i++)
		code = endpoint_parse(&ends[i], "trace", protocol, argv[optind + 1 + i]);
	if (!code)
		code = no_arguments(argc, argv, optind + 3);
	if (code)
		return code;

	code = nl_open(&stream.nl);
	if (!code)
		code = nl_subscribe(&stream.nl);
	if (!code && !force)
		code = queue_check("trace");
	if (!code && way.has_rules)
		code = legacy_check("trace", force);
	way.protocol = protocol;
	way_init(&way);
	if (!code && way.has_rules) {
		code = nft_open("trace", protocol, ends);
		stream.other = nft_fd();
	}
	if (!code)
		code = start(&stream);
	if (!code) {
		fail(code, "tracing %s %s -> %s, until interrupted", argv[optind],
		     argv[optind + 1], argv[optind + 2]);
		code = stream_run(&stream);
	}
	nl_close(&stream.nl);
	nft_close();
	way_free();
	ruletext_free();
	json_decref(last);
	return code;
}

const struct command cmd_trace = {
	.name = "trace",
	.args = "[-a] [--rules] [--force] PROTO SRC DST",
	.help = "the packets of one flow, hook by hook, as they pass",
	.run = cmd_trace_run,
};
