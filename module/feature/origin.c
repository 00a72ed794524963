// SPDX-License-Identifier: GPL-2.0
/* Feature origin: whom a flow comes from, before NAT and beyond the proxy. */

#include <linux/ktime.h>
#include <linux/netfilter.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <net/inet_sock.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "core/ct.h"
#include "net.h"
#include "feature/origin.h"

#include <uapi/linux/nf_looptrack_origin.h>

/*
 * A proxy that a redirect hands connections to sees its client's address, or
 * what NAT made of it, and nothing of who that is. The packet that opens a flow
 * passes our hook in the context of the process that opens it: that is when to
 * look.
 *
 * While the flow has an entry its owner is known; it is forgotten soon after, or
 * at once if linger ends the flow.
 */
/* Features that must know who opened a flow, beside those who ask. */
static bool lt_origin_is_needed(const struct lt_net *ln, bool udp, bool nat,
				bool loopback)
{
	if (loopback && (lt_mode(ln, NF_LOOPTRACK_FEATURE_PASSMARK) ||
			 (udp && lt_mode(ln, NF_LOOPTRACK_FEATURE_LINGER))))
		return true;

	return udp && nat && (lt_mode(ln, NF_LOOPTRACK_FEATURE_STALE) ||
			      lt_mode(ln, NF_LOOPTRACK_FEATURE_PORTS));
}

/* Nothing is proved about a flow that other sockets could send on, too, or that
 * has somebody else's address.
 */
static bool lt_origin_is_shared(struct lt_net *ln, const struct nf_conn *ct,
				const struct sock *sk)
{
	const struct nf_conntrack_tuple *flow = lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL);

	return !lt_sock_udp_is_alone(sk, flow) || !lt_sock_is_local(ln->net, flow);
}

/**
 * lt_origin_note() - remember the local socket that opens a flow
 * @ln: the module's part of the network namespace
 * @ct: the flow's entry, unconfirmed, after NAT
 * @state: of the hook, POST_ROUTING, that its first packet is in
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 */
void lt_origin_note(struct lt_net *ln, const struct nf_conn *ct,
		    const struct nf_hook_state *state)
{
	bool nat = READ_ONCE(ct->status) & IPS_NAT_MASK;
	bool loopback = state->out->flags & IFF_LOOPBACK;
	u8 mode = lt_mode(ln, NF_LOOPTRACK_FEATURE_ORIGIN);
	struct sock *sk = lt_owner_socket(ct, state);
	struct lt_owner *owner;
	unsigned int flags;
	bool udp;

	udp = nf_ct_protonum(ct) == IPPROTO_UDP;
	if (sk && mode)
		lt_stats_inc(&ln->stats, ORIGIN_SEEN);
	if (!sk || (mode != NF_LOOPTRACK_MODE_ENFORCE &&
		    !lt_origin_is_needed(ln, udp, nat, loopback))) {
		/* Who owned a flow of the same addresses and ports doesn't own
		 * this one.
		 */
		lt_owner_forget(&ln->owners, ct);
		return;
	}

	flags = loopback ? LT_OWNER_LOOPBACK : 0;
	if (loopback && lt_mode(ln, NF_LOOPTRACK_FEATURE_PASSMARK))
		flags |= LT_OWNER_COUNTED;
	if (udp && lt_origin_is_shared(ln, ct, sk))
		flags |= LT_OWNER_SHARED;

	owner = lt_owner_note(&ln->owners, ct, state, flags);
	if (!owner)
		return;

	if (mode == NF_LOOPTRACK_MODE_ENFORCE)
		lt_stats_inc(&ln->stats, ORIGIN_NOTED);
	if (udp && nat) {
		lt_net_want(ln, LT_HOOK_UDP);
		if (flags & LT_OWNER_SHARED)
			lt_stats_inc(&ln->stats, STALE_SHARED);
	}
	lt_stats_add(&ln->stats, ORIGIN_DROPPED, lt_owners_trim(&ln->owners));
	lt_owners_watch(ln);
}

/**
 * lt_origin_note_zone() - a zone is in use
 * @ln: the module's part of the network namespace
 * @id: of the zone, not the default one
 *
 * A socket does not know its flow's zone; it is looked for in those that were
 * seen. Where there are more, those that come later aren't.
 *
 * Context: any.
 */
void lt_origin_note_zone(struct lt_net *ln, u16 id)
{
	unsigned int i;
	u32 seen;

	for (i = 0; i < ARRAY_SIZE(ln->zones); i++) {
		seen = READ_ONCE(ln->zones[i]);
		if (!seen)
			seen = cmpxchg(&ln->zones[i], 0, id);
		if (!seen || seen == id)
			return;
	}
}

/* The entry of a socket's connection, referenced, or NULL. */
static struct nf_conn *lt_origin_entry(struct lt_net *ln,
				       const struct nf_conntrack_tuple *sent)
{
	struct nf_conn *ct;
	unsigned int i;
	u32 id;

	ct = lt_ct_find_in(ln->net, NF_CT_DEFAULT_ZONE_ID, sent);
	for (i = 0; !ct && i < ARRAY_SIZE(ln->zones); i++) {
		id = READ_ONCE(ln->zones[i]);
		if (!id)
			break;
		ct = lt_ct_find_in(ln->net, id, sent);
	}

	return ct;
}

