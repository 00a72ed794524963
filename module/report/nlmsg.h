/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_NLMSG_H
#define _LT_NLMSG_H

#include <net/genetlink.h>
#include <net/netfilter/nf_conntrack_tuple.h>

/* Multicast groups, by their place in the family. */
enum {
	LT_NLMSG_GROUP_EVENTS,
};

int lt_nlmsg_put_tuple(struct sk_buff *msg, int type,
		       const struct nf_conntrack_tuple *t);
size_t lt_nlmsg_tuple_size(void);

/* Puts the attributes of a message about @what; @lost messages were lost before it. Returns
 * 0 or -EMSGSIZE.
 */
typedef int lt_nlmsg_fill_t(struct sk_buff *msg, const void *what, u32 lost);

void lt_nlmsg_unicast(struct net *net, u32 portid, u8 cmd, size_t size,
		      lt_nlmsg_fill_t *fill, const void *what, atomic_t *lost);

const struct genl_family *lt_nlmsg_family(void);
bool lt_nlmsg_has_listeners(struct net *net);

void lt_nlmsg_open(const struct genl_family *family);
void lt_nlmsg_close(void);

#endif /* _LT_NLMSG_H */
