/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_PORTS_H
#define _LT_PORTS_H

#include <linux/types.h>

struct lt_net;
struct nf_conn;
struct nf_hook_state;
struct sk_buff;

unsigned int lt_ports_settle(struct lt_net *ln, struct sk_buff *skb,
			     struct nf_conn *ct,
			     const struct nf_hook_state *state);
bool lt_ports_are_held(struct lt_net *ln, struct sk_buff *skb,
		       const struct nf_conn *ct,
		       const struct nf_hook_state *state);
void lt_ports_check_demux(struct lt_net *ln, struct sk_buff *skb);

#endif /* _LT_PORTS_H */
