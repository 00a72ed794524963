/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_UDP_H
#define _LT_UDP_H

#include <net/netfilter/nf_conntrack.h>
#include <net/sock.h>

/**
 * enum lt_udp - what a look at the UDP sockets of a port has shown
 * @LT_UDP_NONE: there is no such socket
 * @LT_UDP_SOME: there is one
 * @LT_UDP_UNKNOWN: there are more sockets on the port than are looked at
 */
enum lt_udp {
	LT_UDP_NONE,
	LT_UDP_SOME,
	LT_UDP_UNKNOWN,
};

enum lt_udp lt_udp_has(const struct net *net, const struct nf_conntrack_tuple *t,
		       u64 cookie);
enum lt_udp lt_udp_senders(const struct net *net,
			   const struct nf_conntrack_tuple *t,
			   const struct sock *except);

#endif /* _LT_UDP_H */
