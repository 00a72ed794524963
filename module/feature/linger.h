/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_LINGER_H
#define _LT_LINGER_H

#include "core/sock.h"

struct lt_net;
struct lt_owner;
struct nf_conn;

int lt_linger_start(struct lt_net *ln);
void lt_linger_stop(struct lt_net *ln);
void lt_linger_forget(const struct lt_net *ln);

void lt_linger_end(struct lt_net *ln, struct nf_conn *ct, struct lt_who who,
		   bool enforce);
bool lt_linger_udp(struct lt_owner *owner, struct nf_conn *ct);

bool lt_linger_is_possible(void);

void lt_linger_init(void);
int lt_linger_arm(void);
void lt_linger_exit(void);

#endif /* _LT_LINGER_H */
