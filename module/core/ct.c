// SPDX-License-Identifier: GPL-2.0
/* The conntrack ledger: who holds a tuple, and how a new entry gets in. */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_helper.h>
#include <net/netfilter/nf_conntrack_timeout.h>
#include <net/netfilter/nf_conntrack_tuple.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "core/ct.h"
#include "core/sock.h"

/*
 * The hash is the arbiter: of two flows that want the same reply tuple at once confirm
 * lets the first one in, and the other one learns of it while its packet can still be
 * changed:
 *
 *	CPU 0					CPU 1
 *	NAT: is port P free? yes
 *						NAT: is port P free? yes
 *	__nf_conntrack_confirm(P): in
 *						__nf_conntrack_confirm(P): clash,
 *						nothing is changed
 *
 * That holds for UDP and GRE, too. What conntrack settles by half an entry is another
 * clash: of two packets of one flow, which have the original tuple in common.
 */

/* Is the clash about the reply tuple? Else another port is no cure: the client's side of
 * the flow is known already. If none of the two is in the hash, the holder has left it
 * meanwhile. Or it had expired: confirm takes that for a holder, and who looks removes it.
 */
static bool lt_ct_wants_port(const struct nf_conn *ct)
{
	struct nf_conn *known;

	if (nf_conntrack_tuple_taken(lt_ct_tuple(ct, IP_CT_DIR_REPLY), ct))
		return true;

	known = lt_ct_find(nf_ct_net(ct), nf_ct_zone(ct),
			   lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL), NULL);
	if (known)
		nf_ct_put(known);

	return !known;
}

/* Confirm counts a clash in drop and in insert_failed, on the CPU that we are on, and
 * people watch these statistics. What is not lost is taken out of them again. A chain of
 * the hash that is too long, or a dying entry, is counted otherwise. On 6.1 a dying entry
 * may have been in the hash for a moment, and must not get another port.
 */
static noinline enum lt_commit
lt_ct_commit_failed(const struct nf_conn *ct, bool clash)
{
	struct net *net = nf_ct_net(ct);

	if (!clash || nf_ct_is_confirmed(ct) || nf_ct_is_dying(ct) ||
	    !lt_ct_wants_port(ct))
		return LT_COMMIT_REFUSED;

	this_cpu_dec(net->ct.stat->insert_failed);
	this_cpu_dec(net->ct.stat->drop);
	return LT_COMMIT_TAKEN;
}

/**
 * lt_ct_commit() - put a new entry into the hash, if its reply tuple is free
 * @skb: its first packet
 * @ct: the entry @skb carries, unconfirmed, with a source binding
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 * Return: see enum lt_commit; re-read the packet's entry after LT_COMMIT_DONE.
 */
enum lt_commit lt_ct_commit(struct sk_buff *skb, struct nf_conn *ct)
{
	enum lt_commit ret = LT_COMMIT_DONE;
	const struct ip_conntrack_stat *stat;
	unsigned int drop;

	local_bh_disable();
	stat = this_cpu_ptr(nf_ct_net(ct)->ct.stat);
	drop = stat->drop;
	if (unlikely(__nf_conntrack_confirm(skb) != NF_ACCEPT))
		ret = lt_ct_commit_failed(ct, stat->drop != drop);
	local_bh_enable();

	return ret;
}

/**
 * lt_ct_find() - find the entry a tuple belongs to
 * @net: network namespace
 * @zone: conntrack zone
 * @t: tuple
 * @dir: set to the direction that matched, if there is an entry; or NULL
 *
 * Context: RCU read lock.
 * Return: the entry, to be released by nf_ct_put(), or NULL.
 */
struct nf_conn *lt_ct_find(struct net *net, const struct nf_conntrack_zone *zone,
			   const struct nf_conntrack_tuple *t,
			   enum ip_conntrack_dir *dir)
{
	struct nf_conntrack_tuple_hash *h = nf_conntrack_find_get(net, zone, t);

	if (!h)
		return NULL;

	if (dir)
		*dir = NF_CT_DIRECTION(h);
	return nf_ct_tuplehash_to_ctrack(h);
}

/**
 * lt_ct_find_in() - find the entry a tuple belongs to
 * @net: network namespace
 * @id: of a zone, for both directions
 * @t: tuple
 *
 * Context: RCU read lock.
 * Return: the entry, to be released by nf_ct_put(), or NULL.
 */
