// SPDX-License-Identifier: GPL-2.0
/* Netfilter hooks of express: before and behind the rules of a packet's second pass. */

#include <linux/netdevice.h>
#include <linux/preempt.h>

#include "feature/express.h"
#include "hook_express.h"
#include "net.h"

static bool lt_hook_is_loop(const struct nf_hook_state *state)
{
	return state->in->flags & IFF_LOOPBACK;
}

/**
 * lt_hook_express() - run before all rules of PRE_ROUTING or LOCAL_IN
 * @priv: unused
 * @skb: packet
 * @state: of the hook
 *
 * A packet that is spared the rules goes where it would have gone after the last one.
 *
 * Rules that are first of all, too, may have queued the packet to user space. It
 * comes back in process context with BHs on, where the receive path must not run:
 * it would hold a socket's spinlock when a softirq on the same CPU wants that.
 *
 * Context: in a hook.
 * Return: NF_ACCEPT, or NF_STOLEN of a packet that has gone on its way.
 */
unsigned int lt_hook_express(void *priv, struct sk_buff *skb,
			     const struct nf_hook_state *state)
{
	if (!lt_hook_is_loop(state) || !in_softirq() ||
	    !lt_express_spares(lt_net_rcu(state->net), skb, state))
		return NF_ACCEPT;

	state->okfn(state->net, state->sk, skb);
	return NF_STOLEN;
}

/**
 * lt_hook_routed() - run after all rules of PRE_ROUTING
 * @priv: unused
 * @skb: packet
 * @state: of the hook
 *
 * Context: in a hook.
 * Return: NF_ACCEPT.
 */
unsigned int lt_hook_routed(void *priv, struct sk_buff *skb,
			    const struct nf_hook_state *state)
{
	if (lt_hook_is_loop(state))
		lt_express_routed(skb);

	return NF_ACCEPT;
}

/**
 * lt_hook_accepted() - run after all rules of LOCAL_IN
 * @priv: unused
 * @skb: packet
 * @state: of the hook
 *
 * Context: in a hook.
 * Return: NF_ACCEPT.
 */
unsigned int lt_hook_accepted(void *priv, struct sk_buff *skb,
			      const struct nf_hook_state *state)
{
	if (lt_hook_is_loop(state))
		lt_express_accepted(lt_net_rcu(state->net), skb);

	return NF_ACCEPT;
}
