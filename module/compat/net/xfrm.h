/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_COMPAT_NET_XFRM_H
#define _LT_COMPAT_NET_XFRM_H

#include <linux/version.h>

#include_next <net/xfrm.h>

#ifdef CONFIG_XFRM
/**
 * lt_compat_xfrm_decode() - find what IPsec policies look at
 * @net: network namespace
 * @skb: packet
 * @fl: to be filled
 * @family: AF_INET or AF_INET6
 *
 * From 6.8 on the namespace is an argument.
 *
 * Return: 0 or a negative error.
 */
static inline int lt_compat_xfrm_decode(struct net *net, struct sk_buff *skb,
					struct flowi *fl, unsigned int family)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	return xfrm_decode_session(net, skb, fl, family);
#else
	return xfrm_decode_session(skb, fl, family);
#endif
}
#endif

#endif /* _LT_COMPAT_NET_XFRM_H */
