// SPDX-License-Identifier: GPL-2.0
/* NAT of a new flow: take it back, let the rules choose the source again. */

#include <linux/bottom_half.h>
#include <linux/jiffies.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_nat.h>
#include <net/tcp.h>

#include "core/ct.h"
#include "feature/loopsnat.h"
#include "core/nat.h"

/*
 * The range a rule allows is on the stack of nf_nat_setup_info() and nowhere
 * else. Hence a port is picked again by the only one who knows: the packet is
 * put back to what it was, and NAT's own hook runs once more, with all rules.
 * That is close to what the client's retransmission would meet a second later.
 * NAT's hook also sees to IPsec: it looks the policy up again for the new port.
 *
 * Rules change more than the source. A rule that matches a mark and clears it,
 * as kube-proxy's do ("mark ! 0x4000 RETURN; MARK xor 0x4000; MASQUERADE"),
 * does not match a second time. Where that happens, marks are noted when NAT
 * begins, put back for the second run, and set to what they have become after
 * it. Whatever the rules say then is right. Without notes, a source address
 * other than the first one's shows that something has changed; nor must a
 * packet leave untranslated, if it was not meant to.
 */

/* In a range that is full each choice is in vain, and this is softirq: who sends
 * first packets must not be able to buy seventeen searches with each. One more
 * choice is what a lost race takes, and every flow has it. Those beyond are the
 * CPU's to give, so many in each jiffy.
 */
struct lt_nat_budget {
	u32 tick;
	u32 left;
};

/* Used with BHs off or in softirq, by its own CPU. */
static DEFINE_PER_CPU(struct lt_nat_budget, lt_nat_budget);

/**
 * lt_nat_may_pick() - may a flow choose its source once more
 * @picks: how often it has, after NAT chose first
 *
 * Context: any but hard interrupts.
 * Return: false if that was enough.
 */
bool lt_nat_may_pick(unsigned int picks)
{
	struct lt_nat_budget *budget;
	u32 now = jiffies;
	bool may = true;

	if (!picks)
		return true;
	if (picks >= LT_NAT_PICKS)
		return false;

	local_bh_disable();
	budget = this_cpu_ptr(&lt_nat_budget);
	if (budget->tick != now) {
		budget->tick = now;
		budget->left = LT_NAT_PICKS;
	}
	if (budget->left)
		budget->left--;
	else
		may = false;
	local_bh_enable();

	return may;
}

/**
 * struct lt_nat_marks - what rules match on, and change
 * @packet: mark of the packet
 * @flow: mark of the entry
 */
struct lt_nat_marks {
	u32 packet;
	u32 flow;
};

static struct lt_nat_marks lt_nat_marks(const struct sk_buff *skb,
					const struct nf_conn *ct)
{
	struct lt_nat_marks marks = { .packet = skb->mark };

#if IS_ENABLED(CONFIG_NF_CONNTRACK_MARK)
	marks.flow = READ_ONCE(ct->mark);
#endif
	return marks;
}

static void lt_nat_set_marks(struct sk_buff *skb, struct nf_conn *ct,
			     struct lt_nat_marks marks)
{
	skb->mark = marks.packet;
#if IS_ENABLED(CONFIG_NF_CONNTRACK_MARK)
	WRITE_ONCE(ct->mark, marks.flow);
#endif
}

/* Where marks are noted: until an entry is in the hash, nothing uses this link.
 * conntrack keeps the hash of the original tuple in the other one.
 */
static unsigned long *lt_nat_notes(struct nf_conn *ct)
{
	return (unsigned long *)&ct->tuplehash[IP_CT_DIR_ORIGINAL].hnnode.pprev;
}

