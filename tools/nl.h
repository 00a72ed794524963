/* SPDX-License-Identifier: GPL-2.0 */
#ifndef NL_H
#define NL_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>
#include <libmnl/libmnl.h>
#include <linux/types.h>

#include "attr.h"
#include "looptrack.h"

/**
 * struct nl - a connection to the module in one network namespace
 * @sock: the socket
 * @family: number of the generic netlink family
 * @events: number of its multicast group for events
 * @seq: number of the last request
 * @find_line: where the attribute at an offset of the request was written, for
 *	complaints to start with, or at 0, where all of it was, or ""; NULL if in no file
 * @searching: the module may not have what is asked for
 * @asking: a refusal is an answer, too, and its text goes to @why
 * @why: text of a refusal, or NULL
 * @subscribed: messages come by themselves, too
 * @request: the request being built and sent
 * @answer: the datagram received last
 */
struct nl {
	struct mnl_socket *sock;
	unsigned int family;
	unsigned int events;
	unsigned int seq;
	const char *(*find_line)(size_t offset);
	bool searching;
	bool asking;
	char *why;
	bool subscribed;
	__u64 request[2048];
	__u64 answer[2048];
};

/*
 * Enter the namespace of the options, connect, and find the family. Whether it
 * succeeds or fails, nl_close() is due.
 */
enum exit_code nl_open(struct nl *nl);
void nl_close(struct nl *nl);

/* Begin a request; attributes go behind it with mnl_attr_put_*(). */
struct nlmsghdr *nl_request(struct nl *nl, uint8_t cmd);

/**
 * nl_talk() - send the request and wait for its end
 * @nl: the connection; the request is in it
 * @set: attributes of the request and of its answer
 * @answer: where to put the answer, for the caller to json_decref(), or NULL
 *
 * Return: EXIT_OK, with *@answer set, or the exit code of a failure that was
 * reported.
 */
enum exit_code nl_talk(struct nl *nl, const struct attr_set *set, json_t **answer);

/* Likewise for one of many: that there is none is no failure, and *@answer is NULL. */
enum exit_code nl_find(struct nl *nl, const struct attr_set *set, json_t **answer);

/* Likewise for what may be refused: that is no failure, *@answer is NULL, and *@why the
 * text of the refusal, to be freed.
 */
enum exit_code nl_ask(struct nl *nl, const struct attr_set *set, json_t **answer, char **why);

/* Take an object of a list, and the reference on it. Other codes than EXIT_OK end it. */
typedef enum exit_code nl_take(json_t *object, void *arg);

/* A request without attributes, for a list of whatever length. */
enum exit_code nl_list(struct nl *nl, uint8_t cmd, const struct attr_set *set, nl_take *take,
		       void *arg);

/* A request without attributes: nl_request() and nl_talk(). */
enum exit_code nl_get(struct nl *nl, uint8_t cmd, const struct attr_set *set, json_t **answer);

/* Receive events, many of them, and word of the family's end, from now on. */
enum exit_code nl_subscribe(struct nl *nl);

/* Whether @nlh is command @cmd of generic netlink family @family. */
bool nl_is(const struct nlmsghdr *nlh, uint16_t family, uint8_t cmd);

/* The attributes of a generic netlink message; see attr_decode(). */
json_t *nl_decode(const struct nlmsghdr *nlh, const struct attr_set *set);

/* Report that nl_decode() or a JSON function failed. */
enum exit_code nl_undecodable(void);

#endif /* NL_H */