struct nf_conn *lt_ct_find_in(struct net *net, u16 id,
			      const struct nf_conntrack_tuple *t)
{
	struct nf_conntrack_zone zone;

	nf_ct_zone_init(&zone, id, NF_CT_DEFAULT_ZONE_DIR, 0);
	return lt_ct_find(net, &zone, t, NULL);
}

/**
 * lt_ct_holder_get() - find who holds the reply tuple an entry wants
 * @ct: unconfirmed entry
 *
 * Context: RCU read lock.
 * Return: the holder, to be released by nf_ct_put(), or NULL: gone meanwhile.
 */
struct nf_conn *lt_ct_holder_get(const struct nf_conn *ct)
{
	return lt_ct_find(nf_ct_net(ct), nf_ct_zone(ct),
			  lt_ct_tuple(ct, IP_CT_DIR_REPLY), NULL);
}

/**
 * lt_ct_may_evict() - may an entry be evicted before its timeout
 * @ct: a referenced entry that was found in the hash
 *
 * Not if something else relies on it:
 *
 * - a flowtable has a copy of an offloaded flow;
 * - IPS_FIXED_TIMEOUT: user space has set the timeout, and conntrack itself
 *   must not change it;
 * - a helper expects connections that belong to it;
 * - it is dying: it has left the hash, or is about to.
 *
 * Context: any.
 * Return: true if it may be given to lt_ct_evict().
 */
bool lt_ct_may_evict(const struct nf_conn *ct)
{
	return !test_bit(IPS_OFFLOAD_BIT, &ct->status) &&
	       !test_bit(IPS_FIXED_TIMEOUT_BIT, &ct->status) &&
	       !nf_ct_is_dying(ct) && !nfct_help(ct);
}

/**
 * lt_ct_evict() - take an entry out of the hash
 * @ct: a referenced entry that was found there; it may have gone meanwhile
 *
 * Context: any but hard interrupts, without locks of conntrack.
 * Return: true if the caller has taken it out. False if another CPU was faster, or if
 * conntrack could not deliver its destroy event yet and tries that again later.
 */
bool lt_ct_evict(struct nf_conn *ct)
{
	return nf_ct_delete(ct, 0, 0);
}

/**
 * lt_ct_restart() - evict a packet's entry and have conntrack look again
 * @skb: packet; it carries another entry afterwards, or none
 * @ct: the entry it was matched to, confirmed. The reference is consumed: in a
 *	full table there must be room for the next.
 * @state: of the hook, PRE_ROUTING or LOCAL_OUT, that @skb is in
 * @verdict: set on success: conntrack's
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 * Return: 0. Or a negative error with nothing changed: -ENOMEM, or -EOPNOTSUPP if
 * a rule or a master gave the entry what a new one would not have.
 */
int lt_ct_restart(struct sk_buff *skb, struct nf_conn *ct,
		  const struct nf_hook_state *state, unsigned int *verdict)
{
	const struct nf_conntrack_zone *zone = nf_ct_zone(ct);
	struct nf_conn *tmpl = NULL;
	int err = 0;

	/* The template that said so is gone. */
	if (ct->master || nfct_help(ct) || nf_ct_timeout_find(ct)) {
		err = -EOPNOTSUPP;
	} else if (zone->id != NF_CT_DEFAULT_ZONE_ID) {
		tmpl = nf_ct_tmpl_alloc(state->net, zone, GFP_ATOMIC);
		if (tmpl)
			__set_bit(IPS_CONFIRMED_BIT, &tmpl->status);
		else
			err = -ENOMEM;
	}
	if (err) {
		nf_ct_put(ct);
		return err;
	}

	lt_ct_evict(ct);
	nf_ct_put(ct);
	nf_reset_ct(skb);
	if (tmpl)
		nf_ct_set(skb, tmpl, IP_CT_NEW);
	*verdict = nf_conntrack_in(skb, state);

	return 0;
}

/**
 * lt_ct_is_twin() - are two entries the same flow, seen from its two ends
 * @a: entry
 * @b: entry
 *
 * Both ends may send first at the same time: a TCP simultaneous open, or two
 * UDP peers. Two entries are made then, and one has to give way to the other;
 * a new port for either would tear the flow apart.
 *
 * Return: true if each one's original direction is the other's reply.
 */
