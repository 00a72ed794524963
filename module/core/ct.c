// SPDX-License-Identifier: GPL-2.0
/* The conntrack ledger: who holds a tuple, and how a new entry gets in. */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/hash.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/spinlock.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_helper.h>
#include <net/netfilter/nf_conntrack_seqadj.h>
#include <net/netfilter/nf_conntrack_synproxy.h>
#include <net/netfilter/nf_conntrack_timeout.h>
#include <net/netfilter/nf_conntrack_tuple.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "core/ct.h"
#include "core/sock.h"

/*
 * The hash is the arbiter: of two flows that want the same reply tuple at once
 * confirm lets the first one in. With TCP and most others that is all there is to
 * it. With UDP and GRE conntrack settles the clash itself, by an entry that is in
 * the hash with its original tuple only, for a second: replies go to the other
 * flow. There we must not try if the answer is known.
 *
 * lt_ct_locks - make looking and committing one step
 *
 * Each lock covers the reply tuples that hash to it, in all namespaces. It
 * protects no data: it only orders the commits of entries that want the same
 * reply tuple. Taken with BHs off; conntrack's own bucket locks nest inside.
 *
 * Without it, after NAT has chosen source port P for two flows at once:
 *
 *	CPU 0					CPU 1
 *	nf_conntrack_tuple_taken(P): free
 *						nf_conntrack_tuple_taken(P): free
 *	__nf_conntrack_confirm(P): in
 *						__nf_conntrack_confirm(P): clash,
 *						half an entry is made
 *
 * To look costs as much as a third of the commit. A flow without NAT wants a reply
 * tuple that only NAT can have given to another flow, and NAT found it free when the
 * packet passed. So such a flow looks only if a flow with NAT was committed under the
 * same lock in the last LT_CT_RECENT. A packet that waited longer between NAT and
 * here, in a queue, goes on to what conntrack makes of a clash itself.
 */
#define LT_CT_LOCK_BITS	8
#define LT_CT_LOCKS	BIT(LT_CT_LOCK_BITS)
#define LT_CT_RECENT	HZ

/**
 * struct lt_ct_lock - orders the commits of some reply tuples
 * @lock: see above
 * @natted: when a flow with NAT was committed last, in jiffies. Read and written
 *	under @lock.
 */
struct lt_ct_lock {
	spinlock_t lock;	/* see above */
	unsigned long natted;
} ____cacheline_aligned_in_smp;

static struct lt_ct_lock lt_ct_locks[LT_CT_LOCKS];

/* Of all in a tuple the ports differ most, and the client's address. Flows that
 * share a lock without need only wait for each other.
 */
static struct lt_ct_lock *lt_ct_lock(const struct nf_conntrack_tuple *reply)
{
	u32 key = (__force u32)reply->dst.u3.all[3] ^
		  (__force u32)reply->dst.u3.all[0] ^
		  ((__force u32)reply->src.u.all << 16) ^
		  (__force u32)reply->dst.u.all;

	return &lt_ct_locks[hash_32(key, LT_CT_LOCK_BITS)];
}

/* Did confirm refuse for want of the port? Or for something that another port
 * doesn't cure: the client's side of the flow is known already, a chain of the
 * hash is too long, or the entry is dead. On 6.1 the last can mean that it was in
 * the hash for a moment: it must not be touched any more.
 */
static bool lt_ct_wants_port(const struct nf_conn *ct)
{
	return !nf_ct_is_confirmed(ct) && !nf_ct_is_dying(ct) &&
	       nf_conntrack_tuple_taken(lt_ct_tuple(ct, IP_CT_DIR_REPLY), ct);
}

/* Can it be that another flow took the reply tuple since NAT found it free? Under
 * the lock.
 */
static bool lt_ct_may_be_taken(struct lt_ct_lock *lock, const struct nf_conn *ct)
{
	if (ct->status & IPS_NAT_MASK) {
		lock->natted = jiffies;
		return true;
	}

	return time_before(jiffies, lock->natted + LT_CT_RECENT);
}

/* Look first. */
static enum lt_commit lt_ct_commit_looking(struct sk_buff *skb,
					   struct nf_conn *ct)
{
	const struct nf_conntrack_tuple *reply;
	struct lt_ct_lock *lock;
	enum lt_commit ret;

	reply = lt_ct_tuple(ct, IP_CT_DIR_REPLY);
	lock = lt_ct_lock(reply);

