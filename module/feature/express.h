/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_EXPRESS_H
#define _LT_EXPRESS_H

#include <linux/types.h>

struct lt_net;
struct nf_hook_state;
struct sk_buff;

bool lt_express_is_possible(void);
void lt_express_renew(struct lt_net *ln, u8 mode);
bool lt_express_spares(struct lt_net *ln, const struct sk_buff *skb,
		       const struct nf_hook_state *state);
void lt_express_routed(const struct sk_buff *skb);
void lt_express_accepted(const struct lt_net *ln, const struct sk_buff *skb);

#endif /* _LT_EXPRESS_H */
