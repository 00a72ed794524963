/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_RULES_H
#define _LT_RULES_H

#include <net/netfilter/nf_conntrack_tuple.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "core/nat.h"

struct dst_entry;
struct net;
struct net_device;
struct sk_buff;
struct sock;

/**
 * struct lt_question - a packet that is not there, the first one of a flow
 * @net: network namespace
 * @zone: conntrack zone
 * @hook: for what NAT does to the destination: NF_INET_PRE_ROUTING of a packet that
 *	arrives, NF_INET_LOCAL_OUT of one that this host sends. To the source:
 *	NF_INET_POST_ROUTING of one that leaves, NF_INET_LOCAL_IN of one that arrives
 *	and is for this host
 * @packet: addresses and ports; of TCP, UDP, SCTP or an ICMP echo, IPv4 or IPv6
 * @flow: what the client sent, if NAT has changed the destination since; or NULL
 * @dev: the device it comes by, or leaves by
 * @in: POST_ROUTING: the device that a forwarded packet has come by, which rules may
 *	match there, too; else NULL
 * @sk: LOCAL_OUT, POST_ROUTING: the local socket that sends it, or NULL
 * @dst: LOCAL_OUT: its route before NAT, whose device @dev is; POST_ROUTING and
 *	LOCAL_IN: its route; PRE_ROUTING: NULL
 * @marks: its marks
 * @is_traced: rules of nf_tables tell that they met it, to who listens
 */
struct lt_question {
	struct net *net;
	const struct nf_conntrack_zone *zone;
	unsigned int hook;
	struct nf_conntrack_tuple packet;
	const struct nf_conntrack_tuple *flow;
	struct net_device *dev;
	struct net_device *in;
	struct sock *sk;
	struct dst_entry *dst;
	struct lt_nat_marks marks;
	bool is_traced;
};

/**
 * struct lt_answer - the end of a flow that NAT would choose
 * @changed: it is another one than the packet has
 * @masqueraded: a rule that masquerades has chosen it
 * @addr: address
 * @port: port
 * @marks: what the rules have made of the marks
 */
struct lt_answer {
	bool changed;
	bool masqueraded;
	union nf_inet_addr addr;
	__be16 port;
	struct lt_nat_marks marks;
};

bool lt_rules_has_ports(u8 proto);
struct sk_buff *lt_rules_packet(const struct lt_question *q);
int lt_rules_ask(const struct lt_question *question, struct lt_answer *answer);

#endif /* _LT_RULES_H */
