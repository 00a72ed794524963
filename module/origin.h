/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_ORIGIN_H
#define _LT_ORIGIN_H

#include <linux/types.h>

struct lt_net;
struct lt_owner;
struct nf_conn;
struct nf_hook_state;
struct pid_namespace;
struct sock;

struct sock *lt_origin_socket(const struct nf_conn *ct,
			      const struct nf_hook_state *state);
void lt_origin_note(struct lt_net *ln, const struct nf_conn *ct,
		    const struct nf_hook_state *state);
void lt_origin_note_zone(struct lt_net *ln, u16 id);
void lt_origin_expire(struct lt_net *ln, struct lt_owner *owner);

bool lt_origin_is_told(const struct lt_net *ln);
pid_t lt_origin_pid(const struct lt_owner *owner, struct pid_namespace *ns);
u64 lt_origin_since(const struct lt_owner *owner);

int lt_origin_init(void);
void lt_origin_exit(void);

#endif /* _LT_ORIGIN_H */
