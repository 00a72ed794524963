// SPDX-License-Identifier: GPL-2.0
/* A question to the NAT rules: what would they do with this packet? */

#include <linux/bottom_half.h>
#include <linux/icmp.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/percpu.h>
#include <linux/sctp.h>
#include <linux/sched/clock.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/dst.h>
#include <net/ip6_checksum.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_nat.h>
#include <net/sock.h>

#include "core/ct.h"
#include "core/nathook.h"
#include "core/rules.h"
#include "core/work.h"
#include "net.h"

/*
 * No table of rules can be read from here, and there are three kinds of them. So
 * they are asked in the way in which the kernel asks: NAT's own function gets a
 * packet, which was made for this, and an entry, which no packet will ever be
 * matched to. What it writes into the entry is the answer. Then both are freed.
 *
 * That function is nf_nat_inet_fn(), with the argument of the hook function. The
 * hook function itself calls it and then looks up another route for what was
 * changed, and another IPsec policy. The route has nothing to do with the answer,
 * and a failed look-up is counted in the namespace's statistics.
 *
 * Only the NAT chains of one hook run. What they do besides choosing can't be
 * avoided: rules count the packet; "limit", "quota" and "recent" use it up, sets
 * are added to, a LOG rule in a NAT chain logs, one that copies the packet sends the
 * copy, and one that chooses at random chooses anew. For the time of the question
 * NAT lists the entry by its source, as it does with any entry: another flow of the
 * same client's address and port may get the same source by it. conntrack counts the
 * entry as long as it is there, in no statistics.
 */

/* A question is being asked on this CPU: by BHs off nothing else runs there. */
static DEFINE_PER_CPU(bool, lt_rules_asking);

/**
 * lt_rules_has_ports() - is it a protocol with ports, that can be asked about
 * @proto: IP protocol number
 *
 * Context: any.
 * Return: true for TCP, UDP and SCTP.
 */
bool lt_rules_has_ports(u8 proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP ||
	       proto == IPPROTO_SCTP;
}

static bool lt_rules_knows(u8 proto)
{
	return lt_rules_has_ports(proto) || proto == IPPROTO_ICMP ||
	       proto == IPPROTO_ICMPV6;
}

/* Does NAT choose the source at that hook? */
static bool lt_rules_is_source(const struct lt_question *q)
{
	return q->hook == NF_INET_POST_ROUTING || q->hook == NF_INET_LOCAL_IN;
}

/* Is it on its way out? */
static bool lt_rules_leaves(const struct lt_question *q)
{
	return q->hook == NF_INET_POST_ROUTING || q->hook == NF_INET_LOCAL_OUT;
}

/* A checksum that is not the packet's. Rules that reject check it before they send an
 * error or a RST. A question must send neither.
 */
static __sum16 lt_rules_wrong_sum(const struct sk_buff *skb,
				  const struct nf_conntrack_tuple *t)
{
	unsigned int len = skb->len - skb_transport_offset(skb);
	__wsum sum = csum_partial(skb_transport_header(skb), len, 0);
	const __sum16 one = (__force __sum16)htons(1);
	__sum16 right;

	if (t->src.l3num == NFPROTO_IPV6)
		right = csum_ipv6_magic(&t->src.u3.in6, &t->dst.u3.in6, len,
					t->dst.protonum, sum);
	else
		right = csum_tcpudp_magic(t->src.u3.ip, t->dst.u3.ip, len,
					  t->dst.protonum, sum);

	return right == one ? (__force __sum16)htons(2) : one;
}

/* What begins a flow of that protocol: a SYN, an INIT without its chunk, an echo
 * request.
 */
static void lt_rules_put_ports(struct sk_buff *skb,
			       const struct nf_conntrack_tuple *t)
{
	struct icmphdr *icmp;
	struct sctphdr *sctp;
	struct tcphdr *th;
	struct udphdr *uh;

	skb_set_transport_header(skb, skb->len);
	switch (t->dst.protonum) {
	case IPPROTO_TCP:
		th = skb_put_zero(skb, sizeof(*th));
		th->source = t->src.u.tcp.port;
		th->dest = t->dst.u.tcp.port;
		th->doff = sizeof(*th) / 4;
		th->syn = 1;
		th->window = htons(65535);
		th->check = lt_rules_wrong_sum(skb, t);
		break;
	case IPPROTO_UDP:
		uh = skb_put_zero(skb, sizeof(*uh));
		uh->source = t->src.u.udp.port;
		uh->dest = t->dst.u.udp.port;
		uh->len = htons(sizeof(*uh));
		uh->check = lt_rules_wrong_sum(skb, t);
		break;
	case IPPROTO_SCTP:
		sctp = skb_put_zero(skb, sizeof(*sctp));
		sctp->source = t->src.u.sctp.port;
		sctp->dest = t->dst.u.sctp.port;
		break;
	default:
		/* ICMPv6 has the same layout. */
		icmp = skb_put_zero(skb, sizeof(*icmp));
		icmp->type = t->dst.u.icmp.type;
		icmp->code = t->dst.u.icmp.code;
		icmp->un.echo.id = t->src.u.icmp.id;
		break;
	}
}

