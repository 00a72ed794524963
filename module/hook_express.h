/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_HOOK_EXPRESS_H
#define _LT_HOOK_EXPRESS_H

#include <linux/netfilter.h>

unsigned int lt_hook_express(void *priv, struct sk_buff *skb,
			     const struct nf_hook_state *state);
unsigned int lt_hook_routed(void *priv, struct sk_buff *skb,
			    const struct nf_hook_state *state);
unsigned int lt_hook_accepted(void *priv, struct sk_buff *skb,
			      const struct nf_hook_state *state);

#endif /* _LT_HOOK_EXPRESS_H */
