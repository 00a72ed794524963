// SPDX-License-Identifier: GPL-2.0
/* Netfilter hooks: find the entry, leave early, ask one decision function. */

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <net/tcp_states.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include <net/netfilter/nf_nat.h>

#include "feature/clash.h"
#include "core/ct.h"
#include "feature/heal.h"
#include "feature/linger.h"
#include "hook.h"
#include "hook_express.h"
#include "core/pass.h"
#include "feature/loopguard.h"
#include "feature/listeners.h"
#include "feature/loopsnat.h"
#include "core/nat.h"
#include "core/new.h"
#include "core/unanswered.h"
#include "net.h"
#include "feature/origin.h"
#include "feature/passmark.h"
#include "feature/ports.h"
#include "feature/stale.h"
#include "report/pkttrace.h"

/* Is this the first packet of a flow, or does it carry a template? All others leave
 * their hook here: those without an entry, and those whose entry is confirmed, also
 * while the flow is not answered and all its packets are new to conntrack.
 */
static __always_inline bool lt_hook_may_be_new(const struct sk_buff *skb)
{
	const struct nf_conn *ct = (const struct nf_conn *)skb_nfct(skb);

	return ct && !(ct->status & IPS_CONFIRMED);
}

/* The entry, if this is the first packet of a flow. */
static struct nf_conn *lt_hook_new(const struct sk_buff *skb)
{
	struct nf_conn *ct = (struct nf_conn *)skb_nfct(skb);

	return ct && !nf_ct_is_confirmed(ct) ? ct : NULL;
}

/* conntrack and NAT don't act when a packet passes POST_ROUTING on a VRF
 * device: it comes again, with the device below.
 */
static bool lt_hook_is_vrf_pass(const struct nf_hook_state *state)
{
	return state->hook == NF_INET_POST_ROUTING &&
	       netif_is_l3_master(state->out);
}

/* Runs just before NAT chooses a source, where asked for. What rules may change
 * of a new flow's packet is noted, in case they have to choose again.
 */
static unsigned int lt_hook_note(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	struct nf_conn *ct = lt_hook_new(skb);

	if (unlikely(ct) && lt_ct_is_exclusive(skb, ct))
		lt_nat_note(skb, ct);

	return NF_ACCEPT;
}

/* What features have to do with a flow that NAT has changed: report it if it is a loop,
 * and change what NAT chose, in this order.
 */
static noinline unsigned int lt_hook_settle(struct lt_new *new)
{
	unsigned int verdict;

	if (new->state->hook == NF_INET_POST_ROUTING)
		lt_loopguard_observe(new->ln, new->skb, new->ct, new->state);

	/* Without a source binding no port was chosen. */
	if (!nf_nat_initialized(new->ct, NF_NAT_MANIP_SRC))
		return NF_ACCEPT;

	verdict = lt_loopsnat_settle(new);
	if (verdict != NF_ACCEPT)
		return verdict;

	verdict = lt_ports_settle(new);
	if (verdict != NF_ACCEPT)
		return verdict;

	return lt_listeners_settle(new);
}

/* What features have to do with a new flow, before conntrack confirms it. */
static unsigned int lt_hook_flow(struct lt_net *ln, struct sk_buff *skb,
				 struct nf_conn *ct, const struct nf_hook_state *state)
{
	struct lt_new new = {
		.ln = ln, .skb = skb, .ct = ct, .state = state,
	};
	unsigned int verdict;

	if (READ_ONCE(ct->status) & IPS_NAT_MASK) {
		verdict = lt_hook_settle(&new);
		if (verdict != NF_ACCEPT)
			return verdict;
	}

	if (state->hook == NF_INET_POST_ROUTING) {
		if (state->out->flags & IFF_LOOPBACK && nf_ct_protonum(ct) == IPPROTO_TCP)
			lt_linger_watch(ct);
		lt_origin_note(ln, ct, state);
	}

	/* Without a source binding no port was chosen: there is no NAT here. */
	return nf_nat_initialized(ct, NF_NAT_MANIP_SRC) ? lt_clash_commit(&new) :
							   NF_ACCEPT;
}

/* The fast paths are counted in instructions. What is out of line takes a hook's
 * arguments, and keeps them (__used), so that there is nothing to move and no
 * stack to set up before; and who traces wants to see that, and not (notrace)
 * how packets pass.
 */
