// SPDX-License-Identifier: GPL-2.0
/* Generic netlink: modes and counters of the caller's network namespace. */

#include <linux/module.h>
#include <net/genetlink.h>

#include "netlink.h"
#include "netlink_gen.h"
#include "netns.h"

/**
 * lt_netlink_answer() - begin an answer
 * @info: the request
 * @hdr: set to where the message begins
 *
 * Context: may sleep.
 * Return: the message, to be ended by lt_netlink_send(), or NULL for want of
 * memory.
 */
struct sk_buff *lt_netlink_answer(struct genl_info *info, void **hdr)
{
	struct sk_buff *msg = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);

	if (!msg)
		return NULL;

	*hdr = genlmsg_put_reply(msg, info, &lt_netlink_family, 0,
				 info->genlhdr->cmd);
	if (!*hdr) {
		nlmsg_free(msg);
		return NULL;
	}

	return msg;
}

/**
 * lt_netlink_send() - send an answer, or none
 * @msg: the message; consumed
 * @hdr: where it begins
 * @info: the request
 * @err: 0, or why there is no answer
 *
 * Context: may sleep.
 * Return: @err, or an error of genlmsg_reply().
 */
int lt_netlink_send(struct sk_buff *msg, void *hdr, struct genl_info *info,
		    int err)
{
	if (err) {
		nlmsg_free(msg);
		return err;
	}

	genlmsg_end(msg, hdr);
	return genlmsg_reply(msg, info);
}

/**
 * lt_netlink_put_tuple() - write a tuple, as one attribute
 * @msg: message
 * @type: of the attribute
 * @t: tuple
 *
 * Return: 0 or -EMSGSIZE.
 */
int lt_netlink_put_tuple(struct sk_buff *msg, int type,
			 const struct nf_conntrack_tuple *t)
{
	struct nlattr *nest = nla_nest_start(msg, type);

	if (!nest)
		return -EMSGSIZE;

	if (t->src.l3num == NFPROTO_IPV4) {
		if (nla_put_in_addr(msg, NF_LOOPTRACK_A_TUPLE_SRC4, t->src.u3.ip) ||
		    nla_put_in_addr(msg, NF_LOOPTRACK_A_TUPLE_DST4, t->dst.u3.ip))
			return -EMSGSIZE;
	} else {
		if (nla_put_in6_addr(msg, NF_LOOPTRACK_A_TUPLE_SRC6, &t->src.u3.in6) ||
		    nla_put_in6_addr(msg, NF_LOOPTRACK_A_TUPLE_DST6, &t->dst.u3.in6))
			return -EMSGSIZE;
	}

	if (nla_put_be16(msg, NF_LOOPTRACK_A_TUPLE_SPORT, t->src.u.all) ||
	    nla_put_be16(msg, NF_LOOPTRACK_A_TUPLE_DPORT, t->dst.u.all))
		return -EMSGSIZE;

	nla_nest_end(msg, nest);
	return 0;
}

/**
 * lt_netlink_tuple_size() - the room a tuple takes at most
 *
 * Return: bytes.
 */
size_t lt_netlink_tuple_size(void)
{
	return nla_total_size(2 * nla_total_size(sizeof(struct in6_addr)) +
			      2 * nla_total_size(sizeof(__be16)));
}

/**
 * lt_netlink_parse_flow() - read a tuple that was asked for, all of it
 * @t: to be filled
 * @proto: attribute with the protocol, or NULL
 * @tuple: attribute with the rest, or NULL
 * @extack: says what is wrong
 *
 * Return: 0 or -EINVAL, or an error of the policy.
 */
int lt_netlink_parse_flow(struct nf_conntrack_tuple *t,
			  const struct nlattr *proto, const struct nlattr *tuple,
			  struct netlink_ext_ack *extack)
{
	struct nlattr *tb[NF_LOOPTRACK_A_TUPLE_MAX + 1];
	int err;

	if (!proto || !tuple) {
		NL_SET_ERR_MSG(extack, "a flow needs both protocol and tuple");
		return -EINVAL;
	}

	err = nla_parse_nested(tb, NF_LOOPTRACK_A_TUPLE_MAX, tuple,
			       looptrack_tuple_nl_policy, extack);
	if (err)
		return err;

