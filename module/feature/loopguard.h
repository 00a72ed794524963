/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_LOOPGUARD_H
#define _LT_LOOPGUARD_H

#include <linux/types.h>

struct lt_net;
struct nf_conn;
struct nf_hook_state;
struct sk_buff;

void lt_loopguard_observe(struct lt_net *ln, const struct sk_buff *skb,
			  const struct nf_conn *ct,
			  const struct nf_hook_state *state);
void lt_loopguard_release(struct lt_net *ln, struct sk_buff *skb,
			  struct nf_conn *ct,
			  const struct nf_hook_state *state);

#endif /* _LT_LOOPGUARD_H */
