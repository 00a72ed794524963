// SPDX-License-Identifier: GPL-2.0
/* Generic netlink: traces begin by a command and end with the socket that began them. */

#include <linux/netlink.h>
#include <linux/notifier.h>
#include <linux/slab.h>
#include <net/genetlink.h>

#include "api/netlink_gen.h"
#include "api/pkttrace.h"
#include "modes.h"
#include "report/drop.h"
#include "report/pkttrace.h"

static atomic_t lt_pkttrace_ids;

/* The probe and the hooks of tracers, as long as there are any. What undoes cannot fail. */
static int lt_pkttrace_update(struct lt_net *ln)
{
	int err = 0;

	if (!list_empty(&ln->tracers))
		err = lt_drop_start(ln);
	if (!err)
		err = lt_modes_update_hooks(ln);
	if (list_empty(&ln->tracers))
		lt_drop_stop(ln);

	return err;
}

/* Send the packets of a flow to a socket. Return: 0; -ENOSPC if enough is traced
 * already; -ENOMEM; or an error of lt_drop_start() or nf_register_net_hooks().
 */
static int lt_pkttrace_start(struct lt_net *ln, const struct lt_tracer *wanted)
{
	struct lt_tracer *tr = kmemdup(wanted, sizeof(*wanted), GFP_KERNEL);
	unsigned int count = 0;
	struct list_head *pos;
	int err;

	if (!tr)
		return -ENOMEM;

	tr->id = atomic_inc_return(&lt_pkttrace_ids);
	mutex_lock(&ln->lock);
	list_for_each(pos, &ln->tracers)
		count++;
	err = count < LT_TRACERS_MAX ? 0 : -ENOSPC;
	if (!err) {
		list_add_tail_rcu(&tr->list, &ln->tracers);
		err = lt_pkttrace_update(ln);
		if (err) {
			list_del_rcu(&tr->list);
			lt_pkttrace_update(ln);
		}
	}
	mutex_unlock(&ln->lock);
	if (err)
		kfree_rcu(tr, rcu);

	return err;
}

/* Stop the traces of a socket. The last one takes the hooks along. */
static void lt_pkttrace_stop(struct lt_net *ln, u32 portid)
{
	struct lt_tracer *tr, *next;

	mutex_lock(&ln->lock);
	list_for_each_entry_safe(tr, next, &ln->tracers, list) {
		if (tr->portid != portid)
			continue;
		list_del_rcu(&tr->list);
		kfree_rcu(tr, rcu);
	}
	lt_pkttrace_update(ln);
	mutex_unlock(&ln->lock);
}

/* One end of a flow to be traced, whose attributes are those given. */
static int lt_pkttrace_parse_end(struct lt_tracer *tr, struct lt_tracer_end *end,
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
	if (lt_pkttrace_parse_end(&tr, &tr.src, tb[NF_LOOPTRACK_A_TUPLE_SRC4],
				  tb[NF_LOOPTRACK_A_TUPLE_SRC6],
				 tb[NF_LOOPTRACK_A_TUPLE_SPORT]) ||
	    lt_pkttrace_parse_end(&tr, &tr.dst, tb[NF_LOOPTRACK_A_TUPLE_DST4],
				  tb[NF_LOOPTRACK_A_TUPLE_DST6],
				 tb[NF_LOOPTRACK_A_TUPLE_DPORT])) {
		NL_SET_ERR_MSG_ATTR(info->extack, flow,
				    "a flow has addresses of one family");
		return -EINVAL;
	}

	err = lt_pkttrace_start(lt_net(genl_info_net(info)), &tr);
	if (err == -ENOSPC)
		NL_SET_ERR_MSG(info->extack,
			       "no more than 8 flows are traced at a time");

	return err;
}

/* A socket is gone, whoever closed it. */
static int lt_pkttrace_released(struct notifier_block *nb, unsigned long event,
				void *ptr)
{
	const struct netlink_notify *n = ptr;
	struct lt_net *ln;

	if (event != NETLINK_URELEASE || n->protocol != NETLINK_GENERIC)
		return NOTIFY_DONE;

	ln = lt_net(n->net);
	/* One that starts here has a socket of its own. */
	if (!list_empty_careful(&ln->tracers))
		lt_pkttrace_stop(ln, n->portid);

	return NOTIFY_DONE;
}

static struct notifier_block lt_pkttrace_notifier = {
	.notifier_call = lt_pkttrace_released,
};

/**
 * lt_pkttrace_init() - learn of sockets that are closed
 *
 * Context: may sleep.
 * Return: 0 or an error of netlink_register_notifier().
 */
int __init lt_pkttrace_init(void)
{
	return netlink_register_notifier(&lt_pkttrace_notifier);
}

/**
 * lt_pkttrace_exit() - undo lt_pkttrace_init()
 *
 * Context: may sleep.
 */
void lt_pkttrace_exit(void)
{
	netlink_unregister_notifier(&lt_pkttrace_notifier);
}
