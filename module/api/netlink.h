/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_NETLINK_H
#define _LT_NETLINK_H

#include <net/genetlink.h>
#include <net/netfilter/nf_conntrack_tuple.h>

extern struct genl_family lt_netlink_family;

struct sk_buff *lt_netlink_answer(struct genl_info *info, void **hdr);
int lt_netlink_send(struct sk_buff *msg, void *hdr, struct genl_info *info,
		    int err);
int lt_netlink_parse_flow(struct nf_conntrack_tuple *t,
			  const struct nlattr *proto, const struct nlattr *tuple,
			  struct netlink_ext_ack *extack);

int lt_netlink_init(void);
void lt_netlink_exit(void);

#endif /* _LT_NETLINK_H */
