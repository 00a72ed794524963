/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_COMPAT_NET_UDP_H
#define _LT_COMPAT_NET_UDP_H

#include_next <net/udp.h>

/**
 * lt_compat_udp_table() - the table that holds a namespace's UDP sockets
 * @net: network namespace
 *
 * From 6.2 on a namespace may have a table of its own.
 */
static inline struct udp_table *lt_compat_udp_table(const struct net *net)
{
#ifdef UDP_HTABLE_SIZE_MIN_PERNET
	return net->ipv4.udp_table;
#else
	return &udp_table;
#endif
}

#endif /* _LT_COMPAT_NET_UDP_H */