	*t = (struct nf_conntrack_tuple) { .dst.protonum = nla_get_u8(proto) };
	if (tb[NF_LOOPTRACK_A_TUPLE_SRC4] && tb[NF_LOOPTRACK_A_TUPLE_DST4] &&
	    !tb[NF_LOOPTRACK_A_TUPLE_SRC6] && !tb[NF_LOOPTRACK_A_TUPLE_DST6]) {
		t->src.l3num = NFPROTO_IPV4;
		t->src.u3.ip = nla_get_in_addr(tb[NF_LOOPTRACK_A_TUPLE_SRC4]);
		t->dst.u3.ip = nla_get_in_addr(tb[NF_LOOPTRACK_A_TUPLE_DST4]);
	} else if (tb[NF_LOOPTRACK_A_TUPLE_SRC6] && tb[NF_LOOPTRACK_A_TUPLE_DST6] &&
		   !tb[NF_LOOPTRACK_A_TUPLE_SRC4] && !tb[NF_LOOPTRACK_A_TUPLE_DST4]) {
		t->src.l3num = NFPROTO_IPV6;
		t->src.u3.in6 = nla_get_in6_addr(tb[NF_LOOPTRACK_A_TUPLE_SRC6]);
		t->dst.u3.in6 = nla_get_in6_addr(tb[NF_LOOPTRACK_A_TUPLE_DST6]);
	} else {
		NL_SET_ERR_MSG_ATTR(extack, tuple,
				    "a flow has two addresses of one family");
		return -EINVAL;
	}

	if (tb[NF_LOOPTRACK_A_TUPLE_SPORT])
		t->src.u.all = nla_get_be16(tb[NF_LOOPTRACK_A_TUPLE_SPORT]);
	if (tb[NF_LOOPTRACK_A_TUPLE_DPORT])
		t->dst.u.all = nla_get_be16(tb[NF_LOOPTRACK_A_TUPLE_DPORT]);

	return 0;
}

int looptrack_nl_module_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *msg;
	int err = 0;
	void *hdr;

	msg = lt_netlink_answer(info, &hdr);
	if (!msg)
		return -ENOMEM;

	if (nla_put_string(msg, NF_LOOPTRACK_A_MODULE_VERSION, LT_VERSION) ||
	    nla_put_u32(msg, NF_LOOPTRACK_A_MODULE_NETNS_DEFAULT,
			lt_netns_default()))
		err = -EMSGSIZE;

	return lt_netlink_send(msg, hdr, info, err);
}

static int lt_netlink_put_mark(struct sk_buff *msg,
			       const struct lt_passmark *mark)
{
	if (!mark->mask)
		return 0;

	return nla_put_u32(msg, NF_LOOPTRACK_A_FEATURE_MARK, mark->value) ?:
	       nla_put_u32(msg, NF_LOOPTRACK_A_FEATURE_MARK_MASK, mark->mask);
}

static int lt_netlink_put_proxy(struct sk_buff *msg, const struct lt_net *ln,
				const struct lt_proxy *proxy)
{
	struct nlattr *nest = nla_nest_start(msg, NF_LOOPTRACK_A_FEATURE_PROXY);
	int err;

	if (!nest)
		return -EMSGSIZE;

	switch (proxy->by) {
	case NF_LOOPTRACK_A_PROXY_PORT:
		err = nla_put_u16(msg, proxy->by, proxy->port);
		break;
	case NF_LOOPTRACK_A_PROXY_UID:
		err = nla_put_u32(msg, proxy->by,
				  from_kuid_munged(ln->net->user_ns, proxy->uid));
		break;
	default:
		err = nla_put_u64_64bit(msg, proxy->by, proxy->cgroup,
					NF_LOOPTRACK_A_PROXY_PAD);
		break;
	}
	if (err)
		return err;

	nla_nest_end(msg, nest);
	return 0;
}

