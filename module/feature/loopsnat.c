// SPDX-License-Identifier: GPL-2.0
/* Feature loopsnat: what stays on the host keeps its source. */

#include <linux/inetdevice.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <net/addrconf.h>
#include <net/ip6_route.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include <net/route.h>

#include "core/ct.h"
#include "report/event.h"
#include "core/pass.h"
#include "feature/loopsnat.h"
#include "core/nat.h"
#include "core/new.h"
#include "core/rules.h"
#include "core/work.h"
#include "net.h"

/*
 * "-t nat -A POSTROUTING -j MASQUERADE", without the device that was meant, also
 * rewrites what the host sends to itself: services on the loopback see their
 * local clients under an address of the network. That is undone here, where the
 * rules have chosen and nothing is committed yet: so it costs other flows
 * nothing, and one that no rule has changed isn't counted as if one had.
 *
 * Some rules do mean the loopback: "-o lo -j SNAT", one for the addresses of this
 * host, or one whose source is 127.0.0.1, as DNS capture in a sidecar has. So the
 * rules are asked about a flow of the same client to another host, by another
 * device. Only if they would change that, too, did they not mean this one.
 *
 * The route decides. 127.0.0.1 that was DNATed to another host leaves by a real
 * device, where its source has to be another one, and isn't for us to touch.
 */

/* Devices that are looked at until one of use is found. */
#define LT_LOOPSNAT_DEVICES	64
/* Questions about one flow. */
#define LT_LOOPSNAT_QUESTIONS	3

/* A host that is none of ours: of addresses for documentation, which no route but
 * the default one leads to.
 */
static bool lt_loopsnat_elsewhere(struct net *net, struct nf_conntrack_tuple *t)
{
	struct nf_conntrack_tuple there = { .src.l3num = t->src.l3num };

	if (t->src.l3num == NFPROTO_IPV6)
		there.src.u3.in6 = (struct in6_addr) {{{
			0x20, 0x01, 0x0d, 0xb8, [14] = 0x71, [15] = 0x71
		}}};
	else
		there.src.u3.ip = htonl(0xcb007171);	/* 203.0.113.113 */
	t->dst.u3 = there.src.u3;

	return !lt_sock_is_local(net, &there);
}

/* A host beside the one that the flow is for. */
static bool lt_loopsnat_beside(struct net *net, struct nf_conntrack_tuple *t)
{
	struct nf_conntrack_tuple there = { .src.l3num = t->src.l3num };

	there.src.u3 = t->dst.u3;
	if (t->src.l3num == NFPROTO_IPV6)
		there.src.u3.in6.s6_addr[15] ^= 1;
	else
		there.src.u3.ip ^= htonl(1);
	t->dst.u3 = there.src.u3;

	return !lt_sock_is_local(net, &there);
}

#if IS_ENABLED(CONFIG_IPV6)
static struct dst_entry *lt_loopsnat_route6(struct net *net,
					    const struct nf_conntrack_tuple *t,
					    u32 mark)
{
	struct flowi6 fl6 = {
		.daddr = t->dst.u3.in6,
		.flowi6_mark = mark,
	};
	struct dst_entry *dst = ip6_route_output(net, NULL, &fl6);

	if (!dst->error)
		return dst;

	dst_release(dst);
	return NULL;
}
#else
static struct dst_entry *lt_loopsnat_route6(struct net *net,
					    const struct nf_conntrack_tuple *t,
					    u32 mark)
{
	return NULL;
}
#endif

static struct dst_entry *lt_loopsnat_route4(struct net *net,
					    const struct nf_conntrack_tuple *t,
					    u32 mark)
{
	struct flowi4 fl4 = {
		.daddr = t->dst.u3.ip,
		.flowi4_mark = mark,
	};
	struct rtable *rt = ip_route_output_key(net, &fl4);

	return IS_ERR(rt) ? NULL : &rt->dst;
}

/* The way there. Return: NULL if there is none, or none that leaves the host. */
static struct dst_entry *lt_loopsnat_route(struct net *net,
					   const struct nf_conntrack_tuple *t,
					   u32 mark)
{
	struct dst_entry *dst;

	if (t->src.l3num == NFPROTO_IPV6)
		dst = lt_loopsnat_route6(net, t, mark);
	else
		dst = lt_loopsnat_route4(net, t, mark);
	if (!dst || !(dst->dev->flags & IFF_LOOPBACK))
		return dst;

	dst_release(dst);
	return NULL;
}

static bool lt_loopsnat_has_address(const struct net_device *dev, u8 pf)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (pf == NFPROTO_IPV6) {
		const struct inet6_dev *idev = __in6_dev_get(dev);

		return idev && !list_empty(&idev->addr_list);
	}
#endif
	return inet_select_addr(dev, 0, RT_SCOPE_UNIVERSE);
}

/* A device that packets might leave by, other than the one given, or NULL. What is
 * masqueraded by it must find an address there.
 */
static struct net_device *lt_loopsnat_device(struct net *net, u8 pf,
					     const struct net_device *except)
{
	unsigned int looked = 0;
	struct net_device *dev;

	for_each_netdev_rcu(net, dev) {
		if (looked++ == LT_LOOPSNAT_DEVICES)
			break;
		if (dev != except && dev->flags & IFF_UP &&
		    !(dev->flags & IFF_LOOPBACK) &&
		    lt_loopsnat_has_address(dev, pf))
			return dev;
	}

	return NULL;
}

/* Would the rules change this one, too? To masquerade by a device that has the
 * packet's address changes nothing, but is a rule that matched.
 */
