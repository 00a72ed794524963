/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_PKTTRACE_H
#define _LT_PKTTRACE_H

#include <linux/list.h>
#include <linux/netfilter.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

#include <uapi/linux/nf_looptrack.h>

struct lt_net;
struct nf_hook_state;
struct sk_buff;

/* Of a namespace: each packet is compared with each of them, at each stage. */
#define LT_TRACERS_MAX	8

/**
 * struct lt_tracer_end - one end of what is traced
 * @addr: its address, if @has_addr
 * @port: its port, or 0 for any
 * @has_addr: false for any address
 */
struct lt_tracer_end {
	union nf_inet_addr addr;
	__be16 port;
	bool has_addr;
};

/**
 * struct lt_tracer - a flow that somebody watches
 * @list: in struct lt_net; changed under its lock, read under RCU
 * @rcu: to free it
 * @portid: netlink port of who watches; constant, as all that follows but @lost
 * @id: tells it from all others, also of later ones with its @portid
 * @family: NFPROTO_IPV4, NFPROTO_IPV6, or NFPROTO_UNSPEC for both
 * @protocol: IP protocol number
 * @src: where it comes from
 * @dst: where it goes to
 * @lost: how many messages could not be sent since the last one that could
 */
struct lt_tracer {
	struct list_head list;
	struct rcu_head rcu;
	u32 portid;
	u32 id;
	u8 family;
	u8 protocol;
	struct lt_tracer_end src;
	struct lt_tracer_end dst;
	atomic_t lost;
};

void lt_tracer_flush(struct lt_net *ln);
void lt_tracer_see(struct lt_net *ln, const struct sk_buff *skb,
		   const struct nf_hook_state *state,
		   enum nf_looptrack_stage stage);

#endif /* _LT_PKTTRACE_H */
