// SPDX-License-Identifier: GPL-2.0
/* Owners of UDP flows: which socket opened them. */

#include <net/netfilter/nf_conntrack_zones.h>

#include "ct.h"
#include "owner.h"

/*
 * A TCP socket says by its state that it opens a connection. A UDP socket does
 * not, and its port may be anybody's a moment later; so what opened a flow is
 * remembered, for flows whose entry could mislead another: those that NAT
 * changes, and those that stay on the host.
 *
 * An owner is found by what it sends. That is enough: as long as hooks run, the
 * first packet of a flow makes forget what was remembered of another of the same
 * addresses and ports. No owner for a flow, because memory was short, or too many
 * others came since, means that nothing can be proved about it.
 */

/* The oldest go first. About 130 bytes each. */
#define LT_OWNERS_MAX	16384

static const struct rhashtable_params lt_owner_params = {
	.head_offset = offsetof(struct lt_owner, node),
	.key_offset = offsetof(struct lt_owner, key),
	.key_len = sizeof(struct lt_owner_key),
	.automatic_shrinking = true,
};

static void lt_owner_key(struct lt_owner_key *key, const struct nf_conn *ct)
{
	/* Compared as memory. */
	BUILD_BUG_ON(sizeof(*key) != sizeof(key->flow) + 2 * sizeof(u16));

	memset(key, 0, sizeof(*key));
	key->flow = *lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL);
	key->zone = nf_ct_zone(ct)->id;
}

/**
 * lt_owners_init() - prepare for remembering
 * @owners: where
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int lt_owners_init(struct lt_owners *owners)
{
	int err;

	spin_lock_init(&owners->lock);
	INIT_LIST_HEAD(&owners->list);

	err = rhashtable_init(&owners->table, &lt_owner_params);
	if (!err)
		rhashtable_walk_enter(&owners->table, &owners->sweep);

	return err;
}

static void lt_owner_del(struct lt_owners *owners, struct lt_owner *owner)
{
	rhashtable_remove_fast(&owners->table, &owner->node, lt_owner_params);
	list_del_init(&owner->list);
	WRITE_ONCE(owners->count, owners->count - 1);
	kfree_rcu(owner, rcu);
}

/**
 * lt_owners_flush() - forget all
 * @owners: of the namespace
 *
 * Context: any but hard interrupts.
 */
void lt_owners_flush(struct lt_owners *owners)
{
	struct lt_owner *owner, *next;

	spin_lock_bh(&owners->lock);
	list_for_each_entry_safe(owner, next, &owners->list, list)
		lt_owner_del(owners, owner);
	spin_unlock_bh(&owners->lock);
}

/**
 * lt_owners_free() - end
 * @owners: of a namespace in which no hook runs any more
 *
 * Context: may sleep.
 */
void lt_owners_free(struct lt_owners *owners)
{
	lt_owners_flush(owners);
	rhashtable_walk_exit(&owners->sweep);
	rhashtable_destroy(&owners->table);
}

/**
 * lt_owner_note() - remember who opened a flow
 * @owners: of the namespace
 * @ct: its entry
 * @sk: UDP socket that sends its first packet
 * @loopback: both ends are on this host
 *
 * Context: RCU read lock; softirq or process context.
 * Return: the owner, valid under the same read lock, or NULL.
 */
struct lt_owner *lt_owner_note(struct lt_owners *owners,
			       const struct nf_conn *ct, struct sock *sk,
			       bool loopback)
{
	struct lt_owner *owner;

	owner = kmalloc(sizeof(*owner), GFP_ATOMIC | __GFP_NOWARN);
	if (!owner)
		return NULL;

	lt_sock_cookie(sk);
	owner->who = lt_sock_who(sk);
	lt_owner_key(&owner->key, ct);
	owner->flags = loopback ? BIT(LT_OWNER_LOOPBACK) : 0;
	if (!lt_sock_udp_is_alone(sk, &owner->key.flow))
		owner->flags |= BIT(LT_OWNER_SHARED);

	spin_lock_bh(&owners->lock);
	/* Fails as well if another CPU was as fast with the same flow. */
	if (rhashtable_lookup_insert_fast(&owners->table, &owner->node,
					  lt_owner_params)) {
		kfree(owner);
		owner = NULL;
	} else {
		list_add_tail(&owner->list, &owners->list);
		WRITE_ONCE(owners->count, owners->count + 1);
		if (owners->count > LT_OWNERS_MAX)
			lt_owner_del(owners,
				     list_first_entry(&owners->list,
						      struct lt_owner, list));
	}
	spin_unlock_bh(&owners->lock);

	return owner;
}

/**
 * lt_owner_forget() - forget who opened an earlier flow
 * @owners: of the namespace
 * @ct: entry of a flow of the same addresses and ports
 *
 * Context: RCU read lock; softirq or process context.
 */
void lt_owner_forget(struct lt_owners *owners, const struct nf_conn *ct)
{
	struct lt_owner *owner;

	if (!READ_ONCE(owners->count))
		return;

	owner = lt_owner_find(owners, ct);
	if (owner)
		lt_owner_drop(owners, owner);
}

/**
 * lt_owner_find() - who opened a flow
 * @owners: of the namespace
 * @ct: its entry
 *
 * Context: RCU read lock.
 * Return: the owner, valid under the read lock; NULL if it isn't known.
 */
struct lt_owner *lt_owner_find(struct lt_owners *owners,
			       const struct nf_conn *ct)
{
	struct lt_owner_key key;

	lt_owner_key(&key, ct);
	return rhashtable_lookup(&owners->table, &key, lt_owner_params);
}

/**
 * lt_owner_is_alive() - does the socket still have the flow's port
 * @net: network namespace
 * @owner: who opened the flow
 *
 * Context: RCU read lock.
 * Return: true if it does.
 */
bool lt_owner_is_alive(struct net *net, const struct lt_owner *owner)
{
	return lt_sock_udp_has(net, ntohs(owner->key.flow.src.u.udp.port),
			       owner->who.cookie);
}

/**
 * lt_owner_drop() - forget one
 * @owners: of the namespace
 * @owner: found under the RCU read lock that is held; may be forgotten already
 */
void lt_owner_drop(struct lt_owners *owners, struct lt_owner *owner)
{
	spin_lock_bh(&owners->lock);
	if (!list_empty(&owner->list))
		lt_owner_del(owners, owner);
	spin_unlock_bh(&owners->lock);
}