/**
 * lt_nat_note() - note the marks of a packet that NAT is about to see
 * @skb: the flow's first packet
 * @ct: its entry; unconfirmed and exclusive, so that nobody else can put it
 *	into the hash meanwhile
 *
 * On 32 bit there is no room for the mark of the flow, which then stays what
 * the first run of the rules made of it.
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 */
void lt_nat_note(const struct sk_buff *skb, struct nf_conn *ct)
{
	struct lt_nat_marks marks = lt_nat_marks(skb, ct);

	*lt_nat_notes(ct) = (u64)marks.flow << 32 | marks.packet;
}

static void lt_nat_recall(struct sk_buff *skb, struct nf_conn *ct)
{
	struct lt_nat_marks marks = lt_nat_marks(skb, ct);
	u64 notes = *lt_nat_notes(ct);

	marks.packet = lower_32_bits(notes);
	if (BITS_PER_LONG == 64)
		marks.flow = upper_32_bits(notes);

	lt_nat_set_marks(skb, ct, marks);
}

/* Its own stack frame: the name is long. */
static noinline_for_stack bool lt_nat_is_base(nf_hookfn *hook)
{
	static const char prefix[] = "nf_nat_ipv";
	char name[KSYM_SYMBOL_LEN];

	sprint_symbol_no_offset(name, (unsigned long)hook);

	return !strncmp(name, prefix, strlen(prefix));
}

/* NAT's hook functions are static: they are recognised by their names once,
 * and by their addresses from then on.
 */
static const struct nf_hook_entry *
lt_nat_base_hook(const struct nf_hook_state *state)
{
	/* By family and hook. Whoever comes second writes the same. */
	static nf_hookfn *bases[2][2];
	struct nf_hook_entries __rcu *const *list;
	const struct nf_hook_entries *e;
	bool ipv6 = state->pf == NFPROTO_IPV6;
	nf_hookfn **slot = &bases[ipv6][state->hook == NF_INET_LOCAL_IN];
	nf_hookfn *base = READ_ONCE(*slot);
	unsigned int i;

	list = ipv6 ? state->net->nf.hooks_ipv6 : state->net->nf.hooks_ipv4;
	e = rcu_dereference(list[state->hook]);

	for (i = 0; e && i < e->num_hook_entries; i++) {
		nf_hookfn *hook = e->hooks[i].hook;

		if (base ? hook == base : lt_nat_is_base(hook)) {
			WRITE_ONCE(*slot, hook);
			return &e->hooks[i];
		}
	}

	return NULL;
}

/* The device NAT masquerades by: when that goes, so do its flows. */
static void lt_nat_forget_masquerade(struct nf_conn *ct)
{
#if IS_ENABLED(CONFIG_NF_NAT_MASQUERADE)
	struct nf_conn_nat *nat = nfct_nat(ct);

	if (nat)
		nat->masq_index = 0;
#endif
}

/* Is what the rules chose what they might have chosen at first? */
static bool lt_nat_is_sound(const struct nf_conn *ct, bool noted,
			    const union nf_inet_addr *before)
{
	const union nf_inet_addr *client, *now;

	client = &lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL)->src.u3;
	now = &lt_ct_tuple(ct, IP_CT_DIR_REPLY)->dst.u3;

	if (nf_inet_addr_cmp(now, before))
		return true;

	return noted && !nf_inet_addr_cmp(now, client);
}

/* Undo nf_nat_setup_info() for the source side and what was done to the packet
 * on its account. The entry is not in the hash yet and only this packet has
 * it, but find_appropriate_src() may be looking at its reply tuple:
 *
 *	CPU 0					CPU 1
 *						in the by-source list, at our entry
 *	remove_nat_bysrc()
 *	alter_reply()				copies half of the old address,
 *						half of the new one
 *
 * That makes a candidate for another flow of the same client socket, which is
 * checked against the rule's range and the hash before it is used: unless the
 * other flow's rule names ports and no address, a torn one is thrown away.
 */