bool lt_ct_is_twin(const struct nf_conn *a, const struct nf_conn *b)
{
	return nf_ct_tuple_equal(lt_ct_tuple(a, IP_CT_DIR_ORIGINAL),
				 lt_ct_tuple(b, IP_CT_DIR_REPLY)) &&
	       nf_ct_tuple_equal(lt_ct_tuple(a, IP_CT_DIR_REPLY),
				 lt_ct_tuple(b, IP_CT_DIR_ORIGINAL));
}

/**
 * lt_ct_plain_reply() - what a flow's reply tuple is without source NAT
 * @ct: entry
 * @plain: to be filled. The destination may have been translated, and stays so.
 *
 * Return: false if the protocol has no reply.
 */
bool lt_ct_plain_reply(const struct nf_conn *ct, struct nf_conntrack_tuple *plain)
{
	struct nf_conntrack_tuple sent;

	if (!nf_ct_invert_tuple(&sent, lt_ct_tuple(ct, IP_CT_DIR_REPLY)))
		return false;
	sent.src = lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL)->src;

	return nf_ct_invert_tuple(plain, &sent);
}

/**
 * lt_ct_is_loopback() - are both ends of a flow on this host
 * @ct: entry
 *
 * Context: RCU read lock.
 * Return: true if they are, in the entry's network namespace.
 */
bool lt_ct_is_loopback(const struct nf_conn *ct)
{
	struct net *net = nf_ct_net(ct);

	return lt_sock_is_local(net, lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL)) &&
	       lt_sock_is_local(net, lt_ct_tuple(ct, IP_CT_DIR_REPLY));
}

static bool lt_ct_has_hook(struct nf_hook_entries __rcu *const *list)
{
	const struct nf_hook_entries *e;
	struct nf_hook_ops *const *ops;
	bool has = false;
	unsigned int i;

	rcu_read_lock();
	e = rcu_dereference(list[NF_INET_LOCAL_OUT]);
	ops = e ? nf_hook_entries_get_hook_ops(e) : NULL;
	for (i = 0; ops && i < e->num_hook_entries && !has; i++)
		has = ops[i]->priority == NF_IP_PRI_CONNTRACK;
	rcu_read_unlock();

	return has;
}

/**
 * lt_ct_is_on() - does conntrack look at packets here
 * @net: network namespace
 *
 * For packets without an entry: most often there is no conntrack at all.
 *
 * Context: any.
 * Return: false if it does in neither family.
 */
bool lt_ct_is_on(const struct net *net)
{
	return lt_ct_has_hook(net->nf.hooks_ipv4) ||
	       lt_ct_has_hook(net->nf.hooks_ipv6);
}

bool lt_ct_room __ro_after_init;

/**
 * lt_ct_is_full() - would conntrack drop an entry to make room for one more
 * @net: network namespace
 *
 * Context: any.
 * Return: true if it would. nf_conntrack_max = 0 is no limit.
 */
bool lt_ct_is_full(const struct net *net)
{
	return nf_conntrack_max && nf_conntrack_count(net) >= nf_conntrack_max;
}

/**
 * lt_ct_init() - look whether entries are as expected
 *
 * Where no entry can be had, because the table is full or memory is short, the
 * kernel is taken for one of those that are known.
 *
 * Context: may sleep.
 */
void __init lt_ct_init(void)
{
	struct nf_conntrack_tuple t = {
		.src.l3num = NFPROTO_IPV4,
		.dst.protonum = IPPROTO_UDP,
	};
	struct nf_conn *ct;

	/* Those of the kernel are shown to user space. */
	BUILD_BUG_ON(__IPS_MAX_BIT > 32);

	lt_ct_room = true;
	if (lt_ct_is_full(&init_net))
		return;
	ct = nf_conntrack_alloc(&init_net, &nf_ct_zone_dflt, &t, &t, GFP_KERNEL);
	if (IS_ERR(ct))
		return;

	lt_ct_room = !((u64)ct->status >> 32);
	if (!lt_ct_room)
		pr_warn("this kernel uses the upper half of an entry's status: no express\n");
	nf_conntrack_free(ct);
}
