/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_COMPAT_NET_NETFILTER_NF_CONNTRACK_CORE_H
#define _LT_COMPAT_NET_NETFILTER_NF_CONNTRACK_CORE_H

#include_next <net/netfilter/nf_conntrack_core.h>

#include <linux/version.h>

/* A flow of UDP or GRE that lost its reply tuple is merged into the entry that has it:
 * since 6.12 if both are the same flow, before that also if no NAT has seen that entry.
 */
#define LT_COMPAT_CLASH_MERGES_PLAIN \
	(LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0))

#endif /* _LT_COMPAT_NET_NETFILTER_NF_CONNTRACK_CORE_H */
