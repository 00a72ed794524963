/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_ACCEPT_H
#define _LT_ACCEPT_H

#include <linux/types.h>

struct net;
struct nf_conntrack_tuple;

bool lt_accept_waits(struct net *net, const struct nf_conntrack_tuple *t,
		     int dif);

#endif /* _LT_ACCEPT_H */
