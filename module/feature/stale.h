/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_STALE_H
#define _LT_STALE_H

struct lt_net;
struct nf_conn;
struct nf_hook_state;
struct sk_buff;

unsigned int lt_stale_check_syn(struct lt_net *ln, struct sk_buff *skb,
				const struct nf_hook_state *state);
void lt_stale_check_zoned_syn(struct lt_net *ln, const struct sk_buff *skb,
			      const struct nf_hook_state *state);
unsigned int lt_stale_check_udp(struct lt_net *ln, struct sk_buff *skb,
				struct nf_conn *ct,
				const struct nf_hook_state *state);

#endif /* _LT_STALE_H */
