// SPDX-License-Identifier: GPL-2.0
/* Messages to user space: what all of them have in common. */

#include <net/genetlink.h>

#include "report/nlmsg.h"

#include <uapi/linux/nf_looptrack.h>

/* The family, while it is registered and has its multicast group: before and after,
 * its numbers may be those of another family. Written as user space is let in and
 * shut out, read by hooks under RCU.
 */
static const struct genl_family *lt_nlmsg_registered;

/**
 * lt_nlmsg_put_tuple() - write a tuple, as one attribute
 * @msg: message
 * @type: of the attribute
 * @t: tuple
 *
 * Return: 0 or -EMSGSIZE.
 */
int lt_nlmsg_put_tuple(struct sk_buff *msg, int type,
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
 * lt_nlmsg_tuple_size() - the room a tuple takes at most
 *
 * Return: bytes.
 */
size_t lt_nlmsg_tuple_size(void)
{
	return nla_total_size(2 * nla_total_size(sizeof(struct in6_addr)) +
			      2 * nla_total_size(sizeof(__be16)));
}

/**
 * lt_nlmsg_family() - the family that messages are sent by
 *
 * Context: RCU read lock, or a netlink request.
 * Return: NULL while user space is shut out.
 */
const struct genl_family *lt_nlmsg_family(void)
{
	/* Pairs with lt_nlmsg_open(): the family's numbers are there. */
	return smp_load_acquire(&lt_nlmsg_registered);
}

/**
 * lt_nlmsg_unicast() - send a message to one reader
 * @net: network namespace
 * @portid: netlink port of the reader
 * @cmd: enum nf_looptrack_cmd
 * @size: bytes that the attributes may have
 * @fill: puts the attributes
 * @what: for @fill
 * @lost: how many were lost since the last one that was sent. Told with this one, or
 *	one more.
 *
 * Context: softirq or process context, with RCU read lock; doesn't sleep.
 */
void lt_nlmsg_unicast(struct net *net, u32 portid, u8 cmd, size_t size,
		      lt_nlmsg_fill_t *fill, const void *what, atomic_t *lost)
{
	const struct genl_family *family = lt_nlmsg_family();
	u32 before = atomic_xchg(lost, 0);
	struct sk_buff *msg = NULL;
	void *hdr = NULL;

	if (family)
		msg = genlmsg_new(size, GFP_ATOMIC | __GFP_NOWARN);
	if (msg)
		hdr = genlmsg_put(msg, 0, 0, family, 0, cmd);
	if (!hdr || fill(msg, what, before)) {
		nlmsg_free(msg);
		goto err;
	}
	genlmsg_end(msg, hdr);
	if (!genlmsg_unicast(net, msg, portid))
		return;
err:
	atomic_add(before + 1, lost);
}

/**
 * lt_nlmsg_has_listeners() - is there a listener to events
 * @net: network namespace
 *
 * Context: RCU read lock; an event that is sent under the same one gets there.
 * Return: false if sending one is wasted or impossible.
 */
bool lt_nlmsg_has_listeners(struct net *net)
{
	const struct genl_family *family = lt_nlmsg_family();

	return family && genl_has_listeners(family, net, LT_NLMSG_GROUP_EVENTS);
}

/**
 * lt_nlmsg_open() - let hooks send messages
 * @family: registered
 *
 * Context: any.
 */
void lt_nlmsg_open(const struct genl_family *family)
{
	/* Pairs with lt_nlmsg_family(). */
	smp_store_release(&lt_nlmsg_registered, family);
}

/**
 * lt_nlmsg_close() - stop hooks from sending messages
 *
 * Context: may sleep. No message is being sent when it returns.
 */
void lt_nlmsg_close(void)
{
	WRITE_ONCE(lt_nlmsg_registered, NULL);
	synchronize_rcu();
}
