// SPDX-License-Identifier: GPL-2.0
/* NAT of a new flow: take it back, let the rules choose the source again. */

#include <linux/jhash.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/rcupdate.h>
#include <linux/sched/clock.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_nat.h>
#include <net/tcp.h>

#include "core/ct.h"
#include "core/nat.h"
#include "core/nathook.h"
#include "core/new.h"
#include "core/work.h"
#include "core/xfrm.h"
#include "net.h"

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

/* Where a port is looked for: all of the reply tuple but the port. */
static u32 lt_nat_where(const struct nf_conn *ct)
{
	const struct nf_conntrack_tuple *reply = lt_ct_tuple(ct, IP_CT_DIR_REPLY);
	u32 hash = jhash2((const u32 *)&reply->src.u3, sizeof(reply->src.u3) / 4,
			  (__force u32)reply->src.u.all << 8 | reply->dst.protonum);

	return jhash2((const u32 *)&reply->dst.u3, sizeof(reply->dst.u3) / 4,
		      hash) ?: 1;
}

/**
 * lt_nat_may_pick() - may a flow choose its source once more
 * @new: the flow
 *
 * Context: any but hard interrupts.
 * Return: false if that was enough.
 */
bool lt_nat_may_pick(const struct lt_new *new)
{
	if (!new->picks)
		return true;

	return new->picks < LT_NAT_PICKS &&
	       lt_work_may(new->ln, lt_nat_where(new->ct), new->picks);
}

/**
 * lt_nat_search_failed() - all choices were in vain
 * @new: the flow, with the last of them
 *
 * Context: any but hard interrupts.
 */
void lt_nat_search_failed(const struct lt_new *new)
{
	lt_work_full(new->ln, lt_nat_where(new->ct));
}

/**
 * lt_nat_marks() - the marks that rules see
 * @skb: packet
 * @ct: its entry
 *
 * Context: any.
 * Return: the marks as they are now.
 */
struct lt_nat_marks lt_nat_marks(const struct sk_buff *skb, const struct nf_conn *ct)
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
 * conntrack keeps the hash of the original tuple in the other one. It is NULL in
 * a new entry, and so are the notes there, which have all bits inverted: two
 * marks of all ones can't be noted.
 */
static unsigned long *lt_nat_notes(struct nf_conn *ct)
{
	static_assert(sizeof(ct->tuplehash[0].hnnode.pprev) ==
		      sizeof(unsigned long));

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

	*lt_nat_notes(ct) = ~((u64)marks.flow << 32 | marks.packet);
}

static bool lt_nat_is_noted(struct nf_conn *ct)
{
	return *lt_nat_notes(ct);
}

/**
 * lt_nat_marks_before() - the marks that rules for the source have seen
 * @new: the flow
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 * Return: as noted, or else what they are now.
 */
struct lt_nat_marks lt_nat_marks_before(const struct lt_new *new)
{
	struct lt_nat_marks marks = lt_nat_marks(new->skb, new->ct);
	u64 notes = ~*lt_nat_notes(new->ct);

	if (!lt_nat_is_noted(new->ct))
		return marks;

	marks.packet = lower_32_bits(notes);
	if (BITS_PER_LONG == 64)
		marks.flow = upper_32_bits(notes);

