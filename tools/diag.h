/* SPDX-License-Identifier: GPL-2.0 */
#ifndef DIAG_H
#define DIAG_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>
#include <libmnl/libmnl.h>
#include <linux/types.h>

#include "endpoint.h"
#include "looptrack.h"

/**
 * struct diag - a connection to the socket tables of one network namespace
 * @sock: the netlink socket
 * @seq: number of the last request
 * @answer: the datagram received last
 */
struct diag {
	struct mnl_socket *sock;
	unsigned int seq;
	__u64 answer[2048];
};

/**
 * struct diag_socket - a socket, as sock_diag(7) tells it
 * @protocol: IPPROTO_TCP or IPPROTO_UDP
 * @family: AF_INET or AF_INET6, as it was made: one of AF_INET6 may talk IPv4, and has
 *	ends of AF_INET then
 * @state: NF_LOOPTRACK_SOCKET_*, as the module has it: one in TIME_WAIT is that, with
 *	either substate, and a request of a listener is NEW_SYN_RECV
 * @local: its own end; an address of zeros is any. Any of AF_INET6 is also any of
 *	AF_INET, unless @v6only
 * @remote: its peer; AF_UNSPEC if it is not connected
 * @device: index of the one it is bound to, or 0
 * @inode: of the file that a process holds; 0 if none does: not accepted yet, closed
 *	already, TIME_WAIT, a request
 * @uid: its user; valid with @inode
 * @cookie: the number that no other socket ever has
 * @v6only: takes no IPv4
 */
struct diag_socket {
	uint8_t protocol;
	uint8_t family;
	unsigned int state;
	struct endpoint local;
	struct endpoint remote;
	unsigned int device;
	uint32_t inode;
	uint32_t uid;
	uint64_t cookie;
	bool v6only;
};

/* A state, or several, of those to list. */
#define DIAG_STATE(_state)	(1U << NF_LOOPTRACK_SOCKET_##_state)
#define DIAG_ALL		(~0U)

/* Take a socket of a list. Other codes than EXIT_OK end it. */
typedef enum exit_code diag_take(const struct diag_socket *sock, void *arg);

/*
 * Connect, in the namespace that the process is in: after nl_open(). Whether it succeeds
 * or fails, diag_close() is due.
 */
enum exit_code diag_open(struct diag *diag);
void diag_close(struct diag *diag);

/**
 * diag_list() - tell the sockets of a protocol
 * @diag: the connection
 * @protocol: IPPROTO_TCP or IPPROTO_UDP
 * @states: those wanted, by DIAG_STATE(), or DIAG_ALL
 * @take: takes each. A socket may be told twice, and the list begin again: it is not
 *	made in one instant.
 * @arg: for @take
 *
 * Return: EXIT_OK, what @take returned, or the exit code of a failure that was reported.
 */
enum exit_code diag_list(struct diag *diag, uint8_t protocol, unsigned int states,
			 diag_take *take, void *arg);

/**
 * diag_find() - find the socket that takes what is sent to it
 * @diag: the connection
 * @protocol: IPPROTO_TCP or IPPROTO_UDP
 * @ends: the socket's own, and its peer's
 * @device: index of the one by which packets of the peer arrive; sockets that are bound
 *	to another, or with 0 to any, are not found
 * @found: what was found: of these ends, or, if there is none, a listener or a UDP socket
 *	that is not connected. Its @state is NF_LOOPTRACK_SOCKET_NONE if there is none either.
 *
 * Return: EXIT_OK, or the exit code of a failure that was reported.
 */
enum exit_code diag_find(struct diag *diag, uint8_t protocol, const struct endpoint ends[2],
			 unsigned int device, struct diag_socket *found);

/* Would a socket take what is sent to @end, as far as its own end is concerned? */
bool diag_serves(const struct diag_socket *sock, const struct endpoint *end);

/* The socket for the user: keys of a tuple, of what it sends, and those of a flow's socket. */
json_t *diag_json(const struct diag_socket *sock);

#endif /* DIAG_H */
