/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_LOOP_H
#define _LT_LOOP_H

#include <linux/if.h>
#include <linux/if_packet.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <net/ip6_route.h>
#include <net/route.h>

/*
 * What a host sends to itself passes its hooks twice: LOCAL_OUT and POST_ROUTING
 * on the first pass, PRE_ROUTING and LOCAL_IN on the second. Three ways lead from
 * one to the other: the loopback device, for all that is addressed or was routed
 * to this host; a VRF device, for what is within the VRF; and for multicasts and
 * broadcasts the copy that the stack keeps of what leaves by a real device. On the
 * latter two the packet has the type PACKET_LOOPBACK, and nobody else can give it
 * that. A packet that comes back through veth, bridge or tunnel was on a wire.
 */

/**
 * lt_loop_is_second_pass() - has this host sent the packet, to itself
 * @skb: a packet in PRE_ROUTING or LOCAL_IN
 * @state: of the hook
 *
 * Context: any.
 * Return: true if it has passed LOCAL_OUT and POST_ROUTING of this namespace,
 * just now.
 */
static inline bool lt_loop_is_second_pass(const struct sk_buff *skb,
					  const struct nf_hook_state *state)
{
	return state->in->flags & IFF_LOOPBACK ||
	       skb->pkt_type == PACKET_LOOPBACK;
}

/**
 * lt_loop_stays() - is a packet on its way to this host itself
 * @skb: a packet in LOCAL_OUT or POST_ROUTING
 * @pf: NFPROTO_IPV4 or NFPROTO_IPV6
 *
 * What decides is the route: behind it nobody needs another source to answer.
 *
 * Context: RCU read lock.
 * Return: false for multicasts and broadcasts, which also leave.
 */
static inline bool lt_loop_stays(const struct sk_buff *skb, u8 pf)
{
	if (!skb_dst(skb))
		return false;

	if (pf == NFPROTO_IPV6)
		return skb_rt6_info(skb)->rt6i_flags & RTF_LOCAL;

	return skb_rtable(skb)->rt_type == RTN_LOCAL;
}

#endif /* _LT_LOOP_H */
