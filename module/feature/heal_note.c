// SPDX-License-Identifier: GPL-2.0
/* Feature heal: packets of unanswered flows are noted. */

#include <linux/hash.h>
#include <linux/netdevice.h>
#include <linux/etherdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>
#include <net/dst.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/route.h>
#include <net/sock.h>
#include <net/xfrm.h>

#include "core/ct.h"
#include "core/pass.h"
#include "core/unanswered.h"
#include "feature/heal.h"
#include "net.h"

/* Places that a flow looks at for a job. */
#define LT_HEAL_PROBES	8

DEFINE_PER_CPU(const struct sk_buff *, lt_heal_noted);
/* And where. Belongs to the packet if the job says so, too. */
static DEFINE_PER_CPU(struct lt_heal_job *, lt_heal_job);

/**
 * lt_heal_claim() - take a job
 * @job: the job
 * @from: the state that it should have
 *
 * Context: any.
 * Return: false if it has another one, or somebody was faster.
 */
bool lt_heal_claim(struct lt_heal_job *job, enum lt_heal_state from)
{
	return atomic_read(&job->state) == from &&
	       atomic_cmpxchg_acquire(&job->state, from, LT_HEAL_TAKEN) == from;
}

/**
 * lt_heal_release() - be done with a job
 * @job: the job, taken
 *
 * Context: any but hard interrupts.
 */
void lt_heal_release(struct lt_heal_job *job)
{
	nf_ct_put(job->ct);
	dst_release(job->first.dst);
	dst_release(job->last.dst);
	if (job->sk)
		sock_gen_put(job->sk);
	atomic_set_release(&job->state, LT_HEAL_FREE);
}

static bool lt_heal_is_balanced(const struct sk_buff *skb)
{
#if IS_ENABLED(CONFIG_IP_VS)
	return skb->ipvs_property;
#else
	return false;
#endif
}

/* Has a bridge handed the packet to IP's hooks, and will take it back? What is for
 * the bridge's own address is routed, and rules see nothing else of it than they
 * would without br_netfilter, but for its port.
 */
static bool lt_heal_is_bridged(const struct sk_buff *skb,
			       const struct nf_hook_state *state)
{
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	return nf_bridge_info_exists(skb) && skb_mac_header_was_set(skb) &&
	       !ether_addr_equal(eth_hdr(skb)->h_dest, state->in->dev_addr);
#else
	return false;
#endif
}

/* May rules match something of the packet that a question does not have? */
static bool lt_heal_is_strange(const struct sk_buff *skb,
			       const struct nf_hook_state *state)
{
	return lt_heal_is_balanced(skb) || secpath_exists(skb) ||
	       (state->hook == NF_INET_PRE_ROUTING &&
		lt_heal_is_bridged(skb, state));
}

/* Return: false if the flow is left alone, which is counted. */
static bool lt_heal_may(struct lt_net *ln, const struct sk_buff *skb,
			const struct nf_conn *ct,
			const struct nf_hook_state *state)
{
	unsigned long status = READ_ONCE(ct->status);

	if (lt_heal_is_strange(skb, state)) {
		lt_stats_inc(&ln->stats, HEAL_FOREIGN);
		return false;
	}
	if (ct->master || !lt_ct_is_plain(skb, ct)) {
		lt_stats_inc(&ln->stats, HEAL_HELPER);
		return false;
	}
	if (status & (IPS_OFFLOAD | IPS_FIXED_TIMEOUT)) {
		lt_stats_inc(&ln->stats, HEAL_PINNED);
		return false;
	}

	return true;
}

/* The route of a packet, referenced, or NULL.
 *
 * A bridge that hands packets to IP's hooks lends them a route that is a part of the
 * bridge, and whose references nobody counts:
 *
 *	CPU 0, a packet in POST_ROUTING		CPU 1
 *	holds the bridge's route
 *						"ip link del br0" frees the bridge,
 *						and the route in it
 *	the work puts the route into a
 *	question: rules read freed memory
 *
 * It says nothing about the way of a packet either.
 */
static struct dst_entry *lt_heal_dst_get(const struct sk_buff *skb)
{
	struct dst_entry *dst = skb_dst(skb);

	if (!dst || dst->flags & DST_FAKE_RTABLE || !dst_hold_safe(dst))
		return NULL;

	return dst;
}

/* What a tunnel of another namespace sends here has that one's device. */
static int lt_heal_input(const struct nf_hook_state *state)
{
	return state->in && net_eq(dev_net(state->in), state->net) ?
	       state->in->ifindex : 0;
}

static void lt_heal_see(struct lt_heal_side *side, const struct sk_buff *skb,
			const struct nf_hook_state *state)
{
	bool arrives = state->hook == NF_INET_PRE_ROUTING;
	const struct net_device *dev = arrives ? state->in : state->out;
	bool leaves = state->hook == NF_INET_POST_ROUTING;

	side->hook = state->hook;
	side->mark = skb->mark;
	side->dst = arrives ? NULL : lt_heal_dst_get(skb);
	side->ifindex = dev->ifindex;
	side->in = leaves ? lt_heal_input(state) : 0;
}

/* Until the packet has left, in most cases. A SYN that is sent again may be no more
 * than a second late; the next one comes two seconds later.
 */
