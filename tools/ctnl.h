/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CTNL_H
#define CTNL_H

#include <stdbool.h>
#include <stdint.h>

#include <libmnl/libmnl.h>
#include <linux/types.h>

#include "flow.h"
#include "looptrack.h"

/**
 * struct ctnl - a connection to conntrack itself
 * @sock: the netlink socket; NULL if there is none yet
 * @seq: number of the last request
 * @answer: the datagram received last
 */
struct ctnl {
	struct mnl_socket *sock;
	unsigned int seq;
	__u64 answer[2048];
};

/**
 * struct ctnl_entry - what conntrack tells of an entry, and the module does not
 * @found: there is one
 * @id: its number; another entry of these ends has another one, most often
 * @timeout: in seconds; all three as they were received
 * @mark: of the connection
 * @pickup: it was begun in the middle of a connection of TCP
 */
struct ctnl_entry {
	bool found;
	__be32 id;
	__be32 timeout;
	__be32 mark;
	bool pickup;
};

/*
 * Connect, in the namespace that the process is in: after nl_open(). Whether it succeeds
 * or fails, ctnl_close() is due.
 */
enum exit_code ctnl_open(struct ctnl *ctnl);
void ctnl_close(struct ctnl *ctnl);

/* Ask for the entry that has these ends in its original direction. */
enum exit_code ctnl_get(struct ctnl *ctnl, const struct question *flow,
			struct ctnl_entry *entry);

/* Remove it, and no other; @entry->found is whether it was there. */
enum exit_code ctnl_delete(struct ctnl *ctnl, const struct question *flow,
			   struct ctnl_entry *entry);

/*
 * Put one in its place that has the client where it had the server: of an open TCP
 * connection that NAT leaves alone. Likewise; the connection goes on.
 */
enum exit_code ctnl_turn(struct ctnl *ctnl, const struct question *flow,
			 struct ctnl_entry *entry);

/* Is there an entry of this family? No connection is needed. */
bool ctnl_has_entries(int family);

#endif /* CTNL_H */
