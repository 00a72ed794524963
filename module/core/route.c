// SPDX-License-Identifier: GPL-2.0
/* Routes of packets that are not there. */

#include <linux/bottom_half.h>
#include <linux/err.h>
#include <linux/inetdevice.h>
#include <linux/netfilter_ipv6.h>
#include <linux/skbuff.h>
#include <net/ip.h>
#include <net/ip6_fib.h>
#include <net/ip6_route.h>
#include <net/route.h>
#include <net/sock.h>

#include "core/route.h"
#include "core/rules.h"

/* The device that a socket is bound to, or 0. */
static int lt_route_device(const struct sock *sk)
{
	return sk ? READ_ONCE(sk->sk_bound_dev_if) : 0;
}

#if IS_ENABLED(CONFIG_IPV6)
static struct dst_entry *lt_route_output6(struct net *net, const struct sock *sk,
					  const struct nf_conntrack_tuple *t,
					  u32 mark)
{
	struct flowi6 fl6 = {
		.saddr = t->src.u3.in6,
		.daddr = t->dst.u3.in6,
		.flowi6_proto = t->dst.protonum,
		.fl6_sport = t->src.u.all,
		.fl6_dport = t->dst.u.all,
		.flowi6_oif = lt_route_device(sk),
		.flowi6_mark = mark,
		.flowi6_uid = sock_net_uid(net, sk),
	};
	struct dst_entry *dst = ip6_route_output(net, sk, &fl6);

	if (!dst->error)
		return dst;

	dst_release(dst);
	return ERR_PTR(-EHOSTUNREACH);
}

static int lt_route_input6(struct sk_buff *skb)
{
	const struct nf_ipv6_ops *ops = nf_get_ipv6_ops();

	if (!ops)
		return -EAFNOSUPPORT;

	ops->route_input(skb);

	return 0;
}
#else
static struct dst_entry *lt_route_output6(struct net *net, const struct sock *sk,
					  const struct nf_conntrack_tuple *t,
					  u32 mark)
{
	return ERR_PTR(-EAFNOSUPPORT);
}

static int lt_route_input6(struct sk_buff *skb)
{
	return -EAFNOSUPPORT;
}
#endif

static struct dst_entry *lt_route_output4(struct net *net, const struct sock *sk,
					  const struct nf_conntrack_tuple *t,
					  u32 mark)
{
	struct flowi4 fl4 = {
		.saddr = t->src.u3.ip,
		.daddr = t->dst.u3.ip,
		.flowi4_proto = t->dst.protonum,
		.fl4_sport = t->src.u.all,
		.fl4_dport = t->dst.u.all,
		.flowi4_oif = lt_route_device(sk),
		.flowi4_mark = mark,
		.flowi4_uid = sock_net_uid(net, sk),
		/* As for a packet that NAT has changed: see ip_route_me_harder(). */
		.flowi4_flags = FLOWI_FLAG_ANYSRC,
	};
	struct rtable *rt = ip_route_output_key(net, &fl4);

	return IS_ERR(rt) ? ERR_CAST(rt) : &rt->dst;
}

/**
 * lt_route_output() - the route of a packet that this host sends
 * @net: network namespace
 * @sk: full socket that sends it, whose device and user count; or NULL, and the user is
 *	root of the namespace
 * @t: the packet; of IPv6 only if that is enabled
 * @mark: its mark
 *
 * IPsec policies are not looked up.
 *
 * Context: any but hard interrupts; doesn't sleep.
 * Return: the route, for the caller to release; or ERR_PTR() if there is none.
 */
struct dst_entry *lt_route_output(struct net *net, const struct sock *sk,
				  const struct nf_conntrack_tuple *t, u32 mark)
{
	if (t->src.l3num == NFPROTO_IPV6)
		return lt_route_output6(net, sk, t, mark);

	return lt_route_output4(net, sk, t, mark);
}

/**
 * lt_route_input() - the route of a packet that arrives
 * @question: the packet, its device and mark
 *
 * The kernel's own function looks it up, as for "ip route get ... iif". It logs and
 * counts addresses that can't be, as it does for a packet.
 *
 * Context: any but hard interrupts, with RCU read lock; doesn't sleep.
 * Return: the route, for the caller to release. Or ERR_PTR(): -EXDEV if no packet of
 * that source is taken by that device, -EHOSTUNREACH if there is no route or IPv4
 * does not forward by that device, -ENOMEM for want of memory.
 */
struct dst_entry *lt_route_input(const struct lt_question *question)
{
	const struct nf_conntrack_tuple *t = &question->packet;
	struct sk_buff *skb = lt_rules_packet(question);
	struct dst_entry *dst;
	int err;

	if (!skb)
		return ERR_PTR(-ENOMEM);

	local_bh_disable();
	if (t->src.l3num == NFPROTO_IPV6)
		err = lt_route_input6(skb);
	else
		err = ip_route_input_noref(skb, t->dst.u3.ip, t->src.u3.ip, 0,
					   question->dev);
	local_bh_enable();

	dst = skb_dst(skb);
	if (err)
		dst = ERR_PTR(-EXDEV);
	else if (!dst || dst->error || !dst_hold_safe(dst))
		dst = ERR_PTR(-EHOSTUNREACH);
	consume_skb(skb);

	return dst;
}

/**
 * lt_route_is_delivered() - is a packet that arrives for this host
 * @dst: from lt_route_input()
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 *
 * Context: any.
 * Return: false if it is forwarded.
 */
bool lt_route_is_delivered(const struct dst_entry *dst, u8 family)
{
	if (family == NFPROTO_IPV6)
		return container_of(dst, struct rt6_info, dst)->rt6i_flags &
		       (RTF_LOCAL | RTF_ANYCAST);

	return container_of(dst, struct rtable, dst)->rt_flags & RTCF_LOCAL;
}