static void lt_rules_put_ipv4(struct sk_buff *skb,
			      const struct nf_conntrack_tuple *t)
{
	struct iphdr *iph = skb_put_zero(skb, sizeof(*iph));

	lt_rules_put_ports(skb, t);
	iph->version = 4;
	iph->ihl = sizeof(*iph) / 4;
	iph->tot_len = htons(skb->len);
	iph->frag_off = htons(IP_DF);
	iph->ttl = 64;
	iph->protocol = t->dst.protonum;
	iph->saddr = t->src.u3.ip;
	iph->daddr = t->dst.u3.ip;
	ip_send_check(iph);
	skb->protocol = htons(ETH_P_IP);
	/* Without a policy look-up, which might ask a daemon for keys. */
	IPCB(skb)->flags = IPSKB_XFRM_TRANSFORMED;
}

static void lt_rules_put_ipv6(struct sk_buff *skb,
			      const struct nf_conntrack_tuple *t)
{
	struct ipv6hdr *iph = skb_put_zero(skb, sizeof(*iph));

	lt_rules_put_ports(skb, t);
	iph->version = 6;
	iph->payload_len = htons(skb->len - sizeof(*iph));
	iph->nexthdr = t->dst.protonum;
	iph->hop_limit = 64;
	iph->saddr = t->src.u3.in6;
	iph->daddr = t->dst.u3.in6;
	skb->protocol = htons(ETH_P_IPV6);
	IP6CB(skb)->flags = IP6SKB_XFRM_TRANSFORMED;
}

/**
 * lt_rules_packet() - make the packet of a question
 * @q: the question
 *
 * Context: any but hard interrupts; doesn't sleep.
 * Return: the packet, for the caller to free, or NULL for want of memory.
 */
struct sk_buff *lt_rules_packet(const struct lt_question *q)
{
	struct sk_buff *skb = alloc_skb(LL_MAX_HEADER + sizeof(struct ipv6hdr) +
					sizeof(struct tcphdr),
					GFP_ATOMIC | __GFP_NOWARN);

	if (!skb)
		return NULL;

	skb_reserve(skb, LL_MAX_HEADER);
	skb_reset_network_header(skb);
	if (q->packet.src.l3num == NFPROTO_IPV6)
		lt_rules_put_ipv6(skb, &q->packet);
	else
		lt_rules_put_ipv4(skb, &q->packet);
	skb->dev = q->dev;
	skb->mark = q->marks.packet;
#if IS_ENABLED(CONFIG_NETFILTER_XT_TARGET_TRACE) || IS_ENABLED(CONFIG_NF_TABLES)
	skb->nf_trace = q->is_traced;
#endif
	if (q->dst) {
		dst_hold(q->dst);
		skb_dst_set(skb, q->dst);
	}
	if (q->sk && refcount_inc_not_zero(&q->sk->sk_refcnt)) {
		skb->sk = q->sk;
		skb->destructor = sock_efree;
	}

	return skb;
}

static struct nf_conn *lt_rules_entry(const struct lt_question *q)
{
	const struct nf_conntrack_tuple *flow = q->flow ?: &q->packet;
	struct nf_conntrack_tuple reply;
	struct nf_conn *ct;

	/* In a full table another one would have to go for it. */
	if (!nf_ct_invert_tuple(&reply, &q->packet) || lt_ct_is_full(q->net))
		return NULL;

	ct = nf_conntrack_alloc(q->net, q->zone, flow, &reply, GFP_ATOMIC);
	if (IS_ERR(ct))
		return NULL;

	/* The destination has been settled. */
	if (lt_rules_is_source(q))
		ct->status |= IPS_DST_NAT_DONE | (q->flow ? IPS_DST_NAT : 0);
#if IS_ENABLED(CONFIG_NF_CONNTRACK_MARK)
	ct->mark = q->marks.flow;
#endif
	/*
	 * The memory may have been another entry's, of which a reader has found the
	 * address in the hash:
	 *
	 *	CPU 0, here			CPU 1, looks a packet up
	 *					finds the old entry in the hash
	 *	gets its memory, which was
	 *	freed; writes status and net
	 *	gives it references
	 *					refcount_inc_not_zero() succeeds
	 *					reads the old entry's status: it
	 *					is confirmed, and the tuple fits
	 *
	 * What has been written has to be seen by whoever sees a reference, as where
	 * conntrack itself gives the first one.
	 */
	smp_wmb();
	/* The packet's and ours: a rule may free the packet. */
	refcount_set(&ct->ct_general.use, 2);

