// SPDX-License-Identifier: GPL-2.0
/* Messages of the module that come by themselves, shown as they come. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/genetlink.h>

#include "number.h"
#include "phrase.h"
#include "stream.h"

/* Messages that are taken at once. */
#define FEW	64

/* Each line is handed on as soon as it is complete: there is nothing to save. */
static void stop(int signal)
{
	(void)signal;
	_exit(EXIT_OK);
}

enum exit_code stream_count(struct stream *stream, const char *command, const char *word)
{
	uint64_t count;

	if (!number_parse(word, 1, ULONG_MAX, &count))
		return fail(EXIT_USAGE, "%s: count \"%s\" is not a number above zero", command,
			    word);
	stream->left = count;
	return EXIT_OK;
}

void stream_end(json_t *tuple, const char *address_key, const char *port_key)
{
	printf(" %s", phrase_end(tuple, address_key, port_key).text);
}

void stream_tuple(json_t *tuple)
{
	putchar(' ');
	fputs(phrase_tuple(tuple).text, stdout);
}

bool stream_wants(json_t *tuple)
{
	const char *source = json_string_value(json_object_get(tuple, "src"));

	if (opt.family == AF_UNSPEC || !source)
		return true;
	return opt.family == (strchr(source, ':') ? AF_INET6 : AF_INET);
}

enum exit_code stream_add(struct stream *stream, json_t *object, void (*show)(json_t *object))
{
	enum exit_code code = EXIT_OK;

	if (opt.json) {
		code = out_json(object);
	} else {
		show(object);
		json_decref(object);
	}
	if (!out_flush())
		stream->done = true;
	return code;
}

enum exit_code stream_show(struct stream *stream, json_t *object, void (*show)(json_t *object))
{
	enum exit_code code = stream_add(stream, object, show);

	if (!--stream->left)
		stream->done = true;
	return code;
}

static enum exit_code show_loss(void)
{
	if (opt.json)
		return out_json(json_pack("{s:b}", "lost", 1));
	puts("some events were lost");
	return EXIT_OK;
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

/* Read one datagram. */
static enum exit_code next(struct stream *stream)
{
	struct nl *nl = &stream->nl;
	ssize_t received = mnl_socket_recvfrom(nl->sock, nl->answer, sizeof(nl->answer));
	const struct nlmsghdr *nlh = (const void *)nl->answer;
	enum exit_code code = EXIT_OK;
	int len = received;

	if (received < 0 && errno == ENOBUFS) {
		if (stream->lost)
			stream->lost();
		code = show_loss();
		stream->done = !out_flush();
		return code;
	}
	if (received < 0 && (errno == EINTR || errno == EAGAIN))
		return EXIT_OK;
	if (received < 0)
		return fail(EXIT_SYSTEM, "cannot receive events: %s", strerror(errno));

	for (; !code && !stream->done && mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		if (is_end(nl, nlh))
			code = fail(EXIT_NOMODULE, "module nf_looptrack was unloaded");
		else
			code = stream->message(stream, nlh);
	}
	return code;
}

/*
 * Those that wait, if they have to be compared with those of the other file; not so many
 * that the first would be shown late.
 */
static enum exit_code next_few(struct stream *stream)
{
	struct pollfd fd = { .fd = mnl_socket_get_fd(stream->nl.sock), .events = POLLIN };
	int few = stream->other < 0 ? 1 : FEW;
	enum exit_code code = EXIT_OK;

	for (int i = 0; i < few && !code && !stream->done && poll(&fd, 1, 0) > 0; i++)
		code = next(stream);
	return code;
}

/* One turn of a stream whose messages are shown by @settle. */
static enum exit_code turn(struct stream *stream, bool readable)
{
	enum exit_code code = readable ? next_few(stream) : EXIT_OK;
	enum exit_code settled = stream->done ? EXIT_OK : stream->settle(stream);

	return code ? code : settled;
}

enum exit_code stream_run(struct stream *stream)
{
	struct pollfd fds[] = {
		{ .fd = mnl_socket_get_fd(stream->nl.sock), .events = POLLIN },
		{ .fd = STDOUT_FILENO },	/* only whether its reader is gone */
		{ .fd = stream->settle ? stream->other : -1, .events = POLLIN },
	};
	enum exit_code code = EXIT_OK;

	signal(SIGINT, stop);
	signal(SIGTERM, stop);
	while (!code && !stream->done) {
		if (poll(fds, ARRAY_SIZE(fds), stream->settle ? stream->timeout : -1) < 0) {
			if (errno != EINTR)
				return fail(EXIT_SYSTEM, "cannot wait: %s", strerror(errno));
		} else if (stream->settle) {
			code = turn(stream, fds[0].revents);
			if (fds[1].revents)
				break;
		} else if (fds[0].revents) {
			code = next(stream);
		} else {
			break;
		}
	}
	return code;
}