static int lt_netlink_put_proxies(struct sk_buff *msg, const struct lt_net *ln)
{
	const struct lt_proxies *proxies;
	unsigned int i;
	int err = 0;

	proxies = rcu_dereference_protected(ln->proxies,
					    lockdep_is_held(&ln->lock));
	for (i = 0; proxies && i < proxies->count && !err; i++)
		err = lt_netlink_put_proxy(msg, ln, &proxies->proxy[i]);

	return err;
}

/* With the namespace's lock held. */
static int lt_netlink_put_feature(struct sk_buff *msg, const struct lt_net *ln,
				  unsigned int id)
{
	struct nlattr *nest = nla_nest_start(msg, NF_LOOPTRACK_A_CONFIG_FEATURE);

	if (!nest ||
	    nla_put_u32(msg, NF_LOOPTRACK_A_FEATURE_ID, id) ||
	    nla_put_u32(msg, NF_LOOPTRACK_A_FEATURE_MODE, ln->mode[id]) ||
	    nla_put_u32(msg, NF_LOOPTRACK_A_FEATURE_DEFAULT,
			lt_feature_default(id)) ||
	    (lt_feature_supported(id) &&
	     nla_put_flag(msg, NF_LOOPTRACK_A_FEATURE_SUPPORTED)) ||
	    (id == NF_LOOPTRACK_FEATURE_PASSMARK &&
	     lt_netlink_put_mark(msg, &ln->passmark)) ||
	    (id == NF_LOOPTRACK_FEATURE_LOOPGUARD &&
	     lt_netlink_put_proxies(msg, ln)))
		return -EMSGSIZE;

	nla_nest_end(msg, nest);
	return 0;
}

int looptrack_nl_feature_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct lt_net *ln = lt_net(genl_info_net(info));
	struct sk_buff *msg;
	unsigned int i;
	int err = 0;
	void *hdr;

	msg = lt_netlink_answer(info, &hdr);
	if (!msg)
		return -ENOMEM;

	/* The lock, so that nobody sees half of another one's change. */
	mutex_lock(&ln->lock);
	for (i = 0; i < LT_FEATURE_COUNT && !err; i++)
		err = lt_netlink_put_feature(msg, ln, i);
	mutex_unlock(&ln->lock);

	return lt_netlink_send(msg, hdr, info, err);
}

/* What the policy can't say. */
static int lt_netlink_check_feature(struct nlattr *attr, struct nlattr **tb,
				    unsigned long given,
				    struct netlink_ext_ack *extack)
{
	u32 id;

	if (tb[NF_LOOPTRACK_A_FEATURE_DEFAULT] ||
	    tb[NF_LOOPTRACK_A_FEATURE_SUPPORTED]) {
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "default and supported can only be read");
		return -EINVAL;
	}

	if (!tb[NF_LOOPTRACK_A_FEATURE_ID] || !tb[NF_LOOPTRACK_A_FEATURE_MODE]) {
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "a feature needs both id and mode");
		return -EINVAL;
	}

	id = nla_get_u32(tb[NF_LOOPTRACK_A_FEATURE_ID]);
	if (!lt_feature_supported(id)) {
		NL_SET_ERR_MSG_ATTR(extack, tb[NF_LOOPTRACK_A_FEATURE_ID],
				    "this module does not support the feature");
		return -EOPNOTSUPP;
	}

	if (given & BIT(id)) {
		NL_SET_ERR_MSG_ATTR(extack, tb[NF_LOOPTRACK_A_FEATURE_ID],
				    "the feature is given twice");
		return -EINVAL;
	}

	return 0;
}

/* The mark is there if it was given before, too: it is never taken back. */
static int lt_netlink_parse_mark(const struct lt_net *ln, struct nlattr *attr,
				 struct nlattr **tb, struct lt_modes *modes,
				 struct netlink_ext_ack *extack)
{
	struct nlattr *value = tb[NF_LOOPTRACK_A_FEATURE_MARK];
	struct nlattr *mask = tb[NF_LOOPTRACK_A_FEATURE_MARK_MASK];
	u32 id = nla_get_u32(tb[NF_LOOPTRACK_A_FEATURE_ID]);

	if (id != NF_LOOPTRACK_FEATURE_PASSMARK) {
		if (!value && !mask)
			return 0;
		NL_SET_ERR_MSG_ATTR(extack, value ?: mask,
				    "only passmark has a mark");
		return -EINVAL;
	}