static bool lt_loopsnat_hits(const struct lt_question *question)
{
	struct lt_answer answer;

	return !lt_rules_ask(question, &answer) &&
	       (answer.changed || answer.masqueraded);
}

/* Ask about the packet in the question: by the device of its route, and by one
 * other; with the route of the flow's packet where there is none.
 */
static bool lt_loopsnat_ask(const struct lt_new *new,
			    struct lt_question *question, unsigned int *asked)
{
	struct net *net = new->state->net;
	struct dst_entry *route;
	bool hits = false;
	unsigned int i;

	route = lt_loopsnat_route(net, &question->packet, question->marks.packet);
	question->dst = route ?: skb_dst(new->skb);
	question->dev = route ? route->dev : NULL;
	for (i = 0; i < 2 && !hits; i++) {
		if (i || !question->dev)
			question->dev = lt_loopsnat_device(net, new->state->pf,
							   question->dev);
		if (!question->dev || *asked == LT_LOOPSNAT_QUESTIONS ||
		    (*asked && !lt_work_may(new->ln, 0, 2)))
			break;
		(*asked)++;
		hits = lt_loopsnat_hits(question);
	}
	if (route)
		dst_release(route);

	return hits;
}

/* Did the rule mean what stays on the host? Where nothing can be asked, it may
 * have.
 */
static bool lt_loopsnat_is_meant(const struct lt_new *new,
				 const struct nf_conntrack_tuple *plain)
{
	struct net *net = new->state->net;
	struct lt_question question = {
		.net = net,
		.zone = nf_ct_zone(new->ct),
		.hook = NF_INET_POST_ROUTING,
		.sk = new->state->sk && sk_fullsock(new->state->sk) ?
		      new->state->sk : NULL,
		.marks = lt_nat_marks_before(new),
	};
	const struct nf_conntrack_tuple *reply;
	struct nf_conntrack_tuple chosen = {};
	struct nf_conntrack_tuple sent;
	unsigned int asked = 0;

	reply = lt_ct_tuple(new->ct, IP_CT_DIR_REPLY);
	chosen.src.l3num = reply->src.l3num;
	chosen.src.u3 = reply->dst.u3;
	if (chosen.src.l3num == NFPROTO_IPV4 ?
	    ipv4_is_loopback(chosen.src.u3.ip) :
	    ipv6_addr_loopback(&chosen.src.u3.in6))
		return true;

	if (!nf_ct_invert_tuple(&sent, plain))
		return true;
	sent.dst.dir = IP_CT_DIR_ORIGINAL;
	if (READ_ONCE(new->ct->status) & IPS_DST_NAT)
		question.flow = lt_ct_tuple(new->ct, IP_CT_DIR_ORIGINAL);

	question.packet = sent;
	if (lt_loopsnat_elsewhere(net, &question.packet) &&
	    lt_loopsnat_ask(new, &question, &asked))
		return false;

	question.packet = sent;
	return !lt_loopsnat_beside(net, &question.packet) ||
	       !lt_loopsnat_ask(new, &question, &asked);
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

static noinline unsigned int lt_loopsnat_settle_loop(struct lt_new *new,
						     bool enforce)
{
	struct net *net = new->state->net;
	unsigned int verdict = NF_ACCEPT;
	struct lt_net *ln = new->ln;
	struct nf_conntrack_tuple plain;
	struct lt_event ev;
	int err = -EBUSY;

	if (!lt_ct_plain_reply(new->ct, &plain) ||
	    !lt_loopsnat_is_changed(new->ct, &plain) ||
	    lt_loopsnat_is_meant(new, &plain))
		return NF_ACCEPT;

	lt_stats_inc(&ln->stats, LOOPSNAT_SEEN);
	lt_event_describe(&ev, NF_LOOPTRACK_FEATURE_LOOPSNAT, new->ct,
			  new->state->sk);
	ev.wanted = plain;
	ev.got = *lt_ct_tuple(new->ct, IP_CT_DIR_REPLY);
	if (!enforce) {
		lt_event_send(net, &ev, NF_LOOPTRACK_DECISION_OBSERVED);
		return NF_ACCEPT;
	}

	if (lt_ct_is_exclusive(new->skb, new->ct)) {
		new->unsnat = true;
		err = lt_nat_repick(new, &verdict);
	}
	if (err || verdict != NF_ACCEPT) {
		new->unsnat = false;
		lt_event_send(net, &ev, NF_LOOPTRACK_DECISION_UNABLE);
		return verdict;
	}

	ev.got = *lt_ct_tuple(new->ct, IP_CT_DIR_REPLY);
	lt_stats_inc(&ln->stats, LOOPSNAT_RESTORED);
	lt_event_send(net, &ev, NF_LOOPTRACK_DECISION_RESTORED);

	return NF_ACCEPT;
}

/**
 * lt_loopsnat_settle() - give a flow that stays on the host its source back
 * @new: the flow; rules are kept off it from now on if that was done
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 * Return: a netfilter verdict; NF_ACCEPT unless memory ran out in NAT.
 */
unsigned int lt_loopsnat_settle(struct lt_new *new)
{
	u8 mode = lt_mode(new->ln, NF_LOOPTRACK_FEATURE_LOOPSNAT);

	if (mode == NF_LOOPTRACK_MODE_OFF ||
	    new->state->hook != NF_INET_POST_ROUTING ||
	    !(READ_ONCE(new->ct->status) & IPS_SRC_NAT) ||
	    !lt_loop_stays(new->skb, new->state->pf))
		return NF_ACCEPT;

	return lt_loopsnat_settle_loop(new, mode == NF_LOOPTRACK_MODE_ENFORCE);
}
