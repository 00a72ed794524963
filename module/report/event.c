// SPDX-License-Identifier: GPL-2.0
/* Events: decisions told to user space, as multicasts and as tracepoints. */

#include <linux/ktime.h>
#include <net/genetlink.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "core/ct.h"
#include "net.h"
#include "report/event.h"
#include "report/history.h"
#include "report/nlmsg.h"
#include "report/trace.h"

static bool lt_event_has(const struct nf_conntrack_tuple *t)
{
	return t->dst.protonum;
}

static int lt_event_put_tuple(struct sk_buff *skb, int type,
			      const struct nf_conntrack_tuple *t)
{
	return lt_event_has(t) ? lt_nlmsg_put_tuple(skb, type, t) : 0;
}

static int lt_event_put_owner(struct sk_buff *skb, int type,
			      struct user_namespace *ns,
			      const struct lt_who *who)
{
	struct nlattr *nest;

	if (!who->known)
		return 0;

	nest = nla_nest_start(skb, type);
	if (!nest ||
	    (who->cookie &&
	     nla_put_u64_64bit(skb, NF_LOOPTRACK_A_OWNER_COOKIE, who->cookie,
			       NF_LOOPTRACK_A_OWNER_PAD)) ||
	    nla_put_u32(skb, NF_LOOPTRACK_A_OWNER_UID,
			from_kuid_munged(ns, who->uid)))
		return -EMSGSIZE;

	nla_nest_end(skb, nest);
	return 0;
}

/**
 * lt_event_put() - write an event
 * @skb: message, begun
 * @ns: user namespace of those who read it
 * @ev: the event
 *
 * Return: 0 or -EMSGSIZE.
 */
int lt_event_put(struct sk_buff *skb, struct user_namespace *ns,
		 const struct lt_event *ev)
{
	if (nla_put_u64_64bit(skb, NF_LOOPTRACK_A_EVENT_TIME, ev->time,
			      NF_LOOPTRACK_A_EVENT_PAD) ||
	    nla_put_u32(skb, NF_LOOPTRACK_A_EVENT_FEATURE, ev->feature) ||
	    nla_put_u32(skb, NF_LOOPTRACK_A_EVENT_DECISION, ev->decision) ||
	    nla_put_u8(skb, NF_LOOPTRACK_A_EVENT_PROTOCOL,
		       ev->flow.dst.protonum) ||
	    nla_put_u16(skb, NF_LOOPTRACK_A_EVENT_ZONE, ev->zone) ||
	    lt_event_put_tuple(skb, NF_LOOPTRACK_A_EVENT_FLOW, &ev->flow) ||
	    lt_event_put_tuple(skb, NF_LOOPTRACK_A_EVENT_WANTED, &ev->wanted) ||
	    lt_event_put_tuple(skb, NF_LOOPTRACK_A_EVENT_GOT, &ev->got) ||
	    lt_event_put_tuple(skb, NF_LOOPTRACK_A_EVENT_HOLDER, &ev->holder) ||
	    nla_put_u32(skb, NF_LOOPTRACK_A_EVENT_PICKS, ev->picks) ||
	    lt_event_put_owner(skb, NF_LOOPTRACK_A_EVENT_OWNER, ns,
			       &ev->owner) ||
	    lt_event_put_owner(skb, NF_LOOPTRACK_A_EVENT_HOLDER_OWNER, ns,
			       &ev->holder_owner))
		return -EMSGSIZE;

	return 0;
}

/* The largest event: four IPv6 tuples, two owners. */
static size_t lt_event_size(void)
{
	size_t owner = nla_total_size(nla_total_size_64bit(sizeof(u64)) +
				      nla_total_size(sizeof(u32)));

	return nla_total_size_64bit(sizeof(u64)) +
	       3 * nla_total_size(sizeof(u32)) +
	       nla_total_size(sizeof(u8)) + nla_total_size(sizeof(u16)) +
	       4 * lt_nlmsg_tuple_size() + 2 * owner;
}