static noinline __used unsigned int
lt_hook_commit_new(void *priv, struct sk_buff *skb,
		   const struct nf_hook_state *state)
{
	struct nf_conn *ct = (struct nf_conn *)skb_nfct(skb);
	enum ip_conntrack_info ctinfo;
	struct lt_net *ln;

	if (lt_hook_is_vrf_pass(state))
		return NF_ACCEPT;

	/* A reply to a flow that is not confirmed was made by REJECT and isn't
	 * committed by anybody.
	 */
	nf_ct_get(skb, &ctinfo);
	if (CTINFO2DIR(ctinfo) != IP_CT_DIR_ORIGINAL)
		return NF_ACCEPT;

	/* From the first flow on there may be stale ones, and accepted ones. */
	ln = lt_net_rcu(state->net);
	lt_net_want(ln, LT_HOOK_OUT);
	lt_net_want(ln, LT_HOOK_EXPRESS);
	if (nf_ct_zone(ct)->id != NF_CT_DEFAULT_ZONE_ID) {
		lt_net_want(ln, LT_HOOK_ZONE);
		lt_origin_note_zone(ln, nf_ct_zone(ct)->id);
	}

	return lt_hook_flow(ln, skb, ct, state);
}

/* Runs just before conntrack confirms. */
static notrace unsigned int
lt_hook_commit(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	if (likely(!lt_hook_may_be_new(skb)))
		return NF_ACCEPT;

	return lt_hook_commit_new(priv, skb, state);
}

/* A packet that arrives, whose source NAT may have changed after early demux. */
static bool lt_hook_is_demuxed(const struct sk_buff *skb)
{
	enum ip_conntrack_info ctinfo;
	const struct nf_conn *ct = nf_ct_get(skb, &ctinfo);

	return skb->sk && ct && READ_ONCE(ct->status) & IPS_SRC_NAT &&
	       CTINFO2DIR(ctinfo) == IP_CT_DIR_ORIGINAL;
}

static noinline __used unsigned int
lt_hook_commit_in_slow(void *priv, struct sk_buff *skb,
		       const struct nf_hook_state *state)
{
	if (LT_COMPAT_NAT_KEEPS_SOCKET && lt_hook_is_demuxed(skb))
		lt_ports_check_demux(lt_net_rcu(state->net), skb);

	return lt_hook_new(skb) ? lt_hook_commit_new(priv, skb, state) : NF_ACCEPT;
}

/* Likewise, for packets that arrive. */
static notrace unsigned int
lt_hook_commit_in(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	if (likely(!lt_hook_may_be_new(skb) &&
		   !(LT_COMPAT_NAT_KEEPS_SOCKET && lt_hook_is_demuxed(skb))))
		return NF_ACCEPT;

	return lt_hook_commit_in_slow(priv, skb, state);
}

/* States of sockets whose packets open or end a connection: a SYN; the ACK of the other
 * end's FIN, from a socket that has sent its own, or for one that is in TIME_WAIT; a
 * reset. For connections without a socket the kernel sends by one of its own, which is in
 * CLOSE, or, from 6.13 on, in the name of a listener.
 */
#define LT_HOOK_EDGES \
	(BIT(TCP_SYN_SENT) | BIT(TCP_SYN_RECV) | BIT(TCP_FIN_WAIT1) | \
	 BIT(TCP_FIN_WAIT2) | BIT(TCP_TIME_WAIT) | BIT(TCP_CLOSE) | BIT(TCP_LISTEN))

static bool lt_hook_is_edge(const struct nf_hook_state *state)
{
	return state->sk && BIT(state->sk->sk_state) & LT_HOOK_EDGES;
}

/* A packet of a socket that opens a connection: of TCP, DCCP or whoever has a
 * state of this number. Its entry is of interest, or that it has none.
 */
static bool lt_hook_is_opening(const struct nf_hook_state *state)
{
	return state->sk && state->sk->sk_state == TCP_SYN_SENT;
}

static noinline __used unsigned int
lt_hook_edge(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	const struct nf_conn *ct = (const struct nf_conn *)skb_nfct(skb);

	/* Most often there was no entry, and this is the flow's own. */
	if (lt_hook_is_opening(state))
		return likely(lt_hook_new(skb)) ?
		       NF_ACCEPT :
		       lt_stale_check_syn(lt_net_rcu(state->net), skb, state);

	if (ct && lt_linger_is_watched(ct) && lt_linger_has_ended(ct))
		lt_linger_note(lt_net_rcu(state->net), skb, state);

	return NF_ACCEPT;
}

