// SPDX-License-Identifier: GPL-2.0
/* Generic netlink: the family, the module and its counters, and what all commands use. */

#include <linux/module.h>
#include <net/genetlink.h>

#include "api/netlink.h"
#include "api/netlink_gen.h"
#include "net.h"
#include "netns.h"
#include "report/nlmsg.h"

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

/* Events show other users' flows. */
static const struct genl_multicast_group lt_netlink_groups[] = {
	[LT_NLMSG_GROUP_EVENTS] = {
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
		lt_nlmsg_open(&lt_netlink_family);

	return err;
}

/**
 * lt_netlink_exit() - shut user space out, while hooks may still run
 *
 * Context: may sleep.
 */
void lt_netlink_exit(void)
{
	lt_nlmsg_close();
	genl_unregister_family(&lt_netlink_family);
}