	if (!value && !mask) {
		if (READ_ONCE(ln->passmark.mask) ||
		    modes->mode[id] == NF_LOOPTRACK_MODE_OFF)
			return 0;
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "passmark needs a mark to set");
		return -EINVAL;
	}

	if (!value || !mask) {
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "a mark needs both value and mask");
		return -EINVAL;
	}

	modes->passmark.value = nla_get_u32(value);
	modes->passmark.mask = nla_get_u32(mask);
	if (!modes->passmark.mask) {
		NL_SET_ERR_MSG_ATTR(extack, mask, "the mask has no bits");
		return -EINVAL;
	}
	if (modes->passmark.value & ~modes->passmark.mask) {
		NL_SET_ERR_MSG_ATTR(extack, value,
				    "the mark has bits outside of its mask");
		return -EINVAL;
	}

	return 0;
}

static int lt_netlink_parse_proxy(const struct lt_net *ln, struct nlattr *attr,
				  struct lt_proxy *proxy,
				  struct netlink_ext_ack *extack)
{
	struct nlattr *tb[NF_LOOPTRACK_A_PROXY_MAX + 1];
	struct nlattr *port, *uid, *cgroup;
	int err;

	err = nla_parse_nested(tb, NF_LOOPTRACK_A_PROXY_MAX, attr,
			       looptrack_proxy_nl_policy, extack);
	if (err)
		return err;

	port = tb[NF_LOOPTRACK_A_PROXY_PORT];
	uid = tb[NF_LOOPTRACK_A_PROXY_UID];
	cgroup = tb[NF_LOOPTRACK_A_PROXY_CGROUP];
	if (!!port + !!uid + !!cgroup != 1) {
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "a proxy has one of port, uid and cgroup");
		return -EINVAL;
	}

	if (port) {
		proxy->by = NF_LOOPTRACK_A_PROXY_PORT;
		proxy->port = nla_get_u16(port);
	} else if (uid) {
		proxy->by = NF_LOOPTRACK_A_PROXY_UID;
		proxy->uid = make_kuid(ln->net->user_ns, nla_get_u32(uid));
		if (!uid_valid(proxy->uid)) {
			NL_SET_ERR_MSG_ATTR(extack, uid,
					    "there is no such user in the namespace");
			return -EINVAL;
		}
	} else {
		proxy->by = NF_LOOPTRACK_A_PROXY_CGROUP;
		proxy->cgroup = nla_get_u64(cgroup);
		if (!IS_ENABLED(CONFIG_SOCK_CGROUP_DATA)) {
			NL_SET_ERR_MSG_ATTR(extack, cgroup,
					    "this kernel does not keep the cgroups of sockets");
			return -EOPNOTSUPP;
		}
	}

	return 0;
}

/* What it leaves in modes is for the caller to free, even if it fails. */
static int lt_netlink_parse_proxies(const struct lt_net *ln, struct nlattr *attr,
				    struct nlattr **tb, struct lt_modes *modes,
				    struct netlink_ext_ack *extack)
{
	struct nlattr *some = tb[NF_LOOPTRACK_A_FEATURE_PROXY];
	struct nlattr *none = tb[NF_LOOPTRACK_A_FEATURE_NO_PROXY];
	struct lt_proxies *proxies;
	struct nlattr *nest;
	int err, rem;

	if (!some && !none)
		return 0;

	if (nla_get_u32(tb[NF_LOOPTRACK_A_FEATURE_ID]) !=
	    NF_LOOPTRACK_FEATURE_LOOPGUARD) {
		NL_SET_ERR_MSG_ATTR(extack, some ?: none,
				    "only loopguard has proxies");
		return -EINVAL;
	}
	if (some && none) {
		NL_SET_ERR_MSG_ATTR(extack, none,
				    "there is a proxy or there is none");
		return -EINVAL;
	}

	proxies = kzalloc(sizeof(*proxies), GFP_KERNEL);
	if (!proxies)
		return -ENOMEM;
	modes->proxies = proxies;

