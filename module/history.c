// SPDX-License-Identifier: GPL-2.0
/* The last decisions, for those who ask when it is over. */

#include <linux/minmax.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <net/genetlink.h>

#include "event.h"
#include "history.h"
#include "netlink.h"
#include "netlink_gen.h"
#include "netns.h"

/*
 * A flow that was refused, moved or taken for another is gone when somebody asks
 * why. Decisions are rare, and a namespace without any has no history that takes
 * memory. Only those of linger are not: there is one for every flow that ends.
 * They are told to who listens, and are not kept.
 */
#define LT_HISTORY_MAX	4096U

static unsigned int lt_history_max __read_mostly = 256;
module_param_named(history, lt_history_max, uint, 0644);
MODULE_PARM_DESC(history,
		 "How many decisions a namespace remembers (default 256, at most 4096)");

/**
 * struct lt_past - a decision that was taken
 * @list: under the lock of struct lt_history
 * @nr: how many there have been, with this one
 * @ev: what was decided
 */
struct lt_past {
	struct list_head list;
	u64 nr;
	struct lt_event ev;
};

/**
 * struct lt_history_walk - how far a listing has come
 * @next: number of the event to go on with
 * @end: number of the last one to be told: who reads slowly comes to an end, too
 */
struct lt_history_walk {
	u64 next;
	u64 end;
};

/**
 * lt_history_init() - prepare for remembering
 * @history: where
 */
void lt_history_init(struct lt_history *history)
{
	spin_lock_init(&history->lock);
	INIT_LIST_HEAD(&history->list);
}

static struct lt_past *lt_history_oldest(struct lt_history *history)
{
	struct lt_past *past;

	past = list_first_entry(&history->list, struct lt_past, list);
	list_del(&past->list);
	history->count--;

	return past;
}

/**
 * lt_history_free() - forget all
 * @history: of a namespace in which nothing is decided any more
 */
void lt_history_free(struct lt_history *history)
{
	while (history->count)
		kfree(lt_history_oldest(history));
}

/**
 * lt_history_note() - remember a decision
 * @history: of the namespace it was taken in
 * @ev: it, complete
 *
 * Where there are enough, or no memory for one more, the oldest makes room.
 *
 * Context: any but hard interrupts; doesn't sleep.
 */
void lt_history_note(struct lt_history *history, const struct lt_event *ev)
{
	unsigned int max = min(READ_ONCE(lt_history_max), LT_HISTORY_MAX);
	struct lt_past *past = NULL;

	spin_lock_bh(&history->lock);
	/* Was it lowered? Some at a time. */
	if (history->count > max)
		kfree(lt_history_oldest(history));
	if (history->count < max)
		past = kmalloc(sizeof(*past), GFP_ATOMIC | __GFP_NOWARN);
	if (!past && history->count)
		past = lt_history_oldest(history);
	history->last++;
	if (past) {
		past->nr = history->last;
		past->ev = *ev;
		list_add_tail(&past->list, &history->list);
		history->count++;
	}
	spin_unlock_bh(&history->lock);
}

static int lt_history_fill(struct sk_buff *msg, struct netlink_callback *cb,
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

/* Is it about the flow that has this tuple, in one of its directions? */
static bool lt_history_is_about(const struct lt_event *ev,
				const struct nf_conntrack_tuple *t)
{
	return nf_ct_tuple_equal(&ev->flow, t) ||
	       nf_ct_tuple_equal(&ev->wanted, t) ||
	       nf_ct_tuple_equal(&ev->got, t) ||
	       nf_ct_tuple_equal(&ev->holder, t);
}

int looptrack_nl_event_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct lt_history *history = &lt_net(genl_info_net(info))->history;
	struct nf_conntrack_tuple t;
	const struct lt_past *past;
	struct sk_buff *msg;
	void *hdr;
	int err;

	err = lt_netlink_parse_flow(&t, info->attrs[NF_LOOPTRACK_A_EVENT_PROTOCOL],
				    info->attrs[NF_LOOPTRACK_A_EVENT_FLOW],
				    info->extack);
	if (err)
		return err;

	msg = lt_netlink_answer(info, &hdr);
	if (!msg)
		return -ENOMEM;

	err = -ENOENT;
	spin_lock_bh(&history->lock);
	list_for_each_entry_reverse(past, &history->list, list) {
		if (lt_history_is_about(&past->ev, &t)) {
			err = lt_event_put(msg, genl_info_net(info)->user_ns,
					   &past->ev);
			break;
		}
	}
	spin_unlock_bh(&history->lock);

	if (err == -ENOENT)
		NL_SET_ERR_MSG(info->extack, "no decision about it is remembered");

	return lt_netlink_send(msg, hdr, info, err);
}

int looptrack_nl_event_get_dumpit(struct sk_buff *msg, struct netlink_callback *cb)
{
	struct lt_history *history = &lt_net(sock_net(cb->skb->sk))->history;
	struct lt_history_walk *walk = (struct lt_history_walk *)cb->ctx;
	const struct lt_past *past;

	BUILD_BUG_ON(sizeof(*walk) > sizeof(cb->ctx));

	if (nlmsg_attrlen(cb->nlh, GENL_HDRLEN)) {
		NL_SET_ERR_MSG(cb->extack, "all events are listed, none is picked");
		return -EINVAL;
	}

	spin_lock_bh(&history->lock);
	if (!walk->next) {
		walk->next = 1;
		walk->end = history->last;
	}
	list_for_each_entry(past, &history->list, list) {
		if (past->nr < walk->next)
			continue;
		if (past->nr > walk->end || lt_history_fill(msg, cb, &past->ev))
			break;
		walk->next = past->nr + 1;
	}
	spin_unlock_bh(&history->lock);

	return msg->len;
}
