/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_CLOSED_H
#define _LT_CLOSED_H

#include <net/netfilter/nf_conntrack_tuple.h>

#include "core/sock.h"

struct lt_net;

/**
 * struct lt_closed - a TCP socket that has closed
 * @ln: the module's part of its network namespace
 * @sent: what it sent
 * @who: its owner
 * @accepted: it did not wait in the accept queue of a listener when it closed
 * @idle: at the last look that queue was empty, or could not hold the socket
 * @looks: how often it has been looked at without a result
 * @skip: how many turns to skip before the next look
 */
struct lt_closed {
	struct lt_net *ln;
	struct nf_conntrack_tuple sent;
	struct lt_who who;
	bool accepted;
	bool idle;
	u8 looks;
	u8 skip;
};

/**
 * typedef lt_closed_look_t - look at sockets that closed a moment ago
 * @closed: the sockets. Those to be looked at again are moved to the front.
 * @count: how many there are
 * @hurried: the queue is too full to keep any for more than a moment
 *
 * Context: process context.
 * Return: how many are to be looked at again.
 */
typedef unsigned int lt_closed_look_t(struct lt_closed *closed,
				      unsigned int count, bool hurried);

int lt_closed_start(lt_closed_look_t *look);
void lt_closed_stop(void);
bool lt_closed_add(const struct lt_closed *closed);
void lt_closed_forget(const struct lt_net *ln);

#endif /* _LT_CLOSED_H */