static int lt_nat_undo(struct sk_buff *skb, struct nf_conn *ct,
		       const struct nf_hook_state *state)
{
	const struct nf_nat_hook *nat = rcu_dereference(nf_nat_hook);
	struct nf_conntrack_tuple chosen, plain;

	if (!nat)
		return -ENOENT;

	chosen = *lt_ct_tuple(ct, IP_CT_DIR_REPLY);
	if (!lt_ct_plain_reply(ct, &plain))
		return -EINVAL;

	/* As remove_nat_bysrc() is for those in the list only. */
	if (test_bit(IPS_SRC_NAT_DONE_BIT, &ct->status))
		nat->remove_nat_bysrc(ct);
	clear_bit(IPS_SRC_NAT_DONE_BIT, &ct->status);

	if (test_bit(IPS_SRC_NAT_BIT, &ct->status)) {
		nf_conntrack_alter_reply(ct, &plain);
		if (nf_nat_packet(ct, IP_CT_NEW, state->hook, skb) != NF_ACCEPT) {
			/* Out of memory, before a byte was changed. Without
			 * being listed by source the entry is as good as ever.
			 */
			nf_conntrack_alter_reply(ct, &chosen);
			return -ENOMEM;
		}
		clear_bit(IPS_SRC_NAT_BIT, &ct->status);
	}

	lt_nat_forget_masquerade(ct);
	return 0;
}

/* Early demux took the socket by the packet's address of that time. As in
 * NAT's own LOCAL_IN hook, which on 6.1 looks at the address only: what it found
 * for another port is the wrong socket. TPROXY's choice is a rule's.
 */
static void lt_nat_forget_socket(struct sk_buff *skb, const struct nf_conn *ct)
{
	if (test_bit(IPS_SRC_NAT_BIT, &ct->status) && skb->sk &&
	    !inet_sk_transparent(skb->sk))
		skb_orphan(skb);
}

/* Give a flow a source as if no rule had one for it. The packet has just been
 * made writable.
 */
static unsigned int lt_nat_bind_null(struct sk_buff *skb, struct nf_conn *ct,
				     const struct nf_hook_state *state)
{
	unsigned int verdict = nf_nat_alloc_null_binding(ct, state->hook);

	if (verdict != NF_ACCEPT)
		return verdict;

	return nf_nat_packet(ct, IP_CT_NEW, state->hook, skb);
}

/**
 * lt_nat_repick() - have the source of a flow chosen again
 * @skb: the flow's first packet
 * @ct: its entry; unconfirmed, exclusive, with a source binding
 * @state: of the hook, POST_ROUTING or LOCAL_IN, that @skb is in
 * @noted: its marks were noted, lt_nat_note()
 * @verdict: set on success. That of the rules: the packet is no longer there if
 *	it is NF_STOLEN.
 *
 * By the NAT rules, unless loopsnat keeps them off the flow.
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 * Return: 0. Or -ESTALE if what the rules chose can't be right: the packet must
 * not leave like that. Or another negative error, and packet and tuples are as
 * they were: -ENOENT if NAT's hook wasn't found, -ENOMEM if the packet couldn't
 * be written to, -EINVAL if the protocol has no reply.
 */
int lt_nat_repick(struct sk_buff *skb, struct nf_conn *ct,
		  const struct nf_hook_state *state, bool noted,
		  unsigned int *verdict)
{
	union nf_inet_addr before = lt_ct_tuple(ct, IP_CT_DIR_REPLY)->dst.u3;
	bool exempt = lt_loopsnat_exempts(skb, state);
	struct lt_nat_marks marks = lt_nat_marks(skb, ct);
	const struct nf_hook_entry *base = NULL;
	int err;

	if (!exempt) {
		base = lt_nat_base_hook(state);
		if (!base)
			return -ENOENT;
	}

	err = lt_nat_undo(skb, ct, state);
	if (err)
		return err;

	if (exempt) {
		*verdict = lt_nat_bind_null(skb, ct, state);
		return 0;
	}

	if (noted)
		lt_nat_recall(skb, ct);
	*verdict = base->hook(base->priv, skb, state);
	if ((*verdict & NF_VERDICT_MASK) == NF_STOLEN)
		return 0;

	/* Rules further on have seen these, and don't run again. */
	lt_nat_set_marks(skb, ct, marks);
	if (*verdict != NF_ACCEPT)
		return 0;

	if (!lt_nat_is_sound(ct, noted, &before))
		return -ESTALE;

	if (state->hook == NF_INET_LOCAL_IN)
		lt_nat_forget_socket(skb, ct);

	return 0;
}