	return marks;
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

/* Change the packet as the binding says, which is there. That is what NAT's own
 * hook does with the second packet of a flow, and it sees to IPsec.
 */
static unsigned int lt_nat_apply(const struct lt_new *new)
{
	const struct nf_hook_state *state = new->state;
	const struct nf_hook_entry *base;
	unsigned int verdict;

	base = lt_nathook_find(state->net, state->pf, state->hook);
	if (base)
		verdict = base->hook(base->priv, new->skb, state);
	else
		verdict = nf_nat_packet(new->ct, IP_CT_NEW, state->hook, new->skb);

	return verdict == NF_ACCEPT ? lt_xfrm_again(new) : verdict;
}

/* Give a flow a source as if no rule had one for it. */
static unsigned int lt_nat_bind_null(const struct lt_new *new)
{
	unsigned int verdict = nf_nat_alloc_null_binding(new->ct,
							 new->state->hook);

	return verdict == NF_ACCEPT ? lt_nat_apply(new) : verdict;
}

static unsigned int lt_nat_run(const struct lt_new *new,
			       const struct nf_hook_entry *base)
{
	u64 begin = local_clock();
	unsigned int verdict = base->hook(base->priv, new->skb, new->state);

	lt_work_spend(new->ln, local_clock() - begin);

	return verdict;
}

/**
 * lt_nat_repick() - have the source of a flow chosen again
 * @new: the flow, whose entry is exclusive
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
int lt_nat_repick(struct lt_new *new, unsigned int *verdict)
{
	const struct nf_hook_state *state = new->state;
	struct sk_buff *skb = new->skb;
	struct nf_conn *ct = new->ct;
	union nf_inet_addr before = lt_ct_tuple(ct, IP_CT_DIR_REPLY)->dst.u3;
	struct lt_nat_marks marks = lt_nat_marks(skb, ct);
	bool noted = lt_nat_is_noted(ct);
	const struct nf_hook_entry *base;
	int err;

	base = lt_nathook_find(state->net, state->pf, state->hook);
	if (!base)
		return -ENOENT;

	err = lt_nat_undo(skb, ct, state);
	if (err)
		return err;

	new->picks++;
	if (new->unsnat) {
		*verdict = lt_nat_bind_null(new);
		return 0;
	}

	if (noted)
		lt_nat_set_marks(skb, ct, lt_nat_marks_before(new));
	*verdict = lt_nat_run(new, base);
	if ((*verdict & NF_VERDICT_MASK) == NF_STOLEN)
		return 0;

	/* Rules further on have seen these, and don't run again. */
	lt_nat_set_marks(skb, ct, marks);
	if (*verdict == NF_ACCEPT)
		*verdict = lt_xfrm_again(new);
	if (*verdict != NF_ACCEPT)
		return 0;

	if (!lt_nat_is_sound(ct, noted, &before))
		return -ESTALE;

	if (state->hook == NF_INET_LOCAL_IN)
		lt_nat_forget_socket(skb, ct);

	return 0;
}

/**
 * lt_nat_save() - keep the source binding of a flow, to go back to it
 * @ct: entry, unconfirmed
 *
 * Context: any.
 * Return: the binding.
 */
struct lt_nat_binding lt_nat_save(const struct nf_conn *ct)
{
	struct lt_nat_binding binding = {
		.reply = *lt_ct_tuple(ct, IP_CT_DIR_REPLY),
	};
#if IS_ENABLED(CONFIG_NF_NAT_MASQUERADE)
	const struct nf_conn_nat *nat = nfct_nat(ct);

	if (nat)
		binding.masquerade = nat->masq_index;
#endif
	return binding;
}

/**
 * lt_nat_bind() - give a flow a source it had before
 * @new: the flow, whose entry is exclusive
 * @binding: from lt_nat_save()
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 * Return: a netfilter verdict: NF_ACCEPT, unless IPsec has no way for the packet
 * now. If the packet can't be written to, it is as it was, and accepted.
 */
unsigned int lt_nat_bind(const struct lt_new *new,
			 const struct lt_nat_binding *binding)
{
	const struct nf_conntrack_tuple *reply = &binding->reply;
	const struct nf_nat_range2 range = {
		.flags = NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED,
		.min_addr = reply->dst.u3,
		.max_addr = reply->dst.u3,
		.min_proto = { .all = reply->dst.u.all },
		.max_proto = { .all = reply->dst.u.all },
	};

	if (nf_ct_tuple_equal(lt_ct_tuple(new->ct, IP_CT_DIR_REPLY), reply) ||
	    lt_nat_undo(new->skb, new->ct, new->state))
		return NF_ACCEPT;

	/* The packet has just been made writable, so this can't fail. */
	nf_nat_setup_info(new->ct, &range, NF_NAT_MANIP_SRC);
#if IS_ENABLED(CONFIG_NF_NAT_MASQUERADE)
	if (nfct_nat(new->ct))
		nfct_nat(new->ct)->masq_index = binding->masquerade;
#endif

	return lt_nat_apply(new);
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
