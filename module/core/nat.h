/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_NAT_H
#define _LT_NAT_H

#include <net/netfilter/nf_conntrack_tuple.h>

struct lt_new;
struct nf_conn;
struct nf_hook_state;
struct sk_buff;

/* How often a flow may choose again. Each time the kernel tries up to 248 ports,
 * in runs that start at random places; in a range of 128 or fewer it tries all.
 */
#define LT_NAT_PICKS	16

/**
 * struct lt_nat_marks - what rules match on, and change
 * @packet: mark of the packet
 * @flow: mark of the entry
 */
struct lt_nat_marks {
	u32 packet;
	u32 flow;
};

/**
 * struct lt_nat_binding - the source that a flow was given
 * @reply: reply tuple of its entry
 * @masquerade: index of the device it is masqueraded by; 0 if it is not
 */
struct lt_nat_binding {
	struct nf_conntrack_tuple reply;
	int masquerade;
};

struct lt_nat_marks lt_nat_marks(const struct sk_buff *skb, const struct nf_conn *ct);
void lt_nat_note(const struct sk_buff *skb, struct nf_conn *ct);
struct lt_nat_marks lt_nat_marks_before(const struct lt_new *new);

bool lt_nat_may_pick(const struct lt_new *new);
void lt_nat_search_failed(const struct lt_new *new);
int lt_nat_repick(struct lt_new *new, unsigned int *verdict);
struct lt_nat_binding lt_nat_save(const struct nf_conn *ct);
unsigned int lt_nat_bind(const struct lt_new *new,
			 const struct lt_nat_binding *binding);
int lt_nat_release(struct sk_buff *skb, struct nf_conn *ct,
		   const struct nf_hook_state *state);

#endif /* _LT_NAT_H */
