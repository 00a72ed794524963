// SPDX-License-Identifier: GPL-2.0
/* Packets of a flow, told as they pass the hooks. */

#include <linux/ktime.h>
#include <linux/net.h>
#include <linux/netlink.h>
#include <linux/siphash.h>
#include <linux/tcp.h>
#include <net/genetlink.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/tcp.h>

#include "core/ct.h"
#include "core/pass.h"
#include "net.h"
#include "report/drop.h"
#include "report/nlmsg.h"
#include "report/pkttrace.h"

/**
 * struct lt_tracer_sight - a packet at a stage
 * @skb: the packet
 * @state: of the hook
 * @stage: what it has passed there
 * @now: its own addresses and ports
 * @ct: its entry, or NULL
 * @ctinfo: of @ct
 * @time: in nanoseconds since 1970
 * @pass: 1 or 2, or 0 for a packet that comes from or goes to somebody else
 */
struct lt_tracer_sight {
	const struct sk_buff *skb;
	const struct nf_hook_state *state;
	enum nf_looptrack_stage stage;
	struct nf_conntrack_tuple now;
	const struct nf_conn *ct;
	enum ip_conntrack_info ctinfo;
	u64 time;
	u32 pass;
};

static bool lt_tracer_is_end(const struct lt_tracer_end *end,
			     const union nf_inet_addr *addr, __be16 port)
{
	return (!end->has_addr || nf_inet_addr_cmp(&end->addr, addr)) &&
	       (!end->port || end->port == port);
}

/* A tuple of the flow, in either direction. */
static bool lt_tracer_is_tuple(const struct lt_tracer *tr,
			       const struct nf_conntrack_tuple *t)
{
	return (lt_tracer_is_end(&tr->src, &t->src.u3, t->src.u.all) &&
		lt_tracer_is_end(&tr->dst, &t->dst.u3, t->dst.u.all)) ||
	       (lt_tracer_is_end(&tr->src, &t->dst.u3, t->dst.u.all) &&
		lt_tracer_is_end(&tr->dst, &t->src.u3, t->src.u.all));
}

/* By its own addresses, or by those which its flow has on one side of NAT. */
static bool lt_tracer_wants(const struct lt_tracer *tr,
			    const struct lt_tracer_sight *s)
{
	if (tr->protocol != s->now.dst.protonum ||
	    (tr->family != NFPROTO_UNSPEC && tr->family != s->state->pf))
		return false;

	return lt_tracer_is_tuple(tr, &s->now) ||
	       (s->ct &&
		(lt_tracer_is_tuple(tr, lt_ct_tuple(s->ct, IP_CT_DIR_ORIGINAL)) ||
		 lt_tracer_is_tuple(tr, lt_ct_tuple(s->ct, IP_CT_DIR_REPLY))));
}

static enum nf_looptrack_state lt_tracer_state(const struct lt_tracer_sight *s)
{
	if (s->ctinfo == IP_CT_UNTRACKED)
		return NF_LOOPTRACK_STATE_UNTRACKED;
	if (!s->ct)
		return NF_LOOPTRACK_STATE_NONE;

	switch (s->ctinfo) {
	case IP_CT_NEW:
		return NF_LOOPTRACK_STATE_NEW;
	case IP_CT_RELATED:
	case IP_CT_RELATED_REPLY:
		return NF_LOOPTRACK_STATE_RELATED;
	default:
		return NF_LOOPTRACK_STATE_ESTABLISHED;
	}
}

/* A number for a packet, which doesn't tell where in memory it is. */
static u32 lt_tracer_number(const struct sk_buff *skb)
{
	static siphash_aligned_key_t key;

	net_get_random_once(&key, sizeof(key));
	return siphash_1u64((unsigned long)skb, &key);
}

static u32 lt_tracer_pass(const struct lt_tracer_sight *s)
{
	switch (s->state->hook) {
	case NF_INET_PRE_ROUTING:
	case NF_INET_LOCAL_IN:
		return lt_loop_is_second_pass(s->skb, s->state) ? 2 : 0;
	case NF_INET_LOCAL_OUT:
	case NF_INET_POST_ROUTING:
		return lt_loop_stays(s->skb, s->state->pf) ? 1 : 0;
	default:
		return 0;
	}
}

static int lt_tracer_put_flags(struct sk_buff *msg,
			       const struct lt_tracer_sight *s)
{
	const struct tcphdr *th;
	struct tcphdr buf;

	if (s->now.dst.protonum != IPPROTO_TCP ||
	    !skb_transport_header_was_set(s->skb))
		return 0;

	th = skb_header_pointer(s->skb, skb_transport_offset(s->skb),
				sizeof(buf), &buf);
	return th ? nla_put_u8(msg, NF_LOOPTRACK_A_TRACE_TCP_FLAGS,
			       tcp_flag_byte(th)) : 0;
}

static int lt_tracer_put_entry(struct sk_buff *msg,
			       const struct lt_tracer_sight *s)
{
	if (!s->ct)
		return 0;

	if ((CTINFO2DIR(s->ctinfo) == IP_CT_DIR_REPLY &&
	     nla_put_flag(msg, NF_LOOPTRACK_A_TRACE_IS_REPLY)) ||
	    (nf_ct_is_confirmed(s->ct) &&
	     nla_put_flag(msg, NF_LOOPTRACK_A_TRACE_IS_COMMITTED)))
		return -EMSGSIZE;

	return lt_nlmsg_put_tuple(msg, NF_LOOPTRACK_A_TRACE_ORIGINAL,
				    lt_ct_tuple(s->ct, IP_CT_DIR_ORIGINAL)) ?:
	       lt_nlmsg_put_tuple(msg, NF_LOOPTRACK_A_TRACE_REPLY,
				  lt_ct_tuple(s->ct, IP_CT_DIR_REPLY));
}

