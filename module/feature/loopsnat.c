// SPDX-License-Identifier: GPL-2.0
/* Feature loopsnat: what stays on the host keeps its source. */

#include <linux/netfilter.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "core/ct.h"
#include "report/event.h"
#include "core/pass.h"
#include "feature/loopsnat.h"
#include "core/nat.h"
#include "net.h"

/*
 * "-t nat -A POSTROUTING -j MASQUERADE", without the device that was meant, also
 * rewrites what the host sends to itself: services on the loopback see their
 * local clients under an address of the network. That is undone here, where the
 * rules have chosen and nothing is committed yet: so it costs other flows
 * nothing, and one that no rule has changed isn't counted as if one had.
 *
 * The route decides. 127.0.0.1 that was DNATed to another host leaves by a real
 * device, where its source has to be another one, and isn't for us to touch.
 */

/**
 * lt_loopsnat_exempts() - are rules for the source kept off a packet's flow
 * @skb: packet
 * @state: of the hook it is in
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 * Return: true if it is to have a null binding, whatever the rules say.
 */
bool lt_loopsnat_exempts(const struct sk_buff *skb,
			 const struct nf_hook_state *state)
{
	return lt_mode(lt_net(state->net), NF_LOOPTRACK_FEATURE_LOOPSNAT) ==
	       NF_LOOPTRACK_MODE_ENFORCE &&
	       state->hook == NF_INET_POST_ROUTING &&
	       lt_loop_stays(skb, state->pf);
}

/* Has a rule changed the source, of what would be replied to as plain tells? */
static bool lt_loopsnat_is_changed(const struct nf_conn *ct,
				   const struct nf_conntrack_tuple *plain)
{
	const struct nf_conntrack_tuple *reply = lt_ct_tuple(ct, IP_CT_DIR_REPLY);
	struct nf_conn *holder;

	if (!nf_inet_addr_cmp(&plain->dst.u3, &reply->dst.u3))
		return true;

	/* Its port alone: because another flow has it, or as a rule says. */
	holder = lt_ct_find(nf_ct_net(ct), nf_ct_zone(ct), plain, NULL);
	if (holder)
		nf_ct_put(holder);

	return !holder;
}

static noinline unsigned int
lt_loopsnat_settle_loop(struct lt_net *ln, struct sk_buff *skb,
			struct nf_conn *ct, const struct nf_hook_state *state,
			bool enforce)
{
	const struct nf_conntrack_tuple *reply = lt_ct_tuple(ct, IP_CT_DIR_REPLY);
	unsigned int verdict = NF_ACCEPT;
	struct nf_conntrack_tuple plain;
	struct lt_event ev;
	int err = -EBUSY;

	if (!lt_ct_plain_reply(ct, &plain) || !lt_loopsnat_is_changed(ct, &plain))
		return NF_ACCEPT;

	lt_stats_inc(&ln->stats, LOOPSNAT_SEEN);
	lt_event_describe(&ev, NF_LOOPTRACK_FEATURE_LOOPSNAT, ct, state->sk);
	ev.wanted = plain;
	ev.got = *reply;
	if (!enforce) {
		lt_event_send(state->net, &ev, NF_LOOPTRACK_DECISION_OBSERVED);
		return NF_ACCEPT;
	}

	if (lt_ct_is_exclusive(skb, ct))
		err = lt_nat_repick(skb, ct, state, READ_ONCE(ln->noting),
				    &verdict);
	/* The mode may have changed meanwhile: see what became of it. */
	if (err || verdict != NF_ACCEPT ||
	    !nf_inet_addr_cmp(&plain.dst.u3, &reply->dst.u3)) {
		lt_event_send(state->net, &ev, NF_LOOPTRACK_DECISION_UNABLE);
		return verdict;
	}

	ev.got = *reply;
	lt_stats_inc(&ln->stats, LOOPSNAT_RESTORED);
	lt_event_send(state->net, &ev, NF_LOOPTRACK_DECISION_RESTORED);

	return NF_ACCEPT;
}

/**
 * lt_loopsnat_settle() - give a flow that stays on the host its source back
 * @ln: the module's part of the network namespace
 * @skb: the flow's first packet, before it is committed
 * @ct: its entry: unconfirmed, with a source binding
 * @state: of the hook
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 * Return: a netfilter verdict; NF_ACCEPT unless memory ran out in NAT.
 */
unsigned int lt_loopsnat_settle(struct lt_net *ln, struct sk_buff *skb,
				struct nf_conn *ct,
				const struct nf_hook_state *state)
{
	u8 mode = lt_mode(ln, NF_LOOPTRACK_FEATURE_LOOPSNAT);

	if (mode == NF_LOOPTRACK_MODE_OFF ||
	    state->hook != NF_INET_POST_ROUTING ||
	    !(READ_ONCE(ct->status) & IPS_SRC_NAT) ||
	    !lt_loop_stays(skb, state->pf))
		return NF_ACCEPT;

	return lt_loopsnat_settle_loop(ln, skb, ct, state,
				       mode == NF_LOOPTRACK_MODE_ENFORCE);
}
