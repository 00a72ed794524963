/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_NAT_H
#define _LT_NAT_H

struct nf_conn;
struct nf_hook_state;
struct sk_buff;

void lt_nat_note(const struct sk_buff *skb, struct nf_conn *ct);
int lt_nat_repick(struct sk_buff *skb, struct nf_conn *ct,
		  const struct nf_hook_state *state, bool noted,
		  unsigned int *verdict);

#endif /* _LT_NAT_H */