static int lt_tracer_put_devices(struct sk_buff *msg,
				 const struct nf_hook_state *state)
{
	if (state->in &&
	    nla_put_string(msg, NF_LOOPTRACK_A_TRACE_IN, state->in->name))
		return -EMSGSIZE;
	if (state->out &&
	    nla_put_string(msg, NF_LOOPTRACK_A_TRACE_OUT, state->out->name))
		return -EMSGSIZE;

	return 0;
}

static int lt_tracer_fill(struct sk_buff *msg, const void *what, u32 lost)
{
	const struct lt_tracer_sight *s = what;

	if (nla_put_u64_64bit(msg, NF_LOOPTRACK_A_TRACE_TIME, s->time,
			      NF_LOOPTRACK_A_TRACE_PAD) ||
	    nla_put_u8(msg, NF_LOOPTRACK_A_TRACE_PROTOCOL,
		       s->now.dst.protonum) ||
	    lt_nlmsg_put_tuple(msg, NF_LOOPTRACK_A_TRACE_FLOW, &s->now) ||
	    nla_put_u32(msg, NF_LOOPTRACK_A_TRACE_HOOK, s->state->hook) ||
	    nla_put_u32(msg, NF_LOOPTRACK_A_TRACE_STAGE, s->stage) ||
	    (s->pass &&
	     nla_put_u32(msg, NF_LOOPTRACK_A_TRACE_PASS, s->pass)) ||
	    nla_put_u32(msg, NF_LOOPTRACK_A_TRACE_PACKET,
			lt_tracer_number(s->skb)) ||
	    nla_put_u32(msg, NF_LOOPTRACK_A_TRACE_LENGTH,
			s->skb->len - skb_network_offset(s->skb)) ||
	    lt_tracer_put_flags(msg, s) ||
	    nla_put_u32(msg, NF_LOOPTRACK_A_TRACE_MARK, s->skb->mark) ||
	    nla_put_u32(msg, NF_LOOPTRACK_A_TRACE_STATE, lt_tracer_state(s)) ||
	    lt_tracer_put_entry(msg, s) ||
	    lt_tracer_put_devices(msg, s->state) ||
	    (lost && nla_put_u32(msg, NF_LOOPTRACK_A_TRACE_LOST, lost)))
		return -EMSGSIZE;

	return 0;
}

/* The largest: three IPv6 tuples, two devices, and room for the small ones. */
static size_t lt_tracer_size(void)
{
	return 3 * lt_nlmsg_tuple_size() + 2 * nla_total_size(IFNAMSIZ) +
	       2 * nla_total_size_64bit(sizeof(u64)) +
	       12 * nla_total_size(sizeof(u32));
}

/* Have those whose number is in @told learn if the packet is dropped. */
static void lt_tracer_note(const struct lt_net *ln, const struct lt_tracer_sight *s,
			   struct lt_drop_sight *told)
{
	told->time = s->time;
	told->tuple = s->now;
	told->packet = lt_tracer_number(s->skb);
	told->hook = s->state->hook;
	told->stage = s->stage;
	told->pass = s->pass;
	lt_drop_note(ln, s->skb, told);
}

/**
 * lt_tracer_see() - tell a packet to who traces its flow
 * @ln: the module's part of the network namespace
 * @skb: the packet
 * @state: of the hook it is in
 * @stage: what it has passed there
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 */
void lt_tracer_see(struct lt_net *ln, const struct sk_buff *skb,
		   const struct nf_hook_state *state,
		   enum nf_looptrack_stage stage)
{
	struct lt_tracer_sight s = {
		.skb = skb,
		.state = state,
		.stage = stage,
	};
	struct lt_drop_sight told;
	struct lt_tracer *tr;

	/* Neither fragments nor what is cut short has ports. */
	if (!nf_ct_get_tuplepr(skb, skb_network_offset(skb), state->pf, ln->net,
			       &s.now)) {
		lt_drop_forget(ln, skb);
		return;
	}

	s.ct = nf_ct_get(skb, &s.ctinfo);
	if (s.ct && nf_ct_is_template(s.ct))
		s.ct = NULL;
	s.time = ktime_get_real_ns();
	s.pass = lt_tracer_pass(&s);
	told.count = 0;
	list_for_each_entry_rcu(tr, &ln->tracers, list) {
		if (!lt_tracer_wants(tr, &s))
			continue;
		lt_nlmsg_unicast(ln->net, tr->portid, NF_LOOPTRACK_CMD_TRACE_PACKET,
				 lt_tracer_size(), lt_tracer_fill, &s, &tr->lost);
		/* Some may have come and gone meanwhile. */
		if (told.count < LT_TRACERS_MAX)
			told.tracers[told.count++] = tr->id;
	}
	if (told.count)
		lt_tracer_note(ln, &s, &told);
	else
		lt_drop_forget(ln, skb);
}

/**
 * lt_tracer_flush() - stop all traces of a namespace
 * @ln: the module's part of a network namespace that goes, or that the module leaves
 *
 * Context: may sleep.
 */
void lt_tracer_flush(struct lt_net *ln)
{
	struct lt_tracer *tr, *next;

	mutex_lock(&ln->lock);
	list_for_each_entry_safe(tr, next, &ln->tracers, list) {
		list_del_rcu(&tr->list);
		kfree_rcu(tr, rcu);
	}
	lt_drop_stop(ln);
	mutex_unlock(&ln->lock);
}
