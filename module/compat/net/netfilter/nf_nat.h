/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_COMPAT_NET_NETFILTER_NF_NAT_H
#define _LT_COMPAT_NET_NETFILTER_NF_NAT_H

#include_next <net/netfilter/nf_nat.h>

#include <linux/version.h>

/* Early demux takes the socket by the addresses and ports a packet has then. NAT
 * lets go of it if the address changes in LOCAL_IN; and since 6.7 if only the
 * port does. To do it twice does no harm.
 */
#define LT_COMPAT_NAT_KEEPS_SOCKET \
	(LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0))

#endif /* _LT_COMPAT_NET_NETFILTER_NF_NAT_H */
