// SPDX-License-Identifier: GPL-2.0
/* Feature heal: would the NAT rules, now, decide the same about a flow? */

#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/sched.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "core/ct.h"
#include "core/rules.h"
#include "core/sock.h"
#include "core/work.h"
#include "feature/heal.h"
#include "net.h"

/*
 * An answer that is the entry's binding settles it. With rules that choose at random
 * other answers prove nothing at first: only a binding that none of LT_HEAL_QUESTIONS
 * answers has is wrong. A backend with a share of 8 percent is missed by so many once
 * in a thousand million times, one of 12 alike less often than that. Where more than
 * LT_HEAL_ANSWERS differ, the flow is left alone.
 *
 * Two things a flow of before has that a new one has not. Rules may have set the mark
 * of its entry, and may match that: every second question is without it. And the marks
 * that rules for the destination set on the first packet, for those for the source to
 * match, are not set on a later one: they are taken from the answer.
 */
#define LT_HEAL_QUESTIONS	256
#define LT_HEAL_ANSWERS		12

/* So many jiffies a work waits for its share of time, for one side of a flow. */
#define LT_HEAL_PATIENCE	(2 * HZ)

/**
 * struct lt_heal_case - a side of a flow's binding that is in question
 * @q: the question
 * @ifindex: of its device
 * @in: of the device by which a forwarded packet came, or 0
 * @source: of the source; else of the destination
 * @addr: the address that the flow has
 * @port: its port
 * @patience: how many jiffies to wait yet
 * @answer: the one that agrees, or else the first
 */
struct lt_heal_case {
	struct lt_question q;
	int ifindex;
	int in;
	bool source;
	union nf_inet_addr addr;
	__be16 port;
	unsigned int patience;
	struct lt_answer answer;
};

/* Packets have their share of the time first. Return: false if it takes too long. */
static bool lt_heal_wait(struct lt_net *ln, struct lt_heal_case *c)
{
	while (!lt_work_may_idly(ln)) {
		if (!c->patience--)
			return false;
		schedule_timeout_idle(1);
	}

	return lt_mode(ln, NF_LOOPTRACK_FEATURE_HEAL) != NF_LOOPTRACK_MODE_OFF;
}

static int lt_heal_question(struct lt_net *ln, struct lt_heal_case *c,
			    struct lt_answer *answer)
{
	int err = -ENODEV;

	if (!lt_heal_wait(ln, c))
		return -EBUSY;

	rcu_read_lock();
	c->q.dev = dev_get_by_index_rcu(ln->net, c->ifindex);
	c->q.in = c->in ? dev_get_by_index_rcu(ln->net, c->in) : NULL;
	if (c->q.dev && (c->q.in || !c->in))
		err = lt_rules_ask(&c->q, answer);
	rcu_read_unlock();

	return err;
}

/* A source port is only a means to tell flows apart, and so is an echo's id. */
static bool lt_heal_is_same(const struct lt_heal_case *c,
			    const union nf_inet_addr *addr, __be16 port,
			    const struct lt_answer *answer)
{
	u8 proto = c->q.packet.dst.protonum;

	return nf_inet_addr_cmp(addr, &answer->addr) &&
	       (c->source || (proto != IPPROTO_TCP && proto != IPPROTO_UDP) ||
		port == answer->port);
}

static bool lt_heal_is_known(const struct lt_heal_case *c,
			     const struct lt_answer *known, unsigned int count,
			     const struct lt_answer *answer)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (lt_heal_is_same(c, &known[i].addr, known[i].port, answer))
			return true;

	return false;
}

static enum lt_heal_finding lt_heal_ask(struct lt_net *ln, struct lt_heal_case *c)
{
	struct lt_answer answer, known[LT_HEAL_ANSWERS];
	unsigned int i, count = 0;
	u32 mark = c->q.marks.flow;
	int err;

	for (i = 0; i < LT_HEAL_QUESTIONS; i++) {
		c->q.marks.flow = i % 2 ? 0 : mark;
		err = lt_heal_question(ln, c, &answer);
		if (err)
			return err == -ENOENT ? LT_HEAL_FOREIGN : LT_HEAL_BUSY;
		if (!i || lt_heal_is_same(c, &c->addr, c->port, &answer))
			c->answer = answer;
		if (lt_heal_is_same(c, &c->addr, c->port, &answer))
			return LT_HEAL_RIGHT;
		if (!lt_heal_is_known(c, known, count, &answer)) {
			if (count == LT_HEAL_ANSWERS)
				return LT_HEAL_RANDOM;
			known[count++] = answer;
		}
		cond_resched();
	}

	return LT_HEAL_WRONG;
}

static void lt_heal_begin(struct lt_heal_case *c, const struct lt_heal_job *job,
			  const struct lt_heal_side *side)
{
	const struct nf_conn *ct = job->ct;

	*c = (struct lt_heal_case) {
		.q = {
			.net = nf_ct_net(ct),
			.zone = nf_ct_zone(ct),
			.hook = side->hook,
			.packet = *lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL),
			.sk = job->sk,
			.dst = side->dst,
			.marks = { .packet = side->mark },
		},
		.ifindex = side->ifindex,
		.in = side->in,
		.patience = LT_HEAL_PATIENCE,
		.source = side->hook == NF_INET_POST_ROUTING,
	};
#if IS_ENABLED(CONFIG_NF_CONNTRACK_MARK)
	c->q.marks.flow = READ_ONCE(ct->mark);
#endif
}