static unsigned int lt_heal_delay(const struct nf_conn *ct)
{
	return nf_ct_protonum(ct) == IPPROTO_TCP ? HZ : 1;
}

static void lt_heal_fill(struct lt_heal_job *job, const struct sk_buff *skb,
			 struct nf_conn *ct, const struct nf_hook_state *state)
{
	struct sock *sk = state->sk;

	nf_conntrack_get(&ct->ct_general);
	job->skb = skb;
	job->ct = ct;
	job->sk = sk && sk_fullsock(sk) && refcount_inc_not_zero(&sk->sk_refcnt) ?
		  sk : NULL;
	job->due = jiffies + lt_heal_delay(ct);
	job->is_foreign = false;
	job->last = (struct lt_heal_side) {};
	lt_heal_see(&job->first, skb, state);
}

static struct lt_heal_job *lt_heal_job_get(struct lt_heal *heal,
					   const struct nf_conn *ct)
{
	unsigned int i, first = hash_ptr(ct, ilog2(LT_HEAL_JOBS));

	for (i = 0; i < LT_HEAL_PROBES; i++) {
		struct lt_heal_job *job = &heal->jobs[(first + i) % LT_HEAL_JOBS];

		if (lt_heal_claim(job, LT_HEAL_FREE))
			return job;
	}

	return NULL;
}

/* To a broadcast or multicast address, of whatever subnet. */
static bool lt_heal_is_to_all(const struct sk_buff *skb,
			      const struct nf_hook_state *state)
{
	if (state->hook == NF_INET_PRE_ROUTING)
		return skb->pkt_type == PACKET_BROADCAST ||
		       skb->pkt_type == PACKET_MULTICAST;

	return state->pf == NFPROTO_IPV4 && skb_dst(skb) &&
	       skb_rtable(skb)->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST);
}

/**
 * lt_heal_note() - note a packet of a flow that gets no answer
 * @ln: the module's part of the network namespace
 * @skb: packet, before NAT chooses a destination
 * @state: of the hook, PRE_ROUTING or LOCAL_OUT
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 */
void lt_heal_note(struct lt_net *ln, const struct sk_buff *skb,
		  const struct nf_hook_state *state)
{
	/* Pairs with lt_heal_wants(). */
	struct lt_heal *heal = smp_load_acquire(&ln->heal);
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct = nf_ct_get(skb, &ctinfo);
	struct lt_heal_job *job;

	/* On its second pass a packet meets no rule that could choose. */
	if (!heal || lt_mode(ln, NF_LOOPTRACK_FEATURE_HEAL) == NF_LOOPTRACK_MODE_OFF ||
	    CTINFO2DIR(ctinfo) != IP_CT_DIR_ORIGINAL ||
	    (ctinfo == IP_CT_RELATED && !ct->master) || !lt_unanswered_still(ct))
		return;
	if (state->hook == NF_INET_PRE_ROUTING ?
	    lt_loop_is_second_pass(skb, state) : netif_is_l3_master(state->out))
		return;
	if (!lt_unanswered_take(ct) || lt_heal_is_to_all(skb, state) ||
	    !lt_heal_may(ln, skb, ct, state))
		return;

	job = lt_heal_job_get(heal, ct);
	if (!job) {
		lt_stats_inc(&ln->stats, HEAL_BUSY);
		return;
	}
	lt_heal_fill(job, skb, ct, state);
	this_cpu_write(lt_heal_job, job);
	this_cpu_write(lt_heal_noted, skb);
	atomic_set_release(&job->state, LT_HEAL_READY);
	lt_heal_queue(heal, 1);
}

/**
 * lt_heal_note_source() - note it once more
 * @skb: packet, before NAT chooses a source, for which lt_heal_follows() is true
 * @state: of the hook, POST_ROUTING
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 */
void lt_heal_note_source(const struct sk_buff *skb,
			 const struct nf_hook_state *state)
{
	/* Pairs with lt_heal_wants(). */
	struct lt_heal *heal = smp_load_acquire(&lt_net(state->net)->heal);
	struct lt_heal_job *job = this_cpu_read(lt_heal_job);
	const struct nf_conn *ct = (const struct nf_conn *)skb_nfct(skb);

	this_cpu_write(lt_heal_noted, NULL);
	/* It may be another namespace's, and that may be gone. */
	if (!heal || job < heal->jobs || job >= heal->jobs + LT_HEAL_JOBS)
		return;
	if (!lt_heal_claim(job, LT_HEAL_READY))
		return;
	if (job->skb == skb && job->ct == ct && !job->last.ifindex) {
		/* IPVS marks packets behind the place where they were noted first. */
		job->is_foreign = lt_heal_is_balanced(skb);
		lt_heal_see(&job->last, skb, state);
	}
	atomic_set_release(&job->state, LT_HEAL_READY);
	/*
	 * The work may have been there meanwhile, and does not look again:
	 *
	 *	CPU 0, here			CPU 1, the work
	 *	takes the job
	 *					can't take the job, and leaves it
	 *					no other job is there: it ends
	 *	the job is ready
	 *
	 * Nobody would come for the job, and its socket keeps the namespace.
	 */
	lt_heal_queue(heal, 1);
}
