/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LEDGER_H
#define LEDGER_H

#include <stdbool.h>
#include <stddef.h>

#include "diag.h"

/**
 * struct ledger_socket - one of the sockets
 * @next: in its chain
 * @sock: the socket
 * @tracked: conntrack has an entry for what it sends
 */
struct ledger_socket {
	struct ledger_socket *next;
	struct diag_socket sock;
	bool tracked;
};

/**
 * struct ledger - the sockets and the addresses of a namespace, to be looked up
 * @chains: sockets, by protocol and ports
 * @size: how many chains
 * @count: how many sockets
 * @locals: addresses of this host, each as the one end of a flow
 * @local_count: how many
 *
 * Zeros are an empty one.
 */
struct ledger {
	struct ledger_socket **chains;
	size_t size;
	size_t count;
	struct endpoint *locals;
	size_t local_count;
};

/* Read what there is now, in place of what was. ledger_free() is due in any case. */
enum exit_code ledger_read(struct ledger *ledger, struct diag *diag);
void ledger_free(struct ledger *ledger);

/* The next socket behind @after, or the first, that is connected so: to its own end, and
 * its peer's. Several may be, bound to devices.
 */
struct ledger_socket *ledger_find(const struct ledger *ledger, uint8_t protocol,
				  const struct endpoint ends[2],
				  const struct ledger_socket *after);

/**
 * ledger_find_server() - who takes what nobody is connected to
 * @ledger: the sockets
 * @protocol: IPPROTO_TCP or IPPROTO_UDP
 * @end: where it is sent to
 * @bound: take those that are bound to a device, too
 *
 * Return: a TCP listener or a UDP socket that is not connected, the oldest of several, or
 * NULL.
 */
const struct diag_socket *ledger_find_server(const struct ledger *ledger, uint8_t protocol,
					     const struct endpoint *end, bool bound);

/* Is the address one of this host? A link-local one is none: a neighbour may have it, too. */
bool ledger_is_local(const struct ledger *ledger, const struct endpoint *end);

/* Hand each socket to @take, until that returns another code than EXIT_OK. */
typedef enum exit_code ledger_take(struct ledger_socket *entry, void *arg);
enum exit_code ledger_walk(const struct ledger *ledger, ledger_take *take, void *arg);

#endif /* LEDGER_H */