/* With enforce, loopguard takes back what rules have said of a local flow. */
static bool lt_heal_is_released(const struct lt_net *ln, const struct nf_conn *ct,
				unsigned int hook)
{
	return hook == NF_INET_LOCAL_OUT && !(READ_ONCE(ct->status) & IPS_DST_NAT) &&
	       lt_mode(ln, NF_LOOPTRACK_FEATURE_LOOPGUARD) ==
	       NF_LOOPTRACK_MODE_ENFORCE;
}

static enum lt_heal_finding
lt_heal_judge_destination(struct lt_net *ln, const struct lt_heal_job *job,
			  struct lt_heal_case *c)
{
	const struct nf_conntrack_tuple *reply = lt_ct_tuple(job->ct, IP_CT_DIR_REPLY);
	enum lt_heal_finding finding;
	struct nf_conntrack_tuple to;

	lt_heal_begin(c, job, &job->first);
	c->addr = reply->src.u3;
	c->port = reply->src.u.all;
	finding = lt_heal_ask(ln, c);
	if (finding != LT_HEAL_WRONG || !lt_heal_is_released(ln, job->ct, c->q.hook))
		return finding;

	to = c->q.packet;
	to.src.u3 = c->answer.addr;
	rcu_read_lock();
	if (lt_sock_is_local(ln->net, &to))
		finding = LT_HEAL_FOREIGN;
	rcu_read_unlock();

	return finding;
}

static u32 lt_heal_mark(u32 now, u32 before, u32 after)
{
	u32 changed = before ^ after;

	return (now & ~changed) | (after & changed);
}

static bool lt_heal_stays(const struct lt_net *ln, int ifindex)
{
	const struct net_device *dev;
	bool stays;

	rcu_read_lock();
	dev = dev_get_by_index_rcu(ln->net, ifindex);
	stays = !dev || dev->flags & IFF_LOOPBACK;
	rcu_read_unlock();

	return stays;
}

static enum lt_heal_finding
lt_heal_judge_source(struct lt_net *ln, const struct lt_heal_job *job,
		     const struct lt_heal_case *before, struct lt_heal_case *c)
{
	const struct nf_conn *ct = job->ct;
	const struct nf_conntrack_tuple *flow = lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL);
	const struct nf_conntrack_tuple *reply = lt_ct_tuple(ct, IP_CT_DIR_REPLY);
	const struct lt_nat_marks *after = &before->answer.marks;

	/* On lo loopsnat may have kept the rules off. */
	if (!job->last.dst || lt_heal_stays(ln, job->last.ifindex))
		return LT_HEAL_RIGHT;

	lt_heal_begin(c, job, &job->last);
	c->q.packet.dst.u3 = reply->src.u3;
	if (flow->dst.protonum == IPPROTO_TCP || flow->dst.protonum == IPPROTO_UDP)
		c->q.packet.dst.u.all = reply->src.u.all;
	if (READ_ONCE(ct->status) & IPS_DST_NAT)
		c->q.flow = flow;
	c->q.marks.packet = lt_heal_mark(c->q.marks.packet, before->q.marks.packet,
					 after->packet);
	c->q.marks.flow = lt_heal_mark(c->q.marks.flow, before->q.marks.flow,
				       after->flow);
	c->addr = reply->dst.u3;

	return lt_heal_ask(ln, c);
}

/* Has something else than NAT a part in it? NAT tells of what it has changed. IPVS
 * puts its real server, or its own address, into the reply tuple, and does not tell.
 */
static bool lt_heal_is_foreign(const struct lt_heal_job *job)
{
	const struct nf_conntrack_tuple *flow, *reply;
	unsigned long status = READ_ONCE(job->ct->status);
	u8 proto = nf_ct_protonum(job->ct);
	bool kept;

	flow = lt_ct_tuple(job->ct, IP_CT_DIR_ORIGINAL);
	reply = lt_ct_tuple(job->ct, IP_CT_DIR_REPLY);
	kept = nf_inet_addr_cmp(&flow->dst.u3, &reply->src.u3) &&
	       ((proto != IPPROTO_TCP && proto != IPPROTO_UDP) ||
		flow->dst.u.all == reply->src.u.all);
	if (job->is_foreign || (!kept && !(status & IPS_DST_NAT)))
		return true;

	return !(status & IPS_SRC_NAT) &&
	       !nf_inet_addr_cmp(&flow->src.u3, &reply->dst.u3);
}

/**
 * lt_heal_judge() - would the rules decide the same about a flow
 * @ln: the module's part of the network namespace
 * @job: the flow, and a packet of it
 * @reply: of what is LT_HEAL_WRONG: the reply tuple that the flow should have
 *
 * Context: may sleep.
 * Return: see enum lt_heal_finding.
 */
enum lt_heal_finding lt_heal_judge(struct lt_net *ln, const struct lt_heal_job *job,
				   struct nf_conntrack_tuple *reply)
{
	struct lt_heal_case first, last;
	enum lt_heal_finding finding;

	if (lt_heal_is_foreign(job))
		return LT_HEAL_FOREIGN;

	*reply = *lt_ct_tuple(job->ct, IP_CT_DIR_REPLY);
	finding = lt_heal_judge_destination(ln, job, &first);
	if (finding == LT_HEAL_WRONG) {
		reply->src.u3 = first.answer.addr;
		reply->src.u.all = first.answer.port;
	}
	if (finding != LT_HEAL_RIGHT)
		return finding;

	finding = lt_heal_judge_source(ln, job, &first, &last);
	if (finding == LT_HEAL_WRONG) {
		reply->dst.u3 = last.answer.addr;
		reply->dst.u.all = last.answer.port;
	}

	return finding;
}