/* Runs just before, where zones are in use. */
static unsigned int lt_hook_zone(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	if (unlikely(lt_hook_is_opening(state)) && skb_nfct(skb))
		lt_stale_check_zoned_syn(lt_net_rcu(state->net), skb, state);

	return NF_ACCEPT;
}

static noinline __used unsigned int
lt_hook_udp_nat(void *priv, struct sk_buff *skb,
		const struct nf_hook_state *state)
{
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct = nf_ct_get(skb, &ctinfo);

	if (CTINFO2DIR(ctinfo) != IP_CT_DIR_ORIGINAL || !nf_ct_is_confirmed(ct) ||
	    ctinfo == IP_CT_RELATED)
		return NF_ACCEPT;

	return lt_stale_check_udp(lt_net_rcu(state->net), skb, ct, state);
}

/* Runs just after conntrack has looked for the packet's entry. */
static notrace unsigned int
lt_hook_out(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	const struct nf_conn *ct = (const struct nf_conn *)skb_nfct(skb);

	if (ct && nf_ct_protonum(ct) == IPPROTO_UDP)
		return likely(!(ct->status & IPS_NAT_MASK)) ?
		       NF_ACCEPT : lt_hook_udp_nat(priv, skb, state);

	return likely(!lt_hook_is_edge(state)) ?
	       NF_ACCEPT : lt_hook_edge(priv, skb, state);
}

static noinline __used unsigned int
lt_hook_guard_new(void *priv, struct sk_buff *skb,
		  const struct nf_hook_state *state)
{
	struct nf_conn *ct = lt_hook_new(skb);

	if (ct && READ_ONCE(ct->status) & IPS_DST_NAT)
		lt_loopguard_release(lt_net_rcu(state->net), skb, ct, state);

	return NF_ACCEPT;
}

/* Runs just after NAT has chosen a destination. */
static notrace unsigned int
lt_hook_guard(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	if (likely(!lt_hook_may_be_new(skb)))
		return NF_ACCEPT;

	return lt_hook_guard_new(priv, skb, state);
}

static noinline __used unsigned int
lt_hook_heal_due(void *priv, struct sk_buff *skb,
		 const struct nf_hook_state *state)
{
	lt_heal_note(lt_net_rcu(state->net), skb, state);

	return NF_ACCEPT;
}

/* Runs just before NAT chooses a destination, where a flow had no answer. */
static notrace unsigned int
lt_hook_heal(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	const struct nf_conn *ct = (const struct nf_conn *)skb_nfct(skb);

	if (likely(!ct || !lt_unanswered_is_due(ct)))
		return NF_ACCEPT;

	return lt_hook_heal_due(priv, skb, state);
}

/* Runs just before NAT chooses a source, likewise. */
static notrace unsigned int
lt_hook_heal_leaving(void *priv, struct sk_buff *skb,
		     const struct nf_hook_state *state)
{
	if (unlikely(lt_heal_follows(skb)) && !lt_hook_is_vrf_pass(state))
		lt_heal_note_source(skb, state);

	return NF_ACCEPT;
}

/* Runs before all rules. */
static unsigned int lt_hook_pass(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	if (lt_loop_is_second_pass(skb, state))
		lt_passmark_packet(lt_net_rcu(state->net), skb);

	return NF_ACCEPT;
}

/* Runs at each stage, while somebody traces. */
static unsigned int lt_hook_trace(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	lt_tracer_see(lt_net_rcu(state->net), skb, state, (uintptr_t)priv);

	return NF_ACCEPT;
}

#define LT_HOOK(fn, num, prio) \
	{ .hook = (fn), .pf = NFPROTO_INET, .hooknum = (num), .priority = (prio) }

/* Confirm is last, at INT_MAX, but IPv6's in LOCAL_IN, which is the last but one.
 * Of hooks with one priority the one that came last runs first: ours must not
 * have that of confirm, which comes with the namespace's first rule.
 */