	spin_lock_bh(&lock->lock);
	if (lt_ct_may_be_taken(lock, ct) && nf_conntrack_tuple_taken(reply, ct))
		ret = LT_COMMIT_TAKEN;
	else if (__nf_conntrack_confirm(skb) == NF_ACCEPT)
		ret = LT_COMMIT_DONE;
	else
		ret = lt_ct_wants_port(ct) ? LT_COMMIT_LOST : LT_COMMIT_REFUSED;
	spin_unlock_bh(&lock->lock);

	return ret;
}

/* conntrack counts a failed attempt as a lost packet, on the CPU that we are on,
 * and people watch that statistic. What is not lost is taken out of it again.
 */
static noinline enum lt_commit
lt_ct_commit_failed(const struct nf_conn *ct, struct ip_conntrack_stat *stat,
		    unsigned int failed, unsigned int drop)
{
	if (!lt_ct_wants_port(ct))
		return LT_COMMIT_REFUSED;

	stat->insert_failed = failed;
	stat->drop = drop;
	return LT_COMMIT_TAKEN;
}

/* Just try. */
static enum lt_commit lt_ct_commit_trying(struct sk_buff *skb,
					  const struct nf_conn *ct)
{
	enum lt_commit ret = LT_COMMIT_DONE;
	struct ip_conntrack_stat *stat;
	unsigned int failed, drop;

	local_bh_disable();
	stat = this_cpu_ptr(nf_ct_net(ct)->ct.stat);
	failed = stat->insert_failed;
	drop = stat->drop;
	if (unlikely(__nf_conntrack_confirm(skb) != NF_ACCEPT))
		ret = lt_ct_commit_failed(ct, stat, failed, drop);
	local_bh_enable();

	return ret;
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
	if (nf_ct_l4proto_find(nf_ct_protonum(ct))->allow_clash)
		return lt_ct_commit_looking(skb, ct);

	return lt_ct_commit_trying(skb, ct);
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
 */
void lt_ct_evict(struct nf_conn *ct)
{
	nf_ct_delete(ct, 0, 0);
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
bool lt_ct_is_plain(const struct sk_buff *skb, const struct nf_conn *ct)
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
bool lt_ct_is_exclusive(const struct sk_buff *skb, const struct nf_conn *ct)
{
	return lt_ct_is_plain(skb, ct) && !ct->master &&
	       refcount_read(&ct->ct_general.use) == 1;
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

/* An entry's status has an upper half that is zero at first. Written once, before
 * there are hooks.
 */
static bool lt_ct_room __ro_after_init;

/**
 * lt_ct_has_room() - can the module keep bits in the status of an entry
 *
 * Context: any.
 * Return: false on 32 bit, and where a new entry shows that the kernel itself uses
 * these bits.
 */
bool lt_ct_has_room(void)
{
	return BITS_PER_LONG == 64 && lt_ct_room;
}

/* Where no entry can be had, because the table is full or memory is short, the
 * kernel is taken for one of those that are known.
 */
static void __init lt_ct_check_room(void)
{
	struct nf_conntrack_tuple t = {
		.src.l3num = NFPROTO_IPV4,
		.dst.protonum = IPPROTO_UDP,
	};
	struct nf_conn *ct;

	/* Those of the kernel are shown to user space. */
	BUILD_BUG_ON(__IPS_MAX_BIT > 32);

	lt_ct_room = true;
	if (nf_conntrack_count(&init_net) >= nf_conntrack_max)
		return;
	ct = nf_conntrack_alloc(&init_net, &nf_ct_zone_dflt, &t, &t, GFP_KERNEL);
	if (IS_ERR(ct))
		return;

	lt_ct_room = !((u64)ct->status >> 32);
	if (!lt_ct_room)
		pr_warn("this kernel uses the upper half of an entry's status: no express\n");
	nf_conntrack_free(ct);
}

/**
 * lt_ct_init() - prepare the locks, and look whether entries are as expected
 *
 * Context: may sleep.
 */
void __init lt_ct_init(void)
{
	unsigned int i;

	for (i = 0; i < LT_CT_LOCKS; i++) {
		spin_lock_init(&lt_ct_locks[i].lock);
		lt_ct_locks[i].natted = jiffies - LT_CT_RECENT;
	}

	lt_ct_check_room();
}