	return ct;
}

static void lt_rules_read(const struct lt_question *q, const struct sk_buff *skb,
			  const struct nf_conn *ct, struct lt_answer *answer)
{
	const struct nf_conntrack_tuple *reply = lt_ct_tuple(ct, IP_CT_DIR_REPLY);
	const union nf_inet_addr *addr;
	__be16 port;

	if (lt_rules_is_source(q)) {
		answer->addr = reply->dst.u3;
		answer->port = reply->dst.u.all;
		addr = &q->packet.src.u3;
		port = q->packet.src.u.all;
	} else {
		answer->addr = reply->src.u3;
		answer->port = reply->src.u.all;
		addr = &q->packet.dst.u3;
		port = q->packet.dst.u.all;
	}
	/* An echo has no port: its tuple has an id in one place and a type in
	 * the other.
	 */
	answer->changed = !nf_inet_addr_cmp(&answer->addr, addr) ||
			  (lt_rules_has_ports(q->packet.dst.protonum) &&
			   answer->port != port);
#if IS_ENABLED(CONFIG_NF_NAT_MASQUERADE)
	answer->masqueraded = nfct_nat(ct) && nfct_nat(ct)->masq_index;
#else
	answer->masqueraded = false;
#endif
	answer->marks = lt_nat_marks(skb, ct);
}

/* With BHs off. */
static int lt_rules_run(const struct lt_question *q, struct lt_answer *answer)
{
	bool leaves = lt_rules_leaves(q);
	const struct nf_hook_entry *base;
	struct nf_hook_state state;
	unsigned int verdict;
	struct sk_buff *skb;
	struct nf_conn *ct;
	u64 begin;

	base = lt_nathook_find(q->net, q->packet.src.l3num, q->hook);
	if (!base)
		return -ENOENT;

	skb = lt_rules_packet(q);
	if (!skb)
		return -ENOMEM;
	ct = lt_rules_entry(q);
	if (!ct) {
		consume_skb(skb);
		return -ENOMEM;
	}
	nf_ct_set(skb, ct, IP_CT_NEW);
	/* A frame's header of no length. Some kernels' LOG and matches ask whether it
	 * has a length, and not whether there is one: they would read far behind the
	 * packet. For a look-up of a route, which logs, there is none.
	 */
	skb_reset_mac_header(skb);

	nf_hook_state_init(&state, q->hook, q->packet.src.l3num,
			   leaves ? q->in : q->dev, leaves ? q->dev : NULL,
			   leaves ? q->sk : NULL, q->net, NULL);
	begin = local_clock();
	verdict = nf_nat_inet_fn(base->priv, skb, &state);
	lt_work_spend(lt_net(q->net), local_clock() - begin);

	if (verdict == NF_ACCEPT)
		lt_rules_read(q, skb, ct, answer);
	if ((verdict & NF_VERDICT_MASK) != NF_STOLEN)
		consume_skb(skb);
	/* Takes it from NAT's list, too. */
	nf_ct_put(ct);

	return verdict == NF_ACCEPT ? 0 : -EINVAL;
}

/**
 * lt_rules_ask() - ask the NAT rules about a packet that is not there
 * @question: the packet
 * @answer: filled on success
 *
 * The route of the answer is not looked up: a destination that NAT would choose
 * may have none. For what a question does besides, see above.
 *
 * Context: any but hard interrupts, with RCU read lock; doesn't sleep.
 * Return: 0. Or a negative error, and nothing is known: -ENOENT if there is no NAT
 * or it can't be recognised, -ENOMEM if there is no memory or conntrack's table is
 * full, -EBUSY if a rule itself led here, -EINVAL if the rules would not accept
 * the packet or the question has no answer.
 */
int lt_rules_ask(const struct lt_question *question, struct lt_answer *answer)
{
	int err = -EBUSY;

	/* Behind PRE_ROUTING each packet has a route, and matches rely on it: "realm"
	 * follows the pointer as it is.
	 */
	if (!lt_rules_knows(question->packet.dst.protonum) || !question->dev ||
	    (question->hook != NF_INET_PRE_ROUTING && !question->dst))
		return -EINVAL;

	local_bh_disable();
	if (!this_cpu_read(lt_rules_asking)) {
		this_cpu_write(lt_rules_asking, true);
		err = lt_rules_run(question, answer);
		this_cpu_write(lt_rules_asking, false);
	}
	local_bh_enable();

	return err;
}
