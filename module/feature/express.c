// SPDX-License-Identifier: GPL-2.0
/* Feature express: flows that the second pass has accepted skip its rules. */

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/tcp.h>
#include <net/ip.h>
#include <net/netfilter/nf_conntrack.h>

#include "core/ct.h"
#include "feature/express.h"
#include "net.h"

/*
 * What the rules of the second pass have said of a flow is kept in its entry, for
 * each direction: the turn of the feature in which a packet came through. A turn
 * ends when the mode is set anew, so that rules get another look at all flows.
 *
 * A module can't add to an entry, but the upper half of the entry's status has room
 * (lt_ct_has_room()); without it the feature is not supported.
 */
#define LT_EXPRESS_BITS		14
#define LT_EXPRESS_MASK		GENMASK_ULL(LT_EXPRESS_BITS - 1, 0)

static unsigned int lt_express_shift(enum ip_conntrack_dir dir)
{
	return 32 + dir * LT_EXPRESS_BITS;
}

static u16 lt_express_turn(const struct nf_conn *ct, enum ip_conntrack_dir dir)
{
	return ((u64)READ_ONCE(ct->status) >> lt_express_shift(dir)) &
	       LT_EXPRESS_MASK;
}

static void lt_express_set_turn(struct nf_conn *ct, enum ip_conntrack_dir dir,
				u16 turn)
{
	unsigned long mask = LT_EXPRESS_MASK << lt_express_shift(dir);
	unsigned long bits = (u64)turn << lt_express_shift(dir);
	unsigned long old = READ_ONCE(ct->status);

	while (!try_cmpxchg(&ct->status, &old, (old & ~mask) | bits))
		;
}

/**
 * struct lt_express_probe - the packet this CPU follows through its second pass
 * @skb: which; of no use but to be compared
 * @mark: its mark before all rules
 * @routed: it has passed PRE_ROUTING, and no rule has changed its way
 *
 * Of its own CPU. A second pass runs in one softirq from end to end, unless a
 * rule takes the packet away; so the probe needs no lock and is overwritten by
 * the next packet worth following. With PREEMPT_RT another softirq may run on this
 * CPU meanwhile, and follow another packet, so the probe is read and written with
 * preemption off, and belongs to @skb for no longer:
 *
 *	softirq of packet a			softirq of packet b, same CPU
 *	lt_express_routed(): probe is for a
 *						probe is for b, not routed
 *	sets routed, for b
 */
struct lt_express_probe {
	const struct sk_buff *skb;
	u32 mark;
	bool routed;
};

static DEFINE_PER_CPU(struct lt_express_probe, lt_express_probes);

/**
 * lt_express_is_possible() - does an entry have room for what express notes
 *
 * Return: false on 32 bit, for one.
 */
bool lt_express_is_possible(void)
{
	return lt_ct_has_room();
}

/**
 * lt_express_renew() - let the rules have another look at all flows
 * @ln: the module's part of the network namespace
 * @mode: about to be set
 *
 * Context: with the lock of @ln.
 */
void lt_express_renew(struct lt_net *ln, u8 mode)
{
	/* Of entries that were never noted the turn is 0. */
	WRITE_ONCE(ln->express_turn,
		   (ln->express_turn + 1) & LT_EXPRESS_MASK ?: 1);
}

/* What opens a connection is for the rules, and so are fragments, also those that
 * were put together.
 */
static bool lt_express_is_plain(const struct sk_buff *skb,
				const struct nf_conn *ct, u8 pf)
{
	u8 proto = nf_ct_protonum(ct);
	const struct tcphdr *th;
	struct tcphdr buf;

	if (pf == NFPROTO_IPV4) {
		if (ip_is_fragment(ip_hdr(skb)) || IPCB(skb)->frag_max_size)
			return false;
	} else if (ipv6_hdr(skb)->nexthdr != proto ||
		   IP6CB(skb)->frag_max_size) {
		return false;
	}

	if (proto != IPPROTO_TCP)
		return true;

	th = skb_header_pointer(skb, skb_transport_offset(skb), sizeof(buf),
				&buf);
	return th && !th->syn;
}

/* A packet of an established flow: its entry and direction. */
static struct nf_conn *lt_express_flow(const struct sk_buff *skb,
				       enum ip_conntrack_dir *dir)
{
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct = nf_ct_get(skb, &ctinfo);