static void lt_origin_tell_owner(struct nf_looptrack_origin *origin,
				 const struct lt_owner *owner)
{
	struct user_namespace *ns = current_user_ns();

	origin->known |= NF_LOOPTRACK_ORIGIN_SOCKET;
	origin->uid = from_kuid_munged(ns, owner->uid);
	origin->cookie = owner->cookie;
	origin->cgroup = owner->cgroup;
	origin->time = lt_owner_since(owner);

	if (!owner->pid)
		return;

	origin->known |= NF_LOOPTRACK_ORIGIN_PROCESS;
	origin->gid = from_kgid_munged(ns, owner->gid);
	origin->pid = lt_owner_pid(owner, task_active_pid_ns(current));
	memcpy(origin->comm, owner->comm, sizeof(origin->comm));
}

static void lt_origin_tell(struct lt_net *ln, struct nf_looptrack_origin *origin,
			   const struct nf_conn *ct)
{
	const struct nf_conntrack_tuple *flow = lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL);
	const struct lt_owner *owner = lt_owner_find(&ln->owners, ct);

	BUILD_BUG_ON(sizeof(origin->comm) != sizeof(owner->comm));

	*origin = (struct nf_looptrack_origin) {
		.size = sizeof(*origin),
		.family = flow->src.l3num,
		.protocol = flow->dst.protonum,
		.sport = flow->src.u.all,
		.dport = flow->dst.u.all,
		.zone = nf_ct_zone(ct)->id,
	};
	memcpy(origin->saddr, &flow->src.u3, sizeof(origin->saddr));
	memcpy(origin->daddr, &flow->dst.u3, sizeof(origin->daddr));

	if (owner && lt_owner_is_told(ln))
		lt_origin_tell_owner(origin, owner);
}

/* getsockopt(): about the caller's own connection, so anybody may. Called with a
 * reference on the module.
 */
static int lt_origin_get(struct sock *sk, int opt, void __user *to, int *len)
{
	struct lt_net *ln = lt_net(sock_net(sk));
	struct nf_looptrack_origin origin;
	struct nf_conntrack_tuple sent;
	struct nf_conn *ct;
	bool connected;

	if (sk->sk_protocol != IPPROTO_TCP || sk->sk_type != SOCK_STREAM)
		return -ENOPROTOOPT;
	if (*len < (int)offsetofend(struct nf_looptrack_origin, known))
		return -EINVAL;

	lock_sock(sk);
	connected = lt_sock_sent(&sent, sk);
	release_sock(sk);
	if (!connected)
		return -ENOTCONN;

	rcu_read_lock();
	ct = lt_origin_entry(ln, &sent);
	if (ct) {
		lt_origin_tell(ln, &origin, ct);
		nf_ct_put(ct);
	}
	rcu_read_unlock();
	if (!ct)
		return -ENOENT;

	*len = min_t(int, *len, sizeof(origin));
	return copy_to_user(to, &origin, *len) ? -EFAULT : 0;
}

static struct nf_sockopt_ops lt_origin_sockopt4 = {
	.pf = PF_INET,
	.get_optmin = NF_LOOPTRACK_SO_ORIGIN,
	.get_optmax = NF_LOOPTRACK_SO_ORIGIN + 1,
	.get = lt_origin_get,
	.owner = THIS_MODULE,
};

static struct nf_sockopt_ops lt_origin_sockopt6 = {
	.pf = PF_INET6,
	.get_optmin = NF_LOOPTRACK_SO_ORIGIN,
	.get_optmax = NF_LOOPTRACK_SO_ORIGIN + 1,
	.get = lt_origin_get,
	.owner = THIS_MODULE,
};

/**
 * lt_origin_set() - begin or end to tell owners
 * @ln: the module's part of the network namespace
 * @mode: about to be set
 *
 * Context: may sleep; with the lock of @ln.
 */
void lt_origin_set(struct lt_net *ln, u8 mode)
{
	/* An owner from before is not told when origin is on again. */
	if (mode != NF_LOOPTRACK_MODE_ENFORCE)
		lt_owners_flush(&ln->owners);
}

/**
 * lt_origin_init() - let proxies ask
 *
 * Context: may sleep.
 * Return: 0 or an error of nf_register_sockopt(): somebody has the number.
 */
int __init lt_origin_init(void)
{
	int err = nf_register_sockopt(&lt_origin_sockopt4);

	if (err)
		return err;

	err = nf_register_sockopt(&lt_origin_sockopt6);
	if (err)
		nf_unregister_sockopt(&lt_origin_sockopt4);

	return err;
}

/**
 * lt_origin_exit() - undo lt_origin_init()
 *
 * Context: may sleep. Nobody is asking any more when it returns.
 */
void lt_origin_exit(void)
{
	nf_unregister_sockopt(&lt_origin_sockopt6);
	nf_unregister_sockopt(&lt_origin_sockopt4);
}
