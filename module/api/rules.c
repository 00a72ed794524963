// SPDX-License-Identifier: GPL-2.0
/* Generic netlink: what would the NAT rules do with the first packet of a flow? */

#include <linux/err.h>
#include <linux/inetdevice.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <net/dst.h>
#include <net/genetlink.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "api/netlink.h"
#include "api/netlink_gen.h"
#include "core/route.h"
#include "core/rules.h"
#include "core/sock.h"
#include "net.h"
#include "report/nlmsg.h"

/*
 * The way of the packet:
 *
 *	sent here	route, with mark, device and user of the socket that sends it;
 *			LOCAL_OUT, route again if the address was changed,
 *			POST_ROUTING. By lo it comes back, and NAT asks no rules then.
 *	arriving	PRE_ROUTING, route; then LOCAL_IN if it is for this host,
 *			else POST_ROUTING
 *
 * So a request costs two runs of the rules at most.
 */

static_assert((int)NF_LOOPTRACK_HOOK_PRE_ROUTING == (int)NF_INET_PRE_ROUTING);
static_assert((int)NF_LOOPTRACK_HOOK_LOCAL_IN == (int)NF_INET_LOCAL_IN);
static_assert((int)NF_LOOPTRACK_HOOK_LOCAL_OUT == (int)NF_INET_LOCAL_OUT);
static_assert((int)NF_LOOPTRACK_HOOK_POST_ROUTING == (int)NF_INET_POST_ROUTING);

/**
 * struct lt_first - a first packet on its way
 * @msg: where the answer goes
 * @zone: conntrack zone
 * @flow: as its client sends it
 * @in: the device it comes by, or NULL
 * @is_marked: its mark was given, and is not that of the socket that sends it
 * @question: with the packet as it is now
 */
struct lt_first {
	struct sk_buff *msg;
	struct nf_conntrack_zone zone;
	struct nf_conntrack_tuple flow;
	struct net_device *in;
	bool is_marked;
	struct lt_question question;
};

static bool lt_rules_has_zero(const union nf_inet_addr *addr)
{
	static const union nf_inet_addr zero;

	return nf_inet_addr_cmp(addr, &zero);
}

/* What can be asked about at all. */
static int lt_rules_check_flow(const struct nf_conntrack_tuple *t,
			       struct genl_info *info)
{
	struct nlattr *proto = info->attrs[NF_LOOPTRACK_A_RULES_PROTOCOL];
	struct nlattr *flow = info->attrs[NF_LOOPTRACK_A_RULES_FLOW];

	if (!lt_rules_has_ports(t->dst.protonum)) {
		NL_SET_ERR_MSG_ATTR(info->extack, proto,
				    "the rules can be asked about TCP, UDP and SCTP");
		return -EPROTONOSUPPORT;
	}
	if (!t->src.u.all || !t->dst.u.all) {
		NL_SET_ERR_MSG_ATTR(info->extack, flow,
				    "a flow of this protocol has two ports");
		return -EINVAL;
	}
	if (lt_rules_has_zero(&t->src.u3) || lt_rules_has_zero(&t->dst.u3)) {
		NL_SET_ERR_MSG_ATTR(info->extack, flow,
				    "an address of zeros is none");
		return -EINVAL;
	}
	if (t->src.l3num == NFPROTO_IPV6 && !ipv6_mod_enabled()) {
		NL_SET_ERR_MSG_ATTR(info->extack, flow,
				    "IPv6 is disabled on this host");
		return -EAFNOSUPPORT;
	}

	return 0;
}

/* The device by which the packet comes, if it was given. */
static struct net_device *lt_rules_given_device(struct net *net, bool is_sent,
						struct genl_info *info)
{
	struct nlattr *in = info->attrs[NF_LOOPTRACK_A_RULES_IN];
	struct net_device *dev;

	if (!in)
		return NULL;
	if (is_sent) {
		NL_SET_ERR_MSG_ATTR(info->extack, in,
				    "the source is an address of this host: the packet comes by no device");
		return ERR_PTR(-EINVAL);
	}

	dev = dev_get_by_index_rcu(net, nla_get_u32(in));
	if (!dev) {
		NL_SET_ERR_MSG_ATTR(info->extack, in, "there is no such device");
		return ERR_PTR(-ENODEV);
	}
	if (dev->flags & IFF_LOOPBACK) {
		NL_SET_ERR_MSG_ATTR(info->extack, in,
				    "NAT asks no rules about what comes by the loopback device");
		return ERR_PTR(-EINVAL);
	}

	return dev;
}

