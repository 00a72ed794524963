// SPDX-License-Identifier: GPL-2.0
/* Claims: entries that stand for a socket's connection while NAT chooses. */

#include <linux/atomic.h>
#include <linux/err.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "core/claim.h"
#include "core/ct.h"

/* Nothing refreshes or evicts it, and no NAT has seen it. */
#define LT_CLAIM_STATUS \
	(IPS_CONFIRMED | IPS_SEEN_REPLY | IPS_ASSURED | IPS_FIXED_TIMEOUT)

/* How many there are, in all namespaces. Written only where a socket holds what NAT chose,
 * and read only by older kernels.
 */
static atomic_t lt_claims;

/* What a packet of the connection finds should be what it would be without us: an
 * entry that is established, both ways, and looks at no sequence numbers.
 */
static void lt_claim_establish(struct nf_conn *claim)
{
	struct ip_ct_tcp *tcp = &claim->proto.tcp;
	unsigned int dir;

	claim->status |= LT_CLAIM_STATUS;
	/* Should something go by it meanwhile: it is not expired. */
	WRITE_ONCE(claim->timeout, nfct_time_stamp + HZ);
	if (nf_ct_protonum(claim) != IPPROTO_TCP)
		return;

	tcp->state = TCP_CONNTRACK_ESTABLISHED;
	for (dir = 0; dir < IP_CT_DIR_MAX; dir++)
		tcp->seen[dir].flags = IP_CT_TCP_FLAG_BE_LIBERAL;
}

/**
 * lt_claim() - put into the hash what a socket holds
 * @ct: unconfirmed entry whose reply tuple NAT must not choose again
 *
 * NAT asks the conntrack ledger and no other what is taken. An entry that stands
 * for the socket's connection makes it look elsewhere, within whatever range
 * the rules allow. It is for the time of that choice only, a few microseconds.
 *
 * Context: with BHs off and RCU read lock.
 * Return: what to give to lt_unclaim(), or an error: -EEXIST if the tuple is in
 * the hash already, -ENOMEM or another one if it can't be put there.
 */
struct nf_conn *lt_claim(const struct nf_conn *ct)
{
	const struct nf_conntrack_tuple *reply = lt_ct_tuple(ct, IP_CT_DIR_REPLY);
	struct nf_conntrack_tuple flow;
	struct nf_conn *claim;
	int err;

	/* In a full table another one would have to go for it. */
	if (!nf_ct_invert_tuple(&flow, reply) || lt_ct_is_full(nf_ct_net(ct)))
		return ERR_PTR(-ENOMEM);

	claim = nf_conntrack_alloc(nf_ct_net(ct), nf_ct_zone(ct), &flow, reply,
				   GFP_ATOMIC);
	if (IS_ERR(claim))
		return claim;

	lt_claim_establish(claim);
	atomic_inc(&lt_claims);
	err = nf_conntrack_hash_check_insert(claim);
	if (err) {
		atomic_dec(&lt_claims);
		nf_conntrack_free(claim);
		return ERR_PTR(err);
	}

	return claim;
}

/**
 * lt_unclaim() - take it back
 * @claim: from lt_claim()
 *
 * Context: any but hard interrupts.
 */
void lt_unclaim(struct nf_conn *claim)
{
	lt_ct_evict(claim);
	nf_ct_put(claim);
	atomic_dec(&lt_claims);
}

/**
 * lt_claim_bars() - may a claim be in the way of a commit
 * @ct: the entry to be committed
 *
 * For kernels with LT_COMPAT_CLASH_MERGES_PLAIN. They would merge a flow of UDP or GRE into
 * the claim, which no NAT has seen and which is gone a moment later:
 *
 *	CPU 0					CPU 1
 *						NAT: is port P free? yes
 *	claim for the socket at P
 *						confirm(P): merged into the claim
 *	the claim is withdrawn
 *						the flow has no entry, and no NAT
 *
 * Context: any.
 * Return: true if the reply tuple is taken, by a claim or by another entry.
 */
bool lt_claim_bars(const struct nf_conn *ct)
{
	return atomic_read(&lt_claims) &&
	       nf_conntrack_tuple_taken(lt_ct_tuple(ct, IP_CT_DIR_REPLY), ct);
}

/**
 * lt_claim_is() - does an entry look like a claim
 * @ct: entry from the hash
 *
 * Context: any.
 * Return: true if it is one, or one of ctnetlink that looks the same.
 */
bool lt_claim_is(const struct nf_conn *ct)
{
	unsigned long status = READ_ONCE(ct->status);

	return (status & LT_CLAIM_STATUS) == LT_CLAIM_STATUS &&
	       !(status & IPS_NAT_DONE_MASK);
}
