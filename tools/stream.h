/* SPDX-License-Identifier: GPL-2.0 */
#ifndef STREAM_H
#define STREAM_H

#include "nl.h"
#include "out.h"

/**
 * struct stream - messages that come by themselves, until enough were shown
 * @nl: where they come from
 * @message: takes one, of whatever command, of the module's family
 * @left: how many are still to be shown
 * @done: nothing more is wanted
 * @settle: if set, called when no more messages wait, or many were taken, or @timeout is over
 * @lost: if set, called when messages were lost
 * @other: another file that is waited for, if @settle is set
 * @timeout: in ms, or -1
 */
struct stream {
	struct nl nl;
	enum exit_code (*message)(struct stream *stream, const struct nlmsghdr *nlh);
	unsigned long left;
	bool done;
	enum exit_code (*settle)(struct stream *stream);
	void (*lost)(void);
	int other;
	int timeout;
};

/* Understand "-C COUNT", as an option of the command argv[0]. */
enum exit_code stream_count(struct stream *stream, const char *command, const char *word);

/* Receive until the end, or until a signal ends the program. */
enum exit_code stream_run(struct stream *stream);

/* Write an object, as JSON or by @show, drop the reference and count it. */
enum exit_code stream_show(struct stream *stream, json_t *object, void (*show)(json_t *object));

/* The same, but it is not counted. */
enum exit_code stream_add(struct stream *stream, json_t *object, void (*show)(json_t *object));

/* Is a tuple of the family that the options ask for? */
bool stream_wants(json_t *tuple);

/* Write " ADDRESS:PORT", one end of a tuple. */
void stream_end(json_t *tuple, const char *address_key, const char *port_key);

/* Write " ADDRESS:PORT -> ADDRESS:PORT", both ends of a tuple. */
void stream_tuple(json_t *tuple);

#endif /* STREAM_H */
