// SPDX-License-Identifier: GPL-2.0
/* Source NAT of a new flow: take it back, let the rules choose again. */

#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/netfilter.h>
#include <linux/rcupdate.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_nat.h>
#include <net/tcp.h>

#include "ct.h"
#include "nat.h"

/*
 * The range a rule allows is on the stack of nf_nat_setup_info() and nowhere
 * else. Hence a port is picked again by the only one who knows: the packet is
 * put back to what it was, and NAT's own hook runs once more, with all rules.
 * That is what the client's retransmission would have met a second later, so
 * whatever rules do (limits, counters, other addresses, a drop) they do as if
 * the first packet had been lost. NAT's hook also sees to IPsec: it looks the
 * policy up again for the new port.
 */

static bool lt_nat_is_base(nf_hookfn *hook)
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

/* Undo nf_nat_setup_info() for the source side and what was done to the packet
 * on its account. The entry is not in the hash yet and only this packet has
 * it, but find_appropriate_src() may be looking at its reply tuple:
 *
 *	CPU 0					CPU 1
 *						in the by-source list, at our entry
 *	remove_nat_bysrc()
 *	alter_reply()				copies half of the old tuple,
 *						half of the new one
 *
 * It makes a candidate of what it read, and a candidate is checked against the
 * rule's range and the hash before it is used; so a torn one does no harm.
 */
static int lt_nat_undo(struct sk_buff *skb, struct nf_conn *ct,
		       const struct nf_hook_state *state)
{
	const struct nf_nat_hook *nat = rcu_dereference(nf_nat_hook);
	struct nf_conntrack_tuple chosen, plain, reply;

	if (!nat)
		return -ENOENT;

	chosen = *lt_ct_tuple(ct, IP_CT_DIR_REPLY);
	/* The destination may have been translated and stays so. */
	if (!nf_ct_invert_tuple(&plain, &chosen))
		return -EINVAL;
	plain.src = lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL)->src;
	if (!nf_ct_invert_tuple(&reply, &plain))
		return -EINVAL;

	if (ct->status & IPS_SRC_NAT) {
		nf_conntrack_alter_reply(ct, &reply);
		if (nf_nat_packet(ct, IP_CT_NEW, state->hook, skb) != NF_ACCEPT) {
			/* Out of memory, before a byte was changed. */
			nf_conntrack_alter_reply(ct, &chosen);
			return -ENOMEM;
		}
	}

	nat->remove_nat_bysrc(ct);
	clear_bit(IPS_SRC_NAT_DONE_BIT, &ct->status);
	clear_bit(IPS_SRC_NAT_BIT, &ct->status);

	return 0;
}

/* Early demux took the socket by the packet's address of that time. As in
 * NAT's own LOCAL_IN hook, which before 6.7 looks at the address only: what
 * it found for another port is the wrong socket. TPROXY's choice is a rule's.
 */
static void lt_nat_forget_socket(struct sk_buff *skb)
{
	if (skb->sk && !inet_sk_transparent(skb->sk))
		skb_orphan(skb);
}

/**
 * lt_nat_repick() - have the NAT rules choose the source of a flow again
 * @skb: the flow's first packet
 * @ct: its entry; unconfirmed, exclusive, with a source binding
 * @state: of the hook, POST_ROUTING or LOCAL_IN, that @skb is in
 * @verdict: set on success to that of the rules. The packet is no longer ours
 *	if it isn't NF_ACCEPT.
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 * Return: 0, or a negative error, and packet and entry are as they were:
 * -ENOENT if NAT's hook wasn't found, -ENOMEM if the packet couldn't be
 * written to, -EINVAL if the protocol has no reply.
 */
int lt_nat_repick(struct sk_buff *skb, struct nf_conn *ct,
		  const struct nf_hook_state *state, unsigned int *verdict)
{
	const struct nf_hook_entry *base = lt_nat_base_hook(state);
	int err;

	if (!base)
		return -ENOENT;

	err = lt_nat_undo(skb, ct, state);
	if (err)
		return err;

	*verdict = base->hook(base->priv, skb, state);
	if (*verdict == NF_ACCEPT && state->hook == NF_INET_LOCAL_IN)
		lt_nat_forget_socket(skb);

	return 0;
}
