/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_ORIGIN_H
#define _LT_ORIGIN_H

#include <linux/types.h>

struct lt_net;
struct nf_conn;
struct nf_hook_state;

void lt_origin_note(struct lt_net *ln, struct nf_conn *ct,
		    const struct nf_hook_state *state);
void lt_origin_note_zone(struct lt_net *ln, u16 id);
void lt_origin_set(struct lt_net *ln, u8 mode);

int lt_origin_init(void);
void lt_origin_exit(void);

#endif /* _LT_ORIGIN_H */
