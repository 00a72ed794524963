/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_CLASH_H
#define _LT_CLASH_H

struct lt_net;
struct nf_conn;
struct nf_hook_state;
struct sk_buff;

unsigned int lt_clash_commit(struct lt_net *ln, struct sk_buff *skb,
			     struct nf_conn *ct,
			     const struct nf_hook_state *state);

#endif /* _LT_CLASH_H */