/* The device to which the route to the packet's source leads. */
static struct net_device *
lt_rules_derived_device(struct net *net, const struct nf_conntrack_tuple *flow,
			struct genl_info *info)
{
	struct nf_conntrack_tuple back = {
		.src.l3num = flow->src.l3num,
		.dst.u3 = flow->src.u3,
	};
	struct dst_entry *dst = lt_route_output(net, NULL, &back, 0);
	struct net_device *dev;

	if (IS_ERR(dst)) {
		NL_SET_ERR_MSG(info->extack,
			       "there is no route to the source: say by which device the packet comes");
		return ERR_PTR(-EHOSTUNREACH);
	}

	/* The RCU read lock keeps it. */
	dev = dst->dev;
	dst_release(dst);
	if (dev->flags & IFF_LOOPBACK) {
		NL_SET_ERR_MSG(info->extack,
			       "the route to the source ends on this host: say by which device the packet comes");
		return ERR_PTR(-EINVAL);
	}

	return dev;
}

static enum nf_looptrack_answer lt_rules_answer(int err)
{
	switch (err) {
	case 0:
		return NF_LOOPTRACK_ANSWER_ASKED;
	case -ENOENT:
		return NF_LOOPTRACK_ANSWER_NO_NAT;
	case -ENOMEM:
	case -EBUSY:
		return NF_LOOPTRACK_ANSWER_BUSY;
	case -EXDEV:
		return NF_LOOPTRACK_ANSWER_NO_SOURCE;
	case -EPERM:
		return NF_LOOPTRACK_ANSWER_NO_FORWARDING;
	case -EHOSTUNREACH:
		return NF_LOOPTRACK_ANSWER_NO_ROUTE;
	default:
		return NF_LOOPTRACK_ANSWER_REFUSED;
	}
}

static int lt_rules_put_step(const struct lt_first *first, int result,
			     const struct lt_answer *answer)
{
	const struct lt_question *q = &first->question;
	struct nlattr *nest = nla_nest_start(first->msg, NF_LOOPTRACK_A_RULES_STEP);

	if (!nest ||
	    nla_put_u32(first->msg, NF_LOOPTRACK_A_STEP_HOOK, q->hook) ||
	    nla_put_u32(first->msg, NF_LOOPTRACK_A_STEP_ANSWER,
			lt_rules_answer(result)) ||
	    lt_nlmsg_put_tuple(first->msg, NF_LOOPTRACK_A_STEP_TUPLE, &q->packet) ||
	    (q->dev && nla_put_u32(first->msg, NF_LOOPTRACK_A_STEP_DEVICE,
				   q->dev->ifindex)) ||
	    (answer->changed &&
	     nla_put_flag(first->msg, NF_LOOPTRACK_A_STEP_IS_CHANGED)) ||
	    (answer->masqueraded &&
	     nla_put_flag(first->msg, NF_LOOPTRACK_A_STEP_IS_MASQUERADED)))
		return -EMSGSIZE;

	nla_nest_end(first->msg, nest);
	return 0;
}

/* The packet does not get to the rules of the hook, or behind them. */
static int lt_rules_put_end(struct lt_first *first, unsigned int hook,
			    struct net_device *dev, int why)
{
	static const struct lt_answer nothing;

	first->question.hook = hook;
	first->question.dev = dev;

	return lt_rules_put_step(first, why, &nothing);
}

/* Change the packet as the rules of the hook say. */
static void lt_rules_apply(struct lt_first *first, const struct lt_answer *answer)
{
	struct lt_question *q = &first->question;

	/* Rules of one hook mark a packet for those of the next. */
	q->marks = answer->marks;
	if (q->hook == NF_INET_PRE_ROUTING || q->hook == NF_INET_LOCAL_OUT) {
		q->packet.dst.u3 = answer->addr;
		q->packet.dst.u.all = answer->port;
		if (answer->changed)
			q->flow = &first->flow;
	} else {
		q->packet.src.u3 = answer->addr;
		q->packet.src.u.all = answer->port;
	}
}

/* Ask one hook, and change the packet as its rules say.
 * Return: 1 if it goes on, 0 if it doesn't, or -EMSGSIZE.
 */
static int lt_rules_step(struct lt_first *first, unsigned int hook,
			 struct net_device *dev, struct dst_entry *dst)
{
	struct lt_question *q = &first->question;
	struct lt_answer answer = {};
	int result, err;

	q->hook = hook;
	q->dev = dev;
	q->in = hook == NF_INET_POST_ROUTING ? first->in : NULL;
	q->dst = dst;
	result = lt_rules_ask(q, &answer);
	q->dst = NULL;

	if (!result)
		lt_rules_apply(first, &answer);
	err = lt_rules_put_step(first, result, &answer);

	return err ?: !result || result == -ENOENT;
}