	if (!ct || (ctinfo != IP_CT_ESTABLISHED &&
		    ctinfo != IP_CT_ESTABLISHED_REPLY))
		return NULL;

	*dir = CTINFO2DIR(ctinfo);
	return ct;
}

/**
 * lt_express_spares() - shall a packet skip the rules of this hook
 * @ln: the module's part of the network namespace
 * @skb: a packet that comes from the loopback device, before all rules
 * @state: of the hook, PRE_ROUTING or LOCAL_IN
 *
 * conntrack's and NAT's own hooks are skipped with them: on the first pass they
 * have done all there is to do.
 *
 * Context: softirq with a hook's RCU read lock.
 * Return: true if it shall.
 */
bool lt_express_spares(struct lt_net *ln, const struct sk_buff *skb,
		       const struct nf_hook_state *state)
{
	u8 mode = lt_mode(ln, NF_LOOPTRACK_FEATURE_EXPRESS);
	bool first = state->hook == NF_INET_PRE_ROUTING;
	struct lt_express_probe *probe;
	enum ip_conntrack_dir dir;
	struct nf_conn *ct;

	if (mode == NF_LOOPTRACK_MODE_OFF)
		return false;

	ct = lt_express_flow(skb, &dir);
	if (!ct || !lt_express_is_plain(skb, ct, state->pf))
		return false;

	if (unlikely(lt_express_turn(ct, dir) != READ_ONCE(ln->express_turn))) {
		if (first && in_serving_softirq()) {
			probe = get_cpu_ptr(&lt_express_probes);
			probe->skb = skb;
			probe->mark = skb->mark;
			probe->routed = false;
			put_cpu_ptr(&lt_express_probes);
		}
		return false;
	}

	if (first)
		lt_stats_inc(&ln->stats, EXPRESS_SEEN);
	if (mode != NF_LOOPTRACK_MODE_ENFORCE)
		return false;
	if (first)
		lt_stats_inc(&ln->stats, EXPRESS_SPARED);

	return true;
}

/**
 * lt_express_routed() - note that a packet has passed all rules of PRE_ROUTING
 * @skb: the packet
 *
 * Rules that lead it elsewhere - a mark that routes, TPROXY's socket - must see
 * all the flow's packets.
 *
 * Context: softirq with a hook's RCU read lock.
 */
void lt_express_routed(const struct sk_buff *skb)
{
	struct lt_express_probe *probe;

	/* A packet that was queued to user space comes back in process context,
	 * and is not followed any more.
	 */
	if (!in_serving_softirq())
		return;

	probe = get_cpu_ptr(&lt_express_probes);
	if (probe->skb == skb) {
		if (skb->mark == probe->mark && !skb->sk)
			probe->routed = true;
		else
			probe->skb = NULL;
	}
	put_cpu_ptr(&lt_express_probes);
}

/* Has a packet passed all rules without a change of its mark or way? Then it is not
 * followed any further.
 */
static bool lt_express_has_passed(const struct sk_buff *skb)
{
	struct lt_express_probe *probe;
	bool passed = false;

	if (!in_serving_softirq())
		return false;

	probe = get_cpu_ptr(&lt_express_probes);
	if (probe->skb == skb) {
		passed = probe->routed && skb->mark == probe->mark;
		probe->skb = NULL;
	}
	put_cpu_ptr(&lt_express_probes);

	return passed;
}

/**
 * lt_express_accepted() - note that a packet has passed all rules
 * @ln: the module's part of the network namespace
 * @skb: a packet in LOCAL_IN that comes from the loopback device
 *
 * From now on its flow's packets of this direction are spared them.
 *
 * Context: softirq with a hook's RCU read lock.
 */
void lt_express_accepted(const struct lt_net *ln, const struct sk_buff *skb)
{
	enum ip_conntrack_dir dir;
	struct nf_conn *ct;
	u16 turn;

	if (!lt_express_has_passed(skb))
		return;

	ct = lt_express_flow(skb, &dir);
	if (!ct)
		return;

	/* Where a rule routes a flow or gives it its socket, that is seen on the
	 * way there.
	 */
	turn = READ_ONCE(ln->express_turn);
	if (dir == IP_CT_DIR_REPLY &&
	    lt_express_turn(ct, IP_CT_DIR_ORIGINAL) != turn)
		return;

	/* What comes here without having the address was routed by a rule, too. */
	if (lt_ct_is_plain(skb, ct) && lt_ct_is_loopback(ct))
		lt_express_set_turn(ct, dir, turn);
}
