// SPDX-License-Identifier: GPL-2.0
/* looptrack monitor: decisions as they are made, one a line */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <linux/nf_looptrack.h>

#include "stream.h"

static void show_flow(json_t *event, const char *key, const char *label)
{
	json_t *tuple = json_object_get(event, key);

	if (!tuple)
		return;
	printf("%s", label);
	stream_tuple(tuple);
}

/* The source NAT gave a flow is where its replies go to. */
static void show_reply(json_t *event, const char *key)
{
	json_t *tuple = json_object_get(event, key);

	if (!tuple)
		return;
	printf(" %s", key);
	stream_end(tuple, "dst", "dport");
}

static void show_owner(json_t *event, const char *key, const char *label)
{
	json_t *owner = json_object_get(event, key);

	if (!json_object_size(owner))
		return;
	printf("%s", label);
	out_number(owner, "uid");
	out_number(owner, "cookie");
}

static void show(json_t *event)
{
	const char *time = out_text(event, "time");
	json_t *holder = json_object_get(event, "holder");

	/* 2026-11-22T08:31:02.123456789+00:00, without what a reader rarely needs */
	if (strlen(time) > 26)
		printf("%.10s %.15s ", time, time + 11);
	printf("%s ", out_text(event, "feature"));
	out_word(out_text(event, "decision"), 0);
	printf(" %s", out_text(event, "protocol"));
	show_flow(event, "flow", "");
	show_owner(event, "owner", " owner");
	show_reply(event, "wanted");
	show_reply(event, "got");
	show_flow(event, "holder", " holder");
	show_owner(event, "holder_owner", holder ? "" : " holder");
	if (json_integer_value(json_object_get(event, "zone")))
		out_number(event, "zone");
	out_number(event, "picks");
	putchar('\n');
}

/* An event about no more than an entry, whose flow is over, has only a holder. */
static bool wanted(json_t *event)
{
	return stream_wants(json_object_get(event, "flow") ?: json_object_get(event, "holder"));
}

static enum exit_code message(struct stream *stream, const struct nlmsghdr *nlh)
{
	json_t *event;

	if (!nl_is(nlh, stream->nl.family, NF_LOOPTRACK_CMD_EVENT))
		return EXIT_OK;
	event = nl_decode(nlh, &attr_event);
	if (!event)
		return nl_undecodable();
	if (wanted(event))
		return stream_show(stream, event, show);
	json_decref(event);
	return EXIT_OK;
}

static enum exit_code cmd_monitor_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "count", required_argument, NULL, 'C' },
		{ }
	};
	struct stream stream = { .message = message, .left = -1UL };
	enum exit_code code = EXIT_OK;
	int c;

	optind = 0;
	while (!code && (c = getopt_long(argc, argv, "+:C:", options, NULL)) != -1) {
		if (c != 'C')
			return bad_option(c, argv);
		code = stream_count(&stream, "monitor", optarg);
	}
	if (!code)
		code = no_arguments(argc, argv, optind);
	if (code)
		return code;

	code = nl_open(&stream.nl);
	if (!code)
		code = nl_subscribe(&stream.nl);
	if (!code)
		code = stream_run(&stream);
	nl_close(&stream.nl);
	return code;
}

const struct command cmd_monitor = {
	.name = "monitor",
	.args = "[-C COUNT]",
	.help = "decisions as they are made, one a line",
	.run = cmd_monitor_run,
};
