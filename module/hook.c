// SPDX-License-Identifier: GPL-2.0
/* Netfilter hooks: find the entry, leave early, ask one decision function. */

#include <linux/kernel.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_nat.h>

#include "clash.h"
#include "ct.h"
#include "hook.h"
#include "nat.h"
#include "netns.h"

/* conntrack and NAT don't act when a packet passes POST_ROUTING on a VRF
 * device: it comes again, with the device below.
 */
static bool lt_hook_is_vrf_pass(const struct nf_hook_state *state)
{
	return state->hook == NF_INET_POST_ROUTING &&
	       netif_is_l3_master(state->out);
}

/* Runs just before NAT chooses a source. What rules may change of a new flow's
 * packet is noted, in case they have to choose again.
 */
static unsigned int lt_hook_note(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct;

	ct = nf_ct_get(skb, &ctinfo);
	if (likely(!ct || nf_ct_is_confirmed(ct)))
		return NF_ACCEPT;

	if (lt_ct_is_exclusive(skb, ct))
		lt_nat_note(skb, ct);

	return NF_ACCEPT;
}

/* Runs just before conntrack confirms. All but the first packet of a flow
 * leave at the first branch.
 */
static unsigned int lt_hook_commit(void *priv, struct sk_buff *skb,
				   const struct nf_hook_state *state)
{
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct;

	ct = nf_ct_get(skb, &ctinfo);
	if (likely(!ct || nf_ct_is_confirmed(ct)))
		return NF_ACCEPT;

	/* Without a source binding no port was chosen. A reply to a flow that
	 * is not confirmed was made by REJECT and isn't committed by anybody.
	 */
	if (CTINFO2DIR(ctinfo) != IP_CT_DIR_ORIGINAL ||
	    !nf_nat_initialized(ct, NF_NAT_MANIP_SRC) ||
	    lt_hook_is_vrf_pass(state))
		return NF_ACCEPT;

	return lt_clash_commit(lt_net(state->net), skb, ct, state);
}

#define LT_HOOK(fn, num, prio) \
	{ .hook = (fn), .pf = NFPROTO_INET, .hooknum = (num), .priority = (prio) }

/* The notes come first, so that no packet meets the other hook without having
 * met this one. Confirm is last at INT_MAX; ours is the last before it.
 */
static const struct nf_hook_ops lt_hook_ops[] = {
	LT_HOOK(lt_hook_note, NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC - 1),
	LT_HOOK(lt_hook_note, NF_INET_LOCAL_IN, NF_IP_PRI_NAT_SRC - 1),
	LT_HOOK(lt_hook_commit, NF_INET_POST_ROUTING,
		NF_IP_PRI_CONNTRACK_CONFIRM - 1),
	LT_HOOK(lt_hook_commit, NF_INET_LOCAL_IN,
		NF_IP_PRI_CONNTRACK_CONFIRM - 1),
};

/**
 * lt_hook_register() - hook into a namespace, IPv4 and IPv6
 * @net: network namespace
 *
 * Context: may sleep.
 * Return: 0 or an error of nf_register_net_hooks(), with nothing registered.
 */
int lt_hook_register(struct net *net)
{
	return nf_register_net_hooks(net, lt_hook_ops, ARRAY_SIZE(lt_hook_ops));
}

/**
 * lt_hook_unregister() - undo lt_hook_register()
 * @net: network namespace
 *
 * Packets may be in the hooks for another RCU grace period.
 *
 * Context: may sleep.
 */
void lt_hook_unregister(struct net *net)
{
	nf_unregister_net_hooks(net, lt_hook_ops, ARRAY_SIZE(lt_hook_ops));
}