static int lt_rules_put_leaves(struct lt_first *first,
			       const struct net_device *dev)
{
	if (dev->flags & IFF_LOOPBACK)
		return nla_put_flag(first->msg, NF_LOOPTRACK_A_RULES_IS_DELIVERED);

	return nla_put_u32(first->msg, NF_LOOPTRACK_A_RULES_OUT, dev->ifindex);
}

static struct dst_entry *lt_rules_route(const struct lt_first *first)
{
	const struct lt_question *q = &first->question;

	return lt_route_output(q->net, q->sk, &q->packet, q->marks.packet);
}

/* The socket that sends the flow, referenced, or NULL: none has these addresses and
 * ports yet.
 */
static struct sock *lt_rules_sender_get(const struct lt_question *q, int ifindex)
{
	struct sock *sk;

	if (q->packet.dst.protonum != IPPROTO_TCP)
		return lt_sock_server_get(q->net, &q->packet, ifindex);

	sk = lt_sock_find(q->net, &q->packet, NULL);
	if (!sk || sk_fullsock(sk))
		return sk;
	sock_gen_put(sk);
	return NULL;
}

/* Find the socket that sends the flow, and the route that it has. One that is bound to
 * another device than the route leads to for others is found if it is of TCP.
 */
static struct dst_entry *lt_rules_leave(struct lt_first *first)
{
	struct lt_question *q = &first->question;
	struct dst_entry *dst = lt_rules_route(first);

	q->sk = lt_rules_sender_get(q, IS_ERR(dst) ? 0 : dst->dev->ifindex);
	if (!q->sk)
		return dst;

	if (!first->is_marked)
		q->marks.packet = READ_ONCE(q->sk->sk_mark);
	if (!IS_ERR(dst))
		dst_release(dst);
	return lt_rules_route(first);
}

/* Return: 0 or -EMSGSIZE. */
static int lt_rules_put_sender(const struct lt_first *first)
{
	const struct lt_question *q = &first->question;

	if (nla_put_u32(first->msg, NF_LOOPTRACK_A_RULES_MARK, q->marks.packet))
		return -EMSGSIZE;

	return q->sk ? nla_put_u64_64bit(first->msg, NF_LOOPTRACK_A_RULES_SENDER,
					 lt_sock_cookie(q->sk),
					 NF_LOOPTRACK_A_RULES_PAD) : 0;
}

/* The hooks, with the first route. Return: 0 or -EMSGSIZE. */
static int lt_rules_walk_hooks(struct lt_first *first, struct dst_entry *dst)
{
	struct lt_question *q = &first->question;
	int go;

	if (IS_ERR(dst))
		return lt_rules_put_end(first, NF_INET_LOCAL_OUT, NULL, -EHOSTUNREACH);

	go = lt_rules_step(first, NF_INET_LOCAL_OUT, dst->dev, dst);
	/* As NAT does, which looks at the address only. */
	if (go > 0 && !nf_inet_addr_cmp(&q->packet.dst.u3, &first->flow.dst.u3)) {
		dst_release(dst);
		dst = lt_rules_route(first);
		if (IS_ERR(dst))
			return lt_rules_put_end(first, NF_INET_POST_ROUTING, NULL,
						-EHOSTUNREACH);
	}
	if (go > 0)
		go = lt_rules_step(first, NF_INET_POST_ROUTING, dst->dev, dst);
	if (go > 0)
		go = lt_rules_put_leaves(first, dst->dev);
	dst_release(dst);

	return go;
}

/* Return: 0 or -EMSGSIZE. */
static int lt_rules_walk_sent(struct lt_first *first)
{
	struct lt_question *q = &first->question;
	struct dst_entry *dst;
	int err;

	if (nla_put_flag(first->msg, NF_LOOPTRACK_A_RULES_IS_SENT))
		return -EMSGSIZE;

	dst = lt_rules_leave(first);
	err = lt_rules_put_sender(first);
	if (!err)
		err = lt_rules_walk_hooks(first, dst);
	else if (!IS_ERR(dst))
		dst_release(dst);
	if (q->sk)
		sock_gen_put(q->sk);

	return err;
}

/* Is what comes by the device, and is for another host, sent there? */
static bool lt_rules_is_forwarding(const struct lt_question *q)
{
	struct in_device *in_dev;

#if IS_ENABLED(CONFIG_IPV6)
	if (q->packet.src.l3num == NFPROTO_IPV6)
		return READ_ONCE(q->net->ipv6.devconf_all->forwarding);
#endif
	in_dev = __in_dev_get_rcu(q->dev);

	return in_dev && IN_DEV_FORWARD(in_dev);
}

