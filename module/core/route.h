/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_ROUTE_H
#define _LT_ROUTE_H

#include <linux/types.h>
#include <net/netfilter/nf_conntrack_tuple.h>

struct dst_entry;
struct lt_question;
struct net;
struct sock;

struct dst_entry *lt_route_output(struct net *net, const struct sock *sk,
				  const struct nf_conntrack_tuple *t, u32 mark);
struct dst_entry *lt_route_input(const struct lt_question *question);

bool lt_route_is_delivered(const struct dst_entry *dst, u8 family);

#endif /* _LT_ROUTE_H */
