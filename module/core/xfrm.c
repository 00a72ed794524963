// SPDX-License-Identifier: GPL-2.0
/* IPsec policies of a flow whose source was changed back. */

#include <linux/netfilter.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/xfrm.h>

#include "core/ct.h"
#include "core/new.h"
#include "core/xfrm.h"

#ifdef CONFIG_XFRM

/* Did IPsec send the packet itself? */
static bool lt_xfrm_is_done(const struct sk_buff *skb, u8 pf)
{
	if (pf == NFPROTO_IPV6)
		return IP6CB(skb)->flags & IP6SKB_XFRM_TRANSFORMED;

	return IPCB(skb)->flags & IPSKB_XFRM_TRANSFORMED;
}

static bool lt_xfrm_has_own_source(const struct nf_conn *ct)
{
	const struct nf_conntrack_tuple *flow, *reply;

	flow = lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL);
	reply = lt_ct_tuple(ct, IP_CT_DIR_REPLY);

	return nf_inet_addr_cmp(&flow->src.u3, &reply->dst.u3) &&
	       flow->src.u.all == reply->dst.u.all;
}

/* As nf_xfrm_me_harder(), which is static. */
static int lt_xfrm_look_up(struct net *net, struct sk_buff *skb, u8 pf)
{
	struct dst_entry *dst = skb_dst(skb);
	const struct sock *sk = skb->sk;
	unsigned int hh_len;
	struct flowi fl;
	int err;

	err = lt_compat_xfrm_decode(net, skb, &fl, pf);
	if (err < 0)
		return err;

	if (dst->xfrm)
		dst = ((struct xfrm_dst *)dst)->route;
	if (!dst_hold_safe(dst))
		return -EHOSTUNREACH;

	if (sk && !net_eq(net, sock_net(sk)))
		sk = NULL;
	dst = xfrm_lookup(net, dst, &fl, sk, 0);
	if (IS_ERR(dst))
		return PTR_ERR(dst);

	skb_dst_drop(skb);
	skb_dst_set(skb, dst);

	hh_len = dst->dev->hard_header_len;
	if (skb_headroom(skb) < hh_len)
		return pskb_expand_head(skb, hh_len - skb_headroom(skb), 0,
					GFP_ATOMIC);
	return 0;
}

/**
 * lt_xfrm_again() - look the IPsec policy up again, where NAT did not
 * @new: a flow whose source was chosen again or put back
 *
 * NAT's hook in POST_ROUTING looks for the policy of a packet whose source it
 * has changed, and leaves the others the route they came with. A packet whose
 * first choice was another one has the route for that.
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 * Return: a netfilter verdict: NF_ACCEPT, or NF_DROP with the error of the look-up.
 */
unsigned int lt_xfrm_again(const struct lt_new *new)
{
	const struct nf_hook_state *state = new->state;
	struct sk_buff *skb = new->skb;
	int err;

	if (state->hook != NF_INET_POST_ROUTING || !skb_dst(skb) ||
	    !lt_xfrm_has_own_source(new->ct) || lt_xfrm_is_done(skb, state->pf) ||
	    (!skb_dst(skb)->xfrm &&
	     !READ_ONCE(state->net->xfrm.policy_count[XFRM_POLICY_OUT])))
		return NF_ACCEPT;

	err = lt_xfrm_look_up(state->net, skb, state->pf);

	return err < 0 ? NF_DROP_ERR(err) : NF_ACCEPT;
}

#else

unsigned int lt_xfrm_again(const struct lt_new *new)
{
	return NF_ACCEPT;
}

#endif