	nla_for_each_nested(nest, attr, rem) {
		if (nla_type(nest) != NF_LOOPTRACK_A_FEATURE_PROXY)
			continue;
		if (proxies->count == LT_PROXIES_MAX) {
			NL_SET_ERR_MSG_ATTR(extack, nest,
					    "no more than 8 proxies are known at a time");
			return -ENOSPC;
		}
		err = lt_netlink_parse_proxy(ln, nest,
					     &proxies->proxy[proxies->count],
					     extack);
		if (err)
			return err;
		proxies->count++;
	}

	return 0;
}

/* One feature of a request. */
static int lt_netlink_parse_feature(const struct lt_net *ln, struct nlattr *attr,
				    struct lt_modes *modes,
				    struct netlink_ext_ack *extack)
{
	struct nlattr *tb[NF_LOOPTRACK_A_FEATURE_MAX + 1];
	int err;
	u32 id;

	err = nla_parse_nested(tb, NF_LOOPTRACK_A_FEATURE_MAX, attr,
			       looptrack_feature_entry_nl_policy, extack);
	if (err)
		return err;

	err = lt_netlink_check_feature(attr, tb, modes->given, extack);
	if (err)
		return err;

	id = nla_get_u32(tb[NF_LOOPTRACK_A_FEATURE_ID]);
	modes->mode[id] = nla_get_u32(tb[NF_LOOPTRACK_A_FEATURE_MODE]);
	__set_bit(id, &modes->given);

	err = lt_netlink_parse_mark(ln, attr, tb, modes, extack);
	if (err)
		return err;

	return lt_netlink_parse_proxies(ln, attr, tb, modes, extack);
}

int looptrack_nl_feature_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct lt_net *ln = lt_net(genl_info_net(info));
	struct lt_modes modes = {};
	struct nlattr *attr;
	int err, rem;

	nlmsg_for_each_attr(attr, info->nlhdr, GENL_HDRLEN, rem) {
		if (nla_type(attr) != NF_LOOPTRACK_A_CONFIG_FEATURE)
			continue;

		err = lt_netlink_parse_feature(ln, attr, &modes, info->extack);
		if (err)
			goto free;
	}

	err = -EINVAL;
	if (!modes.given) {
		NL_SET_ERR_MSG(info->extack, "no feature is given");
		goto free;
	}

	err = lt_netns_set_modes(ln->net, &modes);
	if (!err)
		return 0;
free:
	kfree(modes.proxies);
	return err;
}

int looptrack_nl_stats_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct lt_net *ln = lt_net(genl_info_net(info));
	struct sk_buff *msg;
	unsigned int i;
	int err = 0;
	void *hdr;

	msg = lt_netlink_answer(info, &hdr);
	if (!msg)
		return -ENOMEM;

	mutex_lock(&ln->lock);
	for (i = LT_STAT_FIRST; i < LT_STAT_COUNT && !err; i++)
		err = nla_put_u64_64bit(msg, i, lt_stats_read(&ln->stats, i),
					NF_LOOPTRACK_A_STATS_PAD);
	mutex_unlock(&ln->lock);

	return lt_netlink_send(msg, hdr, info, err);
}

int looptrack_nl_stats_reset_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct lt_net *ln = lt_net(genl_info_net(info));

	mutex_lock(&ln->lock);
	lt_stats_reset(&ln->stats);
	mutex_unlock(&ln->lock);

	return 0;
}

/* One end of a flow to be traced, whose attributes are those given. */
static int lt_netlink_parse_end(struct lt_tracer *tr, struct lt_tracer_end *end,
				const struct nlattr *addr4,
				const struct nlattr *addr6,
				const struct nlattr *port)
{
	u8 family = addr4 ? NFPROTO_IPV4 : addr6 ? NFPROTO_IPV6 : tr->family;

	if ((addr4 && addr6) ||
	    (tr->family != NFPROTO_UNSPEC && tr->family != family))
		return -EINVAL;

	tr->family = family;
	end->has_addr = addr4 || addr6;
	if (addr4)
		end->addr.ip = nla_get_in_addr(addr4);
	if (addr6)
		end->addr.in6 = nla_get_in6_addr(addr6);
	if (port)
		end->port = nla_get_be16(port);

	return 0;
}

