// SPDX-License-Identifier: GPL-2.0
/* looptrack monitor: decisions as they are made, one a line */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/genetlink.h>
#include <linux/nf_looptrack.h>

#include "nl.h"
#include "out.h"

/**
 * struct monitor - a running monitor
 * @nl: where the events come from
 * @left: events still to be shown
 * @done: nothing more is wanted
 */
struct monitor {
	struct nl nl;
	unsigned long left;
	bool done;
};

/* Each line is handed on as soon as it is complete: there is nothing to save. */
static void stop(int signal)
{
	(void)signal;
	_exit(EXIT_OK);
}

static const char *text(json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key)) ?: "-";
}

/* One end of @tuple, as "192.0.2.1:80" or "[2001:db8::1]:80". */
static void show_end(json_t *tuple, const char *address_key, const char *port_key)
{
	const char *address = text(tuple, address_key);
	json_t *port = json_object_get(tuple, port_key);

	if (!port)
		printf(" %s", address);
	else
		printf(strchr(address, ':') ? " [%s]:%d" : " %s:%d", address,
		       (int)json_integer_value(port));
}

static void show_flow(json_t *event, const char *key, const char *label)
{
	json_t *tuple = json_object_get(event, key);

	if (!tuple)
		return;
	printf("%s", label);
	show_end(tuple, "src", "sport");
	printf(" ->");
	show_end(tuple, "dst", "dport");
}

/* The source NAT gave a flow is where its replies go to. */
static void show_reply(json_t *event, const char *key)
{
	json_t *tuple = json_object_get(event, key);

	if (!tuple)
		return;
	printf(" %s", key);
	show_end(tuple, "dst", "dport");
}

static void show_number(json_t *object, const char *key)
{
	json_t *number = json_object_get(object, key);

	if (number)
		printf(" %s %" JSON_INTEGER_FORMAT, key, json_integer_value(number));
}

static void show_owner(json_t *event, const char *key, const char *label)
{
	json_t *owner = json_object_get(event, key);

	if (!json_object_size(owner))
		return;
	printf("%s", label);
	show_number(owner, "uid");
	show_number(owner, "cookie");
}

static void show(json_t *event)
{
	const char *time = text(event, "time");
	json_t *holder = json_object_get(event, "holder");

	/* 2026-11-22T08:31:02.123456789+00:00, without what a reader rarely needs */
	if (strlen(time) > 26)
		printf("%.10s %.15s ", time, time + 11);
	printf("%s ", text(event, "feature"));
	out_word(text(event, "decision"), 0);
	printf(" %s", text(event, "protocol"));
	show_flow(event, "flow", "");
	show_owner(event, "owner", " owner");
	show_reply(event, "wanted");
	show_reply(event, "got");
	show_flow(event, "holder", " holder");
	show_owner(event, "holder_owner", holder ? "" : " holder");
	if (json_integer_value(json_object_get(event, "zone")))
		show_number(event, "zone");
	show_number(event, "picks");
	putchar('\n');
}

static enum exit_code show_loss(void)
{
	if (opt.json)
		return out_json(json_pack("{s:b}", "lost", 1));
	puts("some events were lost");
	return EXIT_OK;
}

/* An event about no more than an entry, whose flow is over, has only a holder. */
static bool wanted(json_t *event)
{
	json_t *tuple = json_object_get(event, "flow") ?: json_object_get(event, "holder");
	const char *source = json_string_value(json_object_get(tuple, "src"));

	if (opt.family == AF_UNSPEC || !source)
		return true;
	return opt.family == (strchr(source, ':') ? AF_INET6 : AF_INET);
}

/* Word from generic netlink itself: is it about the end of our family? */
static bool is_end(struct nl *nl, const struct nlmsghdr *nlh)
{
	bool end = false;
	json_t *family;

	if (!nl_is(nlh, GENL_ID_CTRL, CTRL_CMD_DELFAMILY))
		return false;
	family = nl_decode(nlh, &attr_ctrl);
	end = family && json_integer_value(json_object_get(family, "id")) == nl->family;
	json_decref(family);
	return end;
}

static enum exit_code message(struct monitor *monitor, const struct nlmsghdr *nlh)
{
	enum exit_code code = EXIT_OK;
	json_t *event;

	if (is_end(&monitor->nl, nlh))
		return fail(EXIT_NOMODULE, "module nf_looptrack was unloaded");
	if (!nl_is(nlh, monitor->nl.family, NF_LOOPTRACK_CMD_EVENT))
		return EXIT_OK;
	event = nl_decode(nlh, &attr_event);
	if (!event)
		return nl_undecodable();
	if (!wanted(event)) {
		json_decref(event);
		return EXIT_OK;
	}
	if (opt.json) {
		code = out_json(event);
	} else {
		show(event);
		json_decref(event);
	}
	monitor->done = !out_flush() || !--monitor->left;
	return code;
}

/* Read one datagram. */
static enum exit_code next(struct monitor *monitor)
{
	struct nl *nl = &monitor->nl;
	ssize_t received = mnl_socket_recvfrom(nl->sock, nl->answer, sizeof(nl->answer));
	const struct nlmsghdr *nlh = (const void *)nl->answer;
	enum exit_code code = EXIT_OK;
	int len = received;

	if (received < 0 && errno == ENOBUFS) {
		code = show_loss();
		monitor->done = !out_flush();
		return code;
	}
	if (received < 0 && (errno == EINTR || errno == EAGAIN))
		return EXIT_OK;
	if (received < 0)
		return fail(EXIT_SYSTEM, "cannot receive events: %s", strerror(errno));

	for (; !code && !monitor->done && mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len))
		code = message(monitor, nlh);
	return code;
}

static enum exit_code watch(struct monitor *monitor)
{
	struct pollfd fds[] = {
		{ .fd = mnl_socket_get_fd(monitor->nl.sock), .events = POLLIN },
		{ .fd = STDOUT_FILENO },	/* only whether its reader is gone */
	};
	enum exit_code code = EXIT_OK;

	while (!code && !monitor->done) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0) {
			if (errno != EINTR)
				return fail(EXIT_SYSTEM, "cannot wait: %s", strerror(errno));
		} else if (fds[0].revents) {
			code = next(monitor);
		} else {
			break;
		}
	}
	return code;
}

static bool parse_count(const char *word, unsigned long *count)
{
	char *end;

	errno = 0;
	*count = strtoul(word, &end, 10);
	return !errno && *word >= '0' && *word <= '9' && !*end && *count;
}

static enum exit_code cmd_monitor_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "count", required_argument, NULL, 'C' },
		{ }
	};
	struct monitor monitor = { .left = -1UL };
	enum exit_code code;
	int c;

	optind = 0;
	while ((c = getopt_long(argc, argv, "+:C:", options, NULL)) != -1) {
		if (c != 'C')
			return bad_option(c, argv);
		if (!parse_count(optarg, &monitor.left))
			return fail(EXIT_USAGE, "monitor: count \"%s\" is not a number above zero",
				    optarg);
	}
	code = no_arguments(argc, argv, optind);
	if (code)
		return code;

	signal(SIGINT, stop);
	signal(SIGTERM, stop);
	code = nl_open(&monitor.nl);
	if (!code)
		code = nl_subscribe(&monitor.nl);
	if (!code)
		code = watch(&monitor);
	nl_close(&monitor.nl);
	return code;
}

const struct command cmd_monitor = {
	.name = "monitor",
	.args = "[-C COUNT]",
	.help = "decisions as they are made, one a line",
	.run = cmd_monitor_run,
};
