// SPDX-License-Identifier: GPL-2.0
/* looptrack monitor: decisions as they are made, one a line */
#include <getopt.h>
#include <stdio.h>

#include <linux/nf_looptrack.h>

#include "event.h"
#include "filter.h"
#include "stream.h"

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
		code = stream_show(stream, json_incref(event), event_show);
	json_decref(about);
	json_decref(event);
	return code;
}

static enum exit_code parse(struct stream *stream, int argc, char **argv)
{
	static const struct option own[] = {
		{ "count", required_argument, NULL, 'C' },
		{ }
	};
	const struct option *long_options = filter_options(FILTER_EVENTS, own);
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
