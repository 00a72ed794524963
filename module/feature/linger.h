/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_LINGER_H
#define _LT_LINGER_H

#include <net/sock.h>
#include <net/tcp_states.h>

#include "core/sock.h"

struct lt_closed;
struct lt_net;
struct lt_owner;
struct nf_conn;

/**
 * lt_linger_has_fin() - has a socket had its peer's FIN, and is almost in TIME_WAIT
 * @sk: full socket
 * @state: of it
 *
 * Return: true if it is or was so.
 */
static inline bool lt_linger_has_fin(const struct sock *sk, int state)
{
	return state == TCP_FIN_WAIT2 && sock_flag(sk, SOCK_DONE);
}

int lt_linger_start(struct lt_net *ln);
void lt_linger_stop(struct lt_net *ln);
void lt_linger_forget(const struct lt_net *ln);
void lt_linger_end(struct lt_net *ln, struct nf_conn *ct, struct lt_who who,
		   bool enforce);
unsigned int lt_linger_look(struct lt_closed *closed, unsigned int count,
			    bool hurried);
bool lt_linger_udp(struct lt_owner *owner, struct nf_conn *ct);

bool lt_linger_is_possible(void);

void lt_linger_init(void);
int lt_linger_arm(void);

#endif /* _LT_LINGER_H */