static const struct nf_hook_ops lt_hook_commit_ops[] = {
	LT_HOOK(lt_hook_commit, NF_INET_POST_ROUTING,
		NF_IP_PRI_CONNTRACK_CONFIRM - 1),
	LT_HOOK(lt_hook_commit_in, NF_INET_LOCAL_IN,
		NF_IP_PRI_CONNTRACK_CONFIRM - 2),
};

static const struct nf_hook_ops lt_hook_note_ops[] = {
	LT_HOOK(lt_hook_note, NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC - 1),
	LT_HOOK(lt_hook_note, NF_INET_LOCAL_IN, NF_IP_PRI_NAT_SRC - 1),
};

static const struct nf_hook_ops lt_hook_out_ops[] = {
	LT_HOOK(lt_hook_out, NF_INET_LOCAL_OUT, NF_IP_PRI_CONNTRACK + 1),
};

static const struct nf_hook_ops lt_hook_zone_ops[] = {
	LT_HOOK(lt_hook_zone, NF_INET_LOCAL_OUT, NF_IP_PRI_CONNTRACK - 1),
};

static const struct nf_hook_ops lt_hook_guard_ops[] = {
	LT_HOOK(lt_hook_guard, NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST + 1),
};

static const struct nf_hook_ops lt_hook_pass_ops[] = {
	LT_HOOK(lt_hook_pass, NF_INET_PRE_ROUTING, NF_IP_PRI_FIRST),
};

static const struct nf_hook_ops lt_hook_express_ops[] = {
	LT_HOOK(lt_hook_express, NF_INET_PRE_ROUTING, NF_IP_PRI_FIRST + 1),
	LT_HOOK(lt_hook_routed, NF_INET_PRE_ROUTING, NF_IP_PRI_LAST),
	LT_HOOK(lt_hook_express, NF_INET_LOCAL_IN, NF_IP_PRI_FIRST),
	LT_HOOK(lt_hook_accepted, NF_INET_LOCAL_IN,
		NF_IP_PRI_CONNTRACK_CONFIRM - 3),
};

static const struct nf_hook_ops lt_hook_heal_ops[] = {
	LT_HOOK(lt_hook_heal, NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST - 1),
	LT_HOOK(lt_hook_heal, NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST - 1),
	LT_HOOK(lt_hook_heal_leaving, NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC - 1),
};

/* Behind what a stage is named after, and where it has something to do. They come in this
 * order: what passes LOCAL_OUT's shall pass POST_ROUTING's, too; see lt_drop_is_here().
 */
