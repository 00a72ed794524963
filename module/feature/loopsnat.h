/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_LOOPSNAT_H
#define _LT_LOOPSNAT_H

#include <linux/types.h>

struct lt_net;
struct nf_conn;
struct nf_hook_state;
struct sk_buff;

bool lt_loopsnat_exempts(const struct sk_buff *skb,
			 const struct nf_hook_state *state);
unsigned int lt_loopsnat_settle(struct lt_net *ln, struct sk_buff *skb,
				struct nf_conn *ct,
				const struct nf_hook_state *state);

#endif /* _LT_LOOPSNAT_H */