/* Return: 0 or -EMSGSIZE. */
static int lt_rules_walk_arriving(struct lt_first *first)
{
	struct lt_question *q = &first->question;
	struct net_device *in = first->in;
	struct dst_entry *dst;
	int go, err;

	go = lt_rules_step(first, NF_INET_PRE_ROUTING, in, NULL);
	if (go <= 0)
		return go;

	dst = lt_route_input(q);
	if (IS_ERR(dst)) {
		err = PTR_ERR(dst);
		if (err == -EHOSTUNREACH && !lt_rules_is_forwarding(q))
			err = -EPERM;
		return lt_rules_put_end(first, NF_INET_FORWARD, NULL, err);
	}

	if (lt_route_is_delivered(dst, q->packet.src.l3num)) {
		go = lt_rules_step(first, NF_INET_LOCAL_IN, in, dst);
		if (go > 0)
			go = nla_put_flag(first->msg,
					  NF_LOOPTRACK_A_RULES_IS_DELIVERED);
	} else if (!lt_rules_is_forwarding(q)) {
		go = lt_rules_put_end(first, NF_INET_FORWARD, NULL, -EPERM);
	} else {
		go = lt_rules_step(first, NF_INET_POST_ROUTING, dst->dev, dst);
		if (go > 0)
			go = lt_rules_put_leaves(first, dst->dev);
	}
	dst_release(dst);

	return go;
}

static int lt_rules_put_question(const struct lt_first *first)
{
	return nla_put_u8(first->msg, NF_LOOPTRACK_A_RULES_PROTOCOL,
			  first->flow.dst.protonum) ?:
	       nla_put_u16(first->msg, NF_LOOPTRACK_A_RULES_ZONE, first->zone.id) ?:
	       lt_nlmsg_put_tuple(first->msg, NF_LOOPTRACK_A_RULES_FLOW,
				  &first->flow);
}

/* With RCU read lock. */
static int lt_rules_fill(struct lt_first *first, struct genl_info *info)
{
	const struct nf_conntrack_tuple *flow = &first->flow;
	struct net *net = first->question.net;
	bool is_sent = lt_sock_is_local(net, flow);
	struct net_device *in;
	int err;

	in = lt_rules_given_device(net, is_sent, info);
	if (!in && !is_sent)
		in = lt_rules_derived_device(net, flow, info);
	if (IS_ERR(in))
		return PTR_ERR(in);
	if (in && (netif_is_l3_slave(in) || netif_is_l3_master(in))) {
		NL_SET_ERR_MSG(info->extack,
			       "a packet that comes by a device of a VRF can't be asked about");
		return -EOPNOTSUPP;
	}

	err = lt_rules_put_question(first);
	if (err)
		return err;
	if (is_sent)
		return lt_rules_walk_sent(first);

	if (nla_put_u32(first->msg, NF_LOOPTRACK_A_RULES_MARK,
			first->question.marks.packet) ||
	    nla_put_u32(first->msg, NF_LOOPTRACK_A_RULES_IN, in->ifindex) ||
	    (!info->attrs[NF_LOOPTRACK_A_RULES_IN] &&
	     nla_put_flag(first->msg, NF_LOOPTRACK_A_RULES_IS_DERIVED)))
		return -EMSGSIZE;

	first->in = in;
	return lt_rules_walk_arriving(first);
}

int looptrack_nl_rules_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *zone = info->attrs[NF_LOOPTRACK_A_RULES_ZONE];
	struct nlattr *mark = info->attrs[NF_LOOPTRACK_A_RULES_MARK];
	struct lt_first first = {};
	void *hdr;
	int err;

	err = lt_netlink_parse_flow(&first.flow,
				    info->attrs[NF_LOOPTRACK_A_RULES_PROTOCOL],
				    info->attrs[NF_LOOPTRACK_A_RULES_FLOW],
				    info->extack);
	if (err)
		return err;
	err = lt_rules_check_flow(&first.flow, info);
	if (err)
		return err;

	nf_ct_zone_init(&first.zone, zone ? nla_get_u16(zone) : NF_CT_DEFAULT_ZONE_ID,
			NF_CT_DEFAULT_ZONE_DIR, 0);
	first.is_marked = mark;
	first.question = (struct lt_question) {
		.net = genl_info_net(info),
		.zone = &first.zone,
		.packet = first.flow,
		.marks.packet = mark ? nla_get_u32(mark) : 0,
		.is_traced = info->attrs[NF_LOOPTRACK_A_RULES_IS_TRACED],
	};
	first.msg = lt_netlink_answer(info, &hdr);
	if (!first.msg)
		return -ENOMEM;

	rcu_read_lock();
	err = lt_rules_fill(&first, info);
	rcu_read_unlock();

	return lt_netlink_send(first.msg, hdr, info, err);
}
