/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_CT_H
#define _LT_CT_H

#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_helper.h>
#include <net/netfilter/nf_conntrack_seqadj.h>
#include <net/netfilter/nf_conntrack_synproxy.h>

struct nf_hook_state;

/**
 * enum lt_commit - what became of an attempt to commit an entry
 * @LT_COMMIT_DONE: it is in the hash. The packet may carry another entry now,
 *	and the one it carried may be gone (UDP, merged with its twin).
 * @LT_COMMIT_TAKEN: its reply tuple is in the hash already, or was a moment ago. The
 *	entry is as it was, and no attempt has been counted.
 * @LT_COMMIT_REFUSED: conntrack would not have it, and another port would not
 *	help. The packet is to be dropped.
 */
enum lt_commit {
	LT_COMMIT_DONE,
	LT_COMMIT_TAKEN,
	LT_COMMIT_REFUSED,
};

/**
 * lt_ct_tuple() - one direction of an entry
 * @ct: entry
 * @dir: direction
 *
 * Return: the tuple as packets of that direction arrive with.
 */
static inline const struct nf_conntrack_tuple *
lt_ct_tuple(const struct nf_conn *ct, enum ip_conntrack_dir dir)
{
	return &ct->tuplehash[dir].tuple;
}

/**
 * lt_ct_port_changed() - did NAT change the source port and nothing else of it
 * @ct: entry with a source binding
 *
 * So a null binding does when another flow has the reply tuple. A rule may,
 * too, if it says to take any port or an address that the source has already.
 *
 * Return: true if it did.
 */
static inline bool lt_ct_port_changed(const struct nf_conn *ct)
{
	const struct nf_conntrack_tuple *flow, *reply;

	flow = lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL);
	reply = lt_ct_tuple(ct, IP_CT_DIR_REPLY);

	return flow->src.u.all != reply->dst.u.all &&
	       nf_inet_addr_cmp(&flow->src.u3, &reply->dst.u3);
}

/*
 * The status of an entry is a word, of which conntrack uses the lower 16 bits and
 * shows the lower 32 to user space. The upper half is zero in a new entry, and only
 * this module writes it, by atomic operations; where conntrack writes status in
 * another way, no other CPU has the entry yet. Bits 32 to 59 are those of express, 60
 * and 61 count rounds without an answer (LT_UNANSWERED_SHIFT), bit 62 is that of the
 * owner (LT_OWNER_BIT), bit 63 that of linger (LT_LINGER_BIT). A word of 32 bits has no
 * upper half.
 */

/* Is the upper half there, and zero in a new entry? Written once, before there are hooks. */
extern bool lt_ct_room;

/**
 * lt_ct_has_room() - can the module keep bits in the status of an entry
 *
 * Context: any.
 * Return: false on 32 bit, and where a new entry shows that the kernel itself uses
 * these bits.
 */
static inline bool lt_ct_has_room(void)
{
	return BITS_PER_LONG == 64 && lt_ct_room;
}

/**
 * lt_ct_is_plain() - do conntrack and NAT alone act on a flow's packets
 * @skb: a packet of it
 * @ct: its entry
 *
 * Not if
 *
 * - a helper or synproxy acts in conntrack's own confirm hook, after us, and
 *   adds extensions there, which must not happen to a confirmed entry;
 * - IPVS did the NAT and keeps a table of its own.
 *
 * Return: true if they do.
 */
static inline bool lt_ct_is_plain(const struct sk_buff *skb, const struct nf_conn *ct)
{
#if IS_ENABLED(CONFIG_IP_VS)
	if (skb->ipvs_property)
		return false;
#endif
	return !nfct_help(ct) && !nfct_seqadj(ct) && !nfct_synproxy(ct);
}

/**
 * lt_ct_is_exclusive() - may an unconfirmed entry be changed and committed
 * @skb: packet that carries it
 * @ct: entry, unconfirmed
 *
 * Not if somebody else relies on it:
 *
 * - who is named at lt_ct_is_plain();
 * - other packets carry it too (a bridge flooded clones, multicast): they
 *   would be rewritten to a port this one no longer has;
 * - an expected connection got its NAT from its master and not from rules.
 *
 * Return: true if the module may act.
 */
static inline bool lt_ct_is_exclusive(const struct sk_buff *skb,
				      const struct nf_conn *ct)
{
	return lt_ct_is_plain(skb, ct) && !ct->master &&
	       refcount_read(&ct->ct_general.use) == 1;
}

enum lt_commit lt_ct_commit(struct sk_buff *skb, struct nf_conn *ct);
struct nf_conn *lt_ct_find(struct net *net, const struct nf_conntrack_zone *zone,
			   const struct nf_conntrack_tuple *t,
			   enum ip_conntrack_dir *dir);
struct nf_conn *lt_ct_find_in(struct net *net, u16 id,
			      const struct nf_conntrack_tuple *t);
struct nf_conn *lt_ct_holder_get(const struct nf_conn *ct);
bool lt_ct_may_evict(const struct nf_conn *ct);
bool lt_ct_evict(struct nf_conn *ct);
int lt_ct_restart(struct sk_buff *skb, struct nf_conn *ct,
		  const struct nf_hook_state *state, unsigned int *verdict);
bool lt_ct_plain_reply(const struct nf_conn *ct, struct nf_conntrack_tuple *plain);
bool lt_ct_is_twin(const struct nf_conn *a, const struct nf_conn *b);
bool lt_ct_is_loopback(const struct nf_conn *ct);
bool lt_ct_is_on(const struct net *net);
bool lt_ct_is_full(const struct net *net);

void lt_ct_init(void);

#endif /* _LT_CT_H */
