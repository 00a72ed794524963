/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_NAT_H
#define _LT_NAT_H

struct nf_conn;
struct nf_conntrack_tuple;
struct nf_hook_state;
struct sk_buff;

/* How often a flow may choose again. Each time the kernel tries up to 248 ports,
 * in runs that start at random places; in a range of 128 or fewer it tries all.
 */
#define LT_NAT_PICKS	16

bool lt_nat_may_pick(unsigned int picks);
void lt_nat_note(const struct sk_buff *skb, struct nf_conn *ct);
int lt_nat_repick(struct sk_buff *skb, struct nf_conn *ct,
		  const struct nf_hook_state *state, bool noted,
		  unsigned int *verdict);
int lt_nat_release(struct sk_buff *skb, struct nf_conn *ct,
		   const struct nf_hook_state *state);
int lt_nat_bind(struct sk_buff *skb, struct nf_conn *ct,
		const struct nf_hook_state *state,
		const struct nf_conntrack_tuple *reply);

#endif /* _LT_NAT_H */
