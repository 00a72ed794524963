/* SPDX-License-Identifier: GPL-2.0 */
#ifndef STACK_H
#define STACK_H

#include <jansson.h>

#include "endpoint.h"
#include "looptrack.h"

/* How many sockets of each list are told: a server's port may have a hundred thousand. */
#define STACK_MANY	16

/**
 * stack_get() - what the socket tables of this host know of a flow
 * @protocol: IPPROTO_TCP or IPPROTO_UDP
 * @client: the client's end, and whom it speaks to
 * @is_from_here: it is an address of this host, and so of sockets that have none
 * @server: the server's end, and whom it speaks to, as NAT makes it
 * @is_to_here: likewise
 * @stack: where to put the answer, for the caller to json_decref(): objects as
 *	diag_json() makes them, with their processes. "client" and "server" are the sockets
 *	that have these ends, or null; "listeners" would take what is sent to the server's
 *	end; "port" have the client's port, too; "peers" speak to it from elsewhere.
 *
 * In the namespace that the process is in: after nl_open().
 *
 * Return: EXIT_OK, or the exit code of a failure that was reported.
 */
enum exit_code stack_get(uint8_t protocol, const struct endpoint client[2], bool is_from_here,
			 const struct endpoint server[2], bool is_to_here, json_t **stack);

/* Is there a socket, and is it more than what is left of one? */
bool stack_is_alive(const json_t *socket);

#endif /* STACK_H */
