/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_NEW_H
#define _LT_NEW_H

#include <linux/types.h>

struct lt_net;
struct nf_conn;
struct nf_hook_state;
struct sk_buff;

/**
 * struct lt_new - a new flow, between the choice of NAT and the commit
 * @ln: the module's part of the network namespace
 * @skb: its first packet
 * @ct: its entry: unconfirmed, with a source binding
 * @state: of the hook, POST_ROUTING or LOCAL_IN, that @skb is in
 * @picks: how often the source was chosen again, by all features together
 * @unsnat: loopsnat keeps the rules for the source off this flow: it gets a null
 *	binding whenever its source is chosen again
 *
 * It is on the stack of the hook function. Features get it one after the other.
 */
struct lt_new {
	struct lt_net *ln;
	struct sk_buff *skb;
	struct nf_conn *ct;
	const struct nf_hook_state *state;
	unsigned int picks;
	bool unsnat;
};

#endif /* _LT_NEW_H */
