// SPDX-License-Identifier: GPL-2.0
/* looptrack monitor: decisions as they are made, one a line */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <linux/nf_looptrack.h>

#include "filter.h"
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

static struct filter *filter;

/*
 * An event as filters see a flow: that which it is about or, where that is over and
 * no more than an entry, its holder. NULL with errno, as for an event that is.
 */
static json_t *subject(json_t *event)
{
	json_t *flow = json_object_get(event, "flow");
	json_t *subject = json_copy(event);

	json_object_set(subject, "original", flow ?: json_object_get(event, "holder"));
	if (!flow)
		json_object_set(subject, "owner", json_object_get(event, "holder_owner"));
	return subject;
}

static enum exit_code message(struct stream *stream, const struct nlmsghdr *nlh)
{
	enum exit_code code = EXIT_OK;
	json_t *event, *about;

	if (!nl_is(nlh, stream->nl.family, NF_LOOPTRACK_CMD_EVENT))
		return EXIT_OK;
	event = nl_decode(nlh, &attr_event);
	about = subject(event);
	if (!about)
		code = nl_undecodable();
	else if (stream_wants(json_object_get(about, "original")) && filter_wants(filter, about))
		code = stream_show(stream, json_incref(event), show);
	json_decref(about);
	json_decref(event);
	return code;
}

static enum exit_code parse(struct stream *stream, int argc, char **argv)
{
	static const struct option count = { "count", required_argument, NULL, 'C' };
	const struct option *long_options = filter_options(FILTER_EVENTS, &count);
	enum exit_code code = EXIT_OK;
	char options[32];
	int c;

	snprintf(options, sizeof(options), "+:C:%s", filter_short_options(FILTER_EVENTS));
	optind = 0;
	while (!code && (c = getopt_long(argc, argv, options, long_options, NULL)) != -1) {
		if (c == '?' || c == ':')
			code = bad_option(c, argv);
		else if (c == 'C')
			code = stream_count(stream, "monitor", optarg);
		else
			code = filter_note(&filter, "monitor", c, optarg);
	}
	return code ? code : no_arguments(argc, argv, optind);
}

static enum exit_code cmd_monitor_run(int argc, char **argv)
{
	struct stream stream = { .message = message, .left = -1UL };
	enum exit_code code;

	code = parse(&stream, argc, argv);
	if (!code)
		code = nl_open(&stream.nl);
	if (!code)
		code = nl_subscribe(&stream.nl);
	if (!code)
		code = stream_run(&stream);
	nl_close(&stream.nl);
	filter_free(filter);
	return code;
}

const struct command cmd_monitor = {
	.name = "monitor",
	.args = "[-C COUNT] [FILTER...]",
	.help = "decisions as they are made, one a line",
	.run = cmd_monitor_run,
};
