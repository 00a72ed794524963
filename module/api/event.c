// SPDX-License-Identifier: GPL-2.0
/* Generic netlink: the last decisions of the caller's network namespace. */

#include <net/genetlink.h>

#include "api/netlink.h"
#include "api/netlink_gen.h"
#include "net.h"
#include "report/event.h"
#include "report/history.h"

/**
 * struct lt_api_walk - how far a listing has come
 * @next: number of the event to go on with
 * @end: number of the last one to be listed: a slow reader comes to an end, too
 */
struct lt_api_walk {
	u64 next;
	u64 end;
};

static int lt_api_fill_event(struct sk_buff *msg, struct netlink_callback *cb,
			     const struct lt_event *ev)
{
	void *hdr = genlmsg_put(msg, NETLINK_CB(cb->skb).portid,
				cb->nlh->nlmsg_seq, &lt_netlink_family,
				NLM_F_MULTI, NF_LOOPTRACK_CMD_EVENT_GET);
	int err;

	if (!hdr)
		return -EMSGSIZE;

	err = lt_event_put(msg, sock_net(cb->skb->sk)->user_ns, ev);
	if (err)
		genlmsg_cancel(msg, hdr);
	else
		genlmsg_end(msg, hdr);

	return err;
}

int looptrack_nl_event_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct lt_net *ln = lt_net(genl_info_net(info));
	struct nf_conntrack_tuple t;
	struct lt_event ev;
	struct sk_buff *msg;
	void *hdr;
	int err;

	err = lt_netlink_parse_flow(&t, info->attrs[NF_LOOPTRACK_A_EVENT_PROTOCOL],
				    info->attrs[NF_LOOPTRACK_A_EVENT_FLOW],
				    info->extack);
	if (err)
		return err;

	if (!lt_history_find(ln->history, &t, &ev)) {
		NL_SET_ERR_MSG(info->extack, "no decision about it is remembered");
		return -ENOENT;
	}

	msg = lt_netlink_answer(info, &hdr);
	if (!msg)
		return -ENOMEM;

	return lt_netlink_send(msg, hdr, info,
			       lt_event_put(msg, ln->net->user_ns, &ev));
}

int looptrack_nl_event_get_dumpit(struct sk_buff *msg, struct netlink_callback *cb)
{
	struct lt_net *ln = lt_net(sock_net(cb->skb->sk));
	struct lt_api_walk *walk = (struct lt_api_walk *)cb->ctx;
	struct lt_event ev;

	BUILD_BUG_ON(sizeof(*walk) > sizeof(cb->ctx));

	if (nlmsg_attrlen(cb->nlh, GENL_HDRLEN)) {
		NL_SET_ERR_MSG(cb->extack, "all events are listed, none is picked");
		return -EINVAL;
	}

	if (!walk->next) {
		walk->next = 1;
		walk->end = lt_history_last(ln->history);
	}
	while (lt_history_next(ln->history, &walk->next, &ev) &&
	       walk->next <= walk->end && !lt_api_fill_event(msg, cb, &ev))
		walk->next++;

	return msg->len;
}