int looptrack_nl_trace_start_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *flow = info->attrs[NF_LOOPTRACK_A_TRACE_FLOW];
	struct nlattr *proto = info->attrs[NF_LOOPTRACK_A_TRACE_PROTOCOL];
	struct nlattr *tb[NF_LOOPTRACK_A_TUPLE_MAX + 1];
	struct lt_tracer tr = { .portid = info->snd_portid };
	int err;

	if (!flow || !proto) {
		NL_SET_ERR_MSG(info->extack,
			       "a trace needs both protocol and flow");
		return -EINVAL;
	}

	err = nla_parse_nested(tb, NF_LOOPTRACK_A_TUPLE_MAX, flow,
			       looptrack_tuple_nl_policy, info->extack);
	if (err)
		return err;

	tr.protocol = nla_get_u8(proto);
	if (lt_netlink_parse_end(&tr, &tr.src, tb[NF_LOOPTRACK_A_TUPLE_SRC4],
				 tb[NF_LOOPTRACK_A_TUPLE_SRC6],
				 tb[NF_LOOPTRACK_A_TUPLE_SPORT]) ||
	    lt_netlink_parse_end(&tr, &tr.dst, tb[NF_LOOPTRACK_A_TUPLE_DST4],
				 tb[NF_LOOPTRACK_A_TUPLE_DST6],
				 tb[NF_LOOPTRACK_A_TUPLE_DPORT])) {
		NL_SET_ERR_MSG_ATTR(info->extack, flow,
				    "a flow has addresses of one family");
		return -EINVAL;
	}

	err = lt_tracer_start(lt_net(genl_info_net(info)), &tr);
	if (err == -ENOSPC)
		NL_SET_ERR_MSG(info->extack,
			       "no more than 8 flows are traced at a time");

	return err;
}

/* Events show other users' flows. */
static const struct genl_multicast_group lt_netlink_groups[] = {
	[LT_NETLINK_GROUP_EVENTS] = {
		.name = NF_LOOPTRACK_MCGRP_EVENTS,
		.flags = GENL_MCAST_CAP_NET_ADMIN,
	},
};

struct genl_family lt_netlink_family __ro_after_init = {
	.name = NF_LOOPTRACK_GENL_NAME,
	.version = NF_LOOPTRACK_GENL_VERSION,
	.netnsok = true,
	/* struct lt_net has a lock of its own. */
	.parallel_ops = true,
	.module = THIS_MODULE,
	.ops = looptrack_nl_ops,
	.n_ops = ARRAY_SIZE(looptrack_nl_ops),
	.mcgrps = lt_netlink_groups,
	.n_mcgrps = ARRAY_SIZE(lt_netlink_groups),
};

/* The family has its group. Until it has and once it gives it up, its number
 * may be another family's. Hooks read it under RCU.
 */
static bool lt_netlink_open;

/**
 * lt_netlink_has_listeners() - does anybody listen to events
 * @net: network namespace
 *
 * Context: RCU read lock; an event that is sent under the same one gets there.
 * Return: false if sending one is wasted or impossible.
 */
bool lt_netlink_has_listeners(struct net *net)
{
	/* Pairs with lt_netlink_init(): the family's numbers are there. */
	return smp_load_acquire(&lt_netlink_open) &&
	       genl_has_listeners(&lt_netlink_family, net,
				  LT_NETLINK_GROUP_EVENTS);
}

/**
 * lt_netlink_init() - let user space in
 *
 * Context: may sleep.
 * Return: 0 or an error of genl_register_family().
 */
int __init lt_netlink_init(void)
{
	int err = genl_register_family(&lt_netlink_family);

	if (!err)
		/* Pairs with lt_netlink_has_listeners(). */
		smp_store_release(&lt_netlink_open, true);

	return err;
}

/**
 * lt_netlink_exit() - shut user space out, while hooks may still run
 *
 * Context: may sleep.
 */
void lt_netlink_exit(void)
{
	WRITE_ONCE(lt_netlink_open, false);
	/* Wait for the events that are being sent. */
	synchronize_rcu();
	genl_unregister_family(&lt_netlink_family);
}