static int lt_event_multicast(struct net *net, const struct lt_event *ev)
{
	const struct genl_family *family = lt_nlmsg_family();
	struct sk_buff *skb = genlmsg_new(lt_event_size(), GFP_ATOMIC);
	void *hdr;

	if (!skb)
		return -ENOMEM;

	/* The family may have gone since there was a listener. */
	hdr = family ? genlmsg_put(skb, 0, 0, family, 0, NF_LOOPTRACK_CMD_EVENT) :
		       NULL;
	if (!hdr || lt_event_put(skb, net->user_ns, ev)) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);

	return genlmsg_multicast_netns(family, net, skb, 0,
				       LT_NLMSG_GROUP_EVENTS, GFP_ATOMIC);
}

static void lt_event_trace(const struct net *net, const struct lt_event *ev)
{
	switch (ev->feature) {
	case NF_LOOPTRACK_FEATURE_CLASH:
		trace_looptrack_clash(net, ev);
		break;
	case NF_LOOPTRACK_FEATURE_STALE:
		trace_looptrack_stale(net, ev);
		break;
	case NF_LOOPTRACK_FEATURE_PORTS:
		trace_looptrack_ports(net, ev);
		break;
	case NF_LOOPTRACK_FEATURE_LINGER:
		trace_looptrack_linger(net, ev);
		break;
	case NF_LOOPTRACK_FEATURE_LOOPSNAT:
		trace_looptrack_loopsnat(net, ev);
		break;
	case NF_LOOPTRACK_FEATURE_LOOPGUARD:
		trace_looptrack_loopguard(net, ev);
		break;
	case NF_LOOPTRACK_FEATURE_LISTENERS:
		trace_looptrack_listeners(net, ev);
		break;
	case NF_LOOPTRACK_FEATURE_HEAL:
		trace_looptrack_heal(net, ev);
		break;
	default:
		break;
	}
}

/**
 * lt_event_hears_linger() - is there anybody to tell a decision of linger to
 * @net: network namespace
 *
 * For the one feature whose decisions are not rare.
 *
 * Context: RCU read lock.
 * Return: false if to describe it would be wasted.
 */
bool lt_event_hears_linger(struct net *net)
{
	return trace_looptrack_linger_enabled() ||
	       lt_nlmsg_has_listeners(net);
}

/**
 * lt_event_describe() - begin to tell about a flow
 * @ev: to be filled; of what isn't said here all is absent
 * @feature: which is about to decide
 * @ct: the flow's entry
 * @sk: its local socket, or NULL
 *
 * While the entry is there: it may be gone when there is something to tell.
 */
void lt_event_describe(struct lt_event *ev, enum nf_looptrack_feature feature,
		       const struct nf_conn *ct, const struct sock *sk)
{
	*ev = (struct lt_event) {
		.feature = feature,
		.zone = nf_ct_zone(ct)->id,
		.flow = *lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL),
		.owner = lt_sock_who(sk),
	};
}

/**
 * lt_event_send() - tell a decision to whoever listens, or asks later
 * @net: network namespace it was taken in; no other hears of it
 * @ev: about what
 * @decision: what
 *
 * What can't be delivered is counted, and a listener whose queue is full learns it
 * by ENOBUFS.
 *
 * Context: RCU read lock; doesn't sleep.
 */
void lt_event_send(struct net *net, struct lt_event *ev,
		   enum nf_looptrack_decision decision)
{
	int err;

	ev->decision = decision;
	ev->time = ktime_get_real_ns();
	lt_event_trace(net, ev);
	if (ev->feature != NF_LOOPTRACK_FEATURE_LINGER)
		lt_history_note(lt_net(net)->history, ev);

	if (!lt_nlmsg_has_listeners(net))
		return;

	err = lt_event_multicast(net, ev);
	/* ESRCH: the last listener has just left. */
	if (err && err != -ESRCH)
		lt_stats_inc(&lt_net(net)->stats, EVENTS_LOST);
}
