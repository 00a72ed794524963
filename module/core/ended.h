/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_ENDED_H
#define _LT_ENDED_H

#include <linux/types.h>

struct net;
struct nf_conn;

/**
 * struct lt_ended - a TCP flow whose end conntrack has seen
 * @ct: its entry, referenced
 * @accepted: the server's end did not wait in the accept queue of a listener then
 * @idle: at the last look that queue was empty, or could not hold the connection
 * @looks: how often the flow has been looked at without a result
 * @skip: how many turns to skip before the next look
 */
struct lt_ended {
	struct nf_conn *ct;
	bool accepted;
	bool idle;
	u8 looks;
	u8 skip;
};

/**
 * typedef lt_ended_look_t - look at flows that ended a moment ago
 * @ended: the flows. Those to be looked at again are moved to the front; of the
 *	others the reference to the entry is released.
 * @count: how many there are
 * @hurried: the queue is too full to keep any for more than a moment
 *
 * Context: process context.
 * Return: how many are to be looked at again.
 */
typedef unsigned int lt_ended_look_t(struct lt_ended *ended, unsigned int count,
				     bool hurried);

bool lt_ended_add(const struct lt_ended *ended);
void lt_ended_forget(const struct net *net);

int lt_ended_init(lt_ended_look_t *look);
void lt_ended_exit(void);

#endif /* _LT_ENDED_H */