#define LT_HOOK_STAGE(num, prio, stage) \
	{ .hook = lt_hook_trace, .pf = NFPROTO_INET, .hooknum = (num), \
	  .priority = (prio), .priv = (void *)NF_LOOPTRACK_STAGE_##stage }

static const struct nf_hook_ops lt_hook_trace_ops[] = {
	LT_HOOK_STAGE(NF_INET_PRE_ROUTING, NF_IP_PRI_FIRST, START),
	LT_HOOK_STAGE(NF_INET_PRE_ROUTING, NF_IP_PRI_RAW + 1, RAW),
	LT_HOOK_STAGE(NF_INET_PRE_ROUTING, NF_IP_PRI_CONNTRACK + 1, CONNTRACK),
	LT_HOOK_STAGE(NF_INET_PRE_ROUTING, NF_IP_PRI_MANGLE + 1, MANGLE),
	LT_HOOK_STAGE(NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST + 1, DSTNAT),
	LT_HOOK_STAGE(NF_INET_PRE_ROUTING, NF_IP_PRI_FILTER + 1, FILTER),
	LT_HOOK_STAGE(NF_INET_PRE_ROUTING, NF_IP_PRI_LAST, END),
	LT_HOOK_STAGE(NF_INET_LOCAL_IN, NF_IP_PRI_FIRST, START),
	LT_HOOK_STAGE(NF_INET_LOCAL_IN, NF_IP_PRI_MANGLE + 1, MANGLE),
	LT_HOOK_STAGE(NF_INET_LOCAL_IN, NF_IP_PRI_FILTER + 1, FILTER),
	LT_HOOK_STAGE(NF_INET_LOCAL_IN, NF_IP_PRI_SECURITY + 1, SECURITY),
	LT_HOOK_STAGE(NF_INET_LOCAL_IN, NF_IP_PRI_NAT_SRC + 1, SRCNAT),
	LT_HOOK_STAGE(NF_INET_LOCAL_IN, NF_IP_PRI_LAST, END),
	LT_HOOK_STAGE(NF_INET_FORWARD, NF_IP_PRI_FIRST, START),
	LT_HOOK_STAGE(NF_INET_FORWARD, NF_IP_PRI_MANGLE + 1, MANGLE),
	LT_HOOK_STAGE(NF_INET_FORWARD, NF_IP_PRI_FILTER + 1, FILTER),
	LT_HOOK_STAGE(NF_INET_FORWARD, NF_IP_PRI_SECURITY + 1, SECURITY),
	LT_HOOK_STAGE(NF_INET_FORWARD, NF_IP_PRI_LAST, END),
	LT_HOOK_STAGE(NF_INET_POST_ROUTING, NF_IP_PRI_FIRST, START),
	LT_HOOK_STAGE(NF_INET_POST_ROUTING, NF_IP_PRI_MANGLE + 1, MANGLE),
	LT_HOOK_STAGE(NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC + 1, SRCNAT),
	LT_HOOK_STAGE(NF_INET_POST_ROUTING, NF_IP_PRI_LAST, END),
	LT_HOOK_STAGE(NF_INET_LOCAL_OUT, NF_IP_PRI_FIRST, START),
	LT_HOOK_STAGE(NF_INET_LOCAL_OUT, NF_IP_PRI_RAW + 1, RAW),
	LT_HOOK_STAGE(NF_INET_LOCAL_OUT, NF_IP_PRI_CONNTRACK + 1, CONNTRACK),
	LT_HOOK_STAGE(NF_INET_LOCAL_OUT, NF_IP_PRI_MANGLE + 1, MANGLE),
	LT_HOOK_STAGE(NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST + 1, DSTNAT),
	LT_HOOK_STAGE(NF_INET_LOCAL_OUT, NF_IP_PRI_FILTER + 1, FILTER),
	LT_HOOK_STAGE(NF_INET_LOCAL_OUT, NF_IP_PRI_SECURITY + 1, SECURITY),
	LT_HOOK_STAGE(NF_INET_LOCAL_OUT, NF_IP_PRI_LAST, END),
};

static const struct {
	const struct nf_hook_ops *ops;
	unsigned int count;
} lt_hooks[] = {
	[LT_HOOK_COMMIT] = { lt_hook_commit_ops, ARRAY_SIZE(lt_hook_commit_ops) },
	[LT_HOOK_NOTE] = { lt_hook_note_ops, ARRAY_SIZE(lt_hook_note_ops) },
	[LT_HOOK_OUT] = { lt_hook_out_ops, ARRAY_SIZE(lt_hook_out_ops) },
	[LT_HOOK_ZONE] = { lt_hook_zone_ops, ARRAY_SIZE(lt_hook_zone_ops) },
	[LT_HOOK_GUARD] = { lt_hook_guard_ops, ARRAY_SIZE(lt_hook_guard_ops) },
	[LT_HOOK_PASS] = { lt_hook_pass_ops, ARRAY_SIZE(lt_hook_pass_ops) },
	[LT_HOOK_EXPRESS] = { lt_hook_express_ops, ARRAY_SIZE(lt_hook_express_ops) },
	[LT_HOOK_HEAL] = { lt_hook_heal_ops, ARRAY_SIZE(lt_hook_heal_ops) },
	[LT_HOOK_TRACE] = { lt_hook_trace_ops, ARRAY_SIZE(lt_hook_trace_ops) },
};

/**
 * lt_hook_register() - hook into a namespace, IPv4 and IPv6
 * @net: network namespace
 * @which: what for
 *
 * Context: may sleep.
 * Return: 0 or an error of nf_register_net_hooks(), with nothing registered.
 */
int lt_hook_register(struct net *net, enum lt_hook which)
{
	return nf_register_net_hooks(net, lt_hooks[which].ops,
				     lt_hooks[which].count);
}

/**
 * lt_hook_unregister() - undo lt_hook_register()
 * @net: network namespace
 * @which: what for
 *
 * Packets may be in the hooks for another RCU grace period.
 *
 * Context: may sleep.
 */
void lt_hook_unregister(struct net *net, enum lt_hook which)
{
	nf_unregister_net_hooks(net, lt_hooks[which].ops,
				lt_hooks[which].count);
}