/**
 * lt_nat_bind() - give a flow a source it had before
 * @skb: the flow's first packet
 * @ct: its entry; unconfirmed, exclusive, with a source binding
 * @state: of the hook, POST_ROUTING or LOCAL_IN, that @skb is in
 * @reply: the reply tuple it had
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 * Return: 0, or a negative error, and packet and tuples are as they were.
 */
int lt_nat_bind(struct sk_buff *skb, struct nf_conn *ct,
		const struct nf_hook_state *state,
		const struct nf_conntrack_tuple *reply)
{
	const struct nf_nat_range2 range = {
		.flags = NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED,
		.min_addr = reply->dst.u3,
		.max_addr = reply->dst.u3,
		.min_proto = { .all = reply->dst.u.all },
		.max_proto = { .all = reply->dst.u.all },
	};
	int err = lt_nat_undo(skb, ct, state);

	if (err)
		return err;

	/* The packet has just been made writable, so neither can fail. */
	nf_nat_setup_info(ct, &range, NF_NAT_MANIP_SRC);
	nf_nat_packet(ct, IP_CT_NEW, state->hook, skb);

	return 0;
}

/* Find the route again, or leave the one there is: after an error the kernel's own
 * callers drop the packet, which has no route then, or not that of its destination.
 */
static int lt_nat_route(struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct dst_entry *before = skb_dst(skb);
	int err;

	if (!dst_hold_safe(before))
		return -EHOSTUNREACH;

	if (state->pf == NFPROTO_IPV6)
		err = nf_ip6_route_me_harder(state->net, state->sk, skb);
	else
		err = ip_route_me_harder(state->net, state->sk, skb, RTN_UNSPEC);
	if (!err) {
		dst_release(before);
		return 0;
	}

	skb_dst_drop(skb);
	skb_dst_set(skb, before);

	return err;
}

/**
 * lt_nat_release() - take back what was done to the destination of a local flow
 * @skb: the flow's first packet
 * @ct: its entry; unconfirmed, exclusive, with a destination that was changed
 *	and without a source binding
 * @state: of the hook, LOCAL_OUT
 *
 * The flow keeps its binding, which changes nothing: no rule runs again.
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 * Return: 0, or a negative error, and packet and tuples are as they were: -ENOMEM
 * if the packet couldn't be written to, -EINVAL if the protocol has no reply, or
 * that of the route where it was addressed.
 */
int lt_nat_release(struct sk_buff *skb, struct nf_conn *ct,
		   const struct nf_hook_state *state)
{
	const struct nf_conntrack_tuple chosen = *lt_ct_tuple(ct, IP_CT_DIR_REPLY);
	struct nf_conntrack_tuple plain;
	int err;

	if (!nf_ct_invert_tuple(&plain, lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL)))
		return -EINVAL;

	nf_conntrack_alter_reply(ct, &plain);
	if (nf_nat_packet(ct, IP_CT_NEW, state->hook, skb) != NF_ACCEPT) {
		nf_conntrack_alter_reply(ct, &chosen);
		return -ENOMEM;
	}

	err = lt_nat_route(skb, state);
	if (err) {
		nf_conntrack_alter_reply(ct, &chosen);
		nf_nat_packet(ct, IP_CT_NEW, state->hook, skb);
		return err;
	}
	clear_bit(IPS_DST_NAT_BIT, &ct->status);

	return 0;
}
