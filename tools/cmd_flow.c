// SPDX-License-Identifier: GPL-2.0
/* looptrack flow: conntrack's entries, and what the socket tables say of them */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/nf_looptrack.h>

#include "filter.h"
#include "flow.h"
#include "number.h"
#include "out.h"
#include "stream.h"

/**
 * struct listing - a list of flows, as it is written
 * @filter: which are wanted
 * @count: how many were
 * @rows: how many are shown at most
 * @before: written before the first, when there is somebody to ask
 * @unread: nobody takes the rest; why, is told by out_close()
 */
struct listing {
	struct filter *filter;
	unsigned long count;
	unsigned long rows;
	const char *before;
	bool unread;
};

static enum exit_code take(json_t *flow, void *arg)
{
	struct listing *listing = arg;
	bool wanted = stream_wants(json_object_get(flow, "original")) &&
		      filter_wants(listing->filter, flow);
	enum exit_code code = EXIT_OK;

	if (!wanted || listing->count++ >= listing->rows) {
		json_decref(flow);
		return EXIT_OK;
	}
	if (opt.json) {
		fputs(listing->count > 1 ? ",\n" : "[", stdout);
		code = out_item(flow);
	} else {
		flow_show(flow);
		json_decref(flow);
	}
	listing->unread = !out_taken();
	/* Only to end the list: this is no failure of its own. */
	return listing->unread ? EXIT_SYSTEM : code;
}

static enum exit_code list(struct listing *listing)
{
	enum exit_code code;
	struct nl nl;

	code = nl_open(&nl);
	if (!code) {
		fputs(listing->before, stdout);
		/* Before any complaint, too. */
		listing->unread = !out_flush();
	}
	if (!code && !listing->unread)
		code = nl_list(&nl, NF_LOOPTRACK_CMD_FLOW_GET, &attr_flow, take, listing);
	nl_close(&nl);
	return listing->unread ? EXIT_OK : code;
}

/* What was cut short must not look complete: then there is no "]". */
static enum exit_code list_once(struct listing *listing)
{
	enum exit_code code;

	listing->rows = -1UL;
	listing->before = "";
	code = list(listing);
	if (opt.json && !code)
		puts(listing->count ? "]" : "[]");
	else if (opt.json && listing->count)
		putchar('\n');
	return code;
}

/* A flow is a line, cut off at the edge, or the first ones would scroll away. */
#define CLEAR		"\033[H\033[J"
#define WRAP_OFF	"\033[?7l"
#define WRAP_ON		"\033[?7h"

static void stop(int signal)
{
	static const char end[] = WRAP_ON "\n";

	(void)signal;
	_exit(write(STDOUT_FILENO, end, sizeof(end) - 1) < 0 ? EXIT_SYSTEM : EXIT_OK);
}

static enum exit_code list_again(struct listing *listing, unsigned int seconds)
{
	enum exit_code code = EXIT_OK;
	struct winsize size;

	if (opt.json)
		return fail(EXIT_USAGE, "flow: watch is for terminals; list writes JSON");
	signal(SIGINT, stop);
	signal(SIGTERM, stop);
	listing->before = CLEAR WRAP_OFF;
	while (!code && out_flush()) {
		listing->count = 0;
		listing->rows = -1UL;
		if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row > 2)
			listing->rows = size.ws_row - 2;
		code = list(listing);
		fputs(WRAP_ON, stdout);
		if (code)
			break;
		printf("%lu flows, every %u s", listing->count, seconds);
		if (out_flush())
			sleep(seconds);
	}
	return code;
}

static enum exit_code get_one(int argc, char **argv)
{
	struct question question = {};
	enum exit_code code;
	json_t *flow;
	struct nl nl;

	code = flow_parse_zone(&question.zone, "flow", argc, argv);
	if (code)
		return code;
	if (argc - optind < 3)
		return fail(EXIT_USAGE,
			    "flow: say get PROTOCOL SOURCE DESTINATION, as in tcp 10.0.0.5:40000 192.0.2.1:80");
	code = flow_parse(&question, "flow", argv + optind);
	if (!code)
		code = no_arguments(argc, argv, optind + 3);
	if (code)
		return code;

	code = nl_open(&nl);
	if (!code)
		code = flow_get(&nl, &question, &flow);
	nl_close(&nl);
	if (code)
		return code;
	if (opt.json)
		return out_json(flow);
	flow_show(flow);
	json_decref(flow);
	return EXIT_OK;
}

static enum exit_code list_or_watch(int argc, char **argv, bool watched)
{
	const struct option *long_options = filter_options(FILTER_FLOWS, NULL);
	struct listing listing = {};
	enum exit_code code = EXIT_OK;
	uint64_t seconds = 2;
	char options[32];
	int c;

	snprintf(options, sizeof(options), "+:%s%s", watched ? "i:" : "",
		 filter_short_options(FILTER_FLOWS));
	optind = 0;
	while (!code && (c = getopt_long(argc, argv, options, long_options, NULL)) != -1) {
		if (c == '?' || c == ':') {
			code = bad_option(c, argv);
		} else if (c == 'i') {
			if (!number_parse(optarg, 1, 3600, &seconds))
				code = fail(EXIT_USAGE,
					    "flow: interval \"%s\" is not a number from 1 to 3600",
					    optarg);
		} else {
			code = filter_note(&listing.filter, "flow", c, optarg);
		}
	}
	if (!code)
		code = no_arguments(argc, argv, optind);
	if (!code)
		code = watched ? list_again(&listing, seconds) : list_once(&listing);
	filter_free(listing.filter);
	return code;
}

static enum exit_code cmd_flow_run(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "list";

	if (argc > 1) {
		argc--;
		argv++;
	}
	if (!strcmp(verb, "list"))
		return list_or_watch(argc, argv, false);
	if (!strcmp(verb, "watch"))
		return list_or_watch(argc, argv, true);
	if (!strcmp(verb, "get"))
		return get_one(argc, argv);
	return fail(EXIT_USAGE, "flow: verb \"%s\" is none of: list get watch", verb);
}

const struct command cmd_flow = {
	.name = "flow",
	.args = "list | get | watch ...",
	.help = "flows: both passes, NAT, sockets and who opened them",
	.run = cmd_flow_run,
};
