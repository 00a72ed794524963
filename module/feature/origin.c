// SPDX-License-Identifier: GPL-2.0
/* Feature origin: whom a flow comes from, before NAT and beyond the proxy. */

#include <linux/delay.h>
#include <linux/netfilter.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/uaccess.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "core/ct.h"
#include "core/owner.h"
#include "core/sock.h"
#include "core/udp.h"
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

/* Can a socket send from an address that this host doesn't have? */
static bool lt_origin_may_be_foreign(struct net *net, struct sock *sk,
				     const struct nf_conntrack_tuple *flow)
{
	struct inet_sock *inet = inet_sk(sk);

#if IS_ENABLED(CONFIG_IPV6)
	if (flow->src.l3num == NFPROTO_IPV6)
		return ipv6_can_nonlocal_bind(net, inet);
#endif
	return inet_can_nonlocal_bind(net, inet);
}

/* Nothing is proved about a flow that has the address of another host, or that other
 * sockets could send on, too. Of a flow without NAT no more is asked than who could
 * send on it when it seems over: a look at all sockets of the port now is left out.
 */
static bool lt_origin_is_shared(struct lt_net *ln, const struct nf_conn *ct,
				struct sock *sk, bool nat)
{
	const struct nf_conntrack_tuple *flow = lt_ct_tuple(ct, IP_CT_DIR_ORIGINAL);

	if (lt_origin_may_be_foreign(ln->net, sk, flow) &&
	    !lt_sock_is_local(ln->net, flow))
		return true;
	if (!nat)
		return false;

	switch (lt_udp_senders(ln->net, flow, sk)) {
	case LT_UDP_NONE:
		return false;
	case LT_UDP_UNKNOWN:
		lt_stats_inc(&ln->stats, WORK_BOUNDED);
		break;
	case LT_UDP_SOME:
		break;
	}

	return true;
}

static unsigned int lt_origin_udp_flags(struct lt_net *ln,
					const struct nf_conn *ct,
					struct sock *sk, bool nat, bool loopback)
{
	unsigned int flags = 0;

	if (lt_origin_is_shared(ln, ct, sk, nat))
		flags |= LT_OWNER_SHARED;
	if (nat)
		flags |= LT_OWNER_NATTED;
	if (nat || loopback)
		flags |= LT_OWNER_FREQUENT;
	/* Otherwise some of the flow's packets might not be seen. */
	if (nat && READ_ONCE(ln->hooked) & BIT(LT_HOOK_OUT))
		flags |= LT_OWNER_WATCHED;

	return flags;
}

/* A socket that opens a connection: not one in the middle of it, whose entry was
 * lost. conntrack would take the side that happens to send first for the client.
 */
static bool lt_origin_is_open(const struct sock *sk, bool udp)
{
	return udp || sk->sk_state == TCP_SYN_SENT;
}

/**
 * lt_origin_note() - remember the local socket that opens a flow
 * @ln: the module's part of the network namespace
 * @ct: the flow's entry, unconfirmed, after NAT
 * @state: of the hook, POST_ROUTING, that its first packet is in
 *
 * Context: softirq, or process context with a hook's RCU read lock.
 */
void lt_origin_note(struct lt_net *ln, struct nf_conn *ct,
		    const struct nf_hook_state *state)
{
	bool nat = READ_ONCE(ct->status) & IPS_NAT_MASK;
	bool loopback = state->out->flags & IFF_LOOPBACK;
	u8 mode = lt_mode(ln, NF_LOOPTRACK_FEATURE_ORIGIN);
	struct sock *sk = lt_owner_socket(ct, state);
	bool udp = nf_ct_protonum(ct) == IPPROTO_UDP;
	unsigned int flags;

	if (!sk || !lt_origin_is_open(sk, udp))
		return;
	if (mode)
		lt_stats_inc(&ln->stats, ORIGIN_SEEN);
	if (mode != NF_LOOPTRACK_MODE_ENFORCE &&
	    !lt_origin_is_needed(ln, udp, nat, loopback))
		return;

	flags = loopback ? LT_OWNER_LOOPBACK : 0;
	if (loopback && lt_mode(ln, NF_LOOPTRACK_FEATURE_PASSMARK))
		flags |= LT_OWNER_COUNTED;
	if (udp)
		flags |= lt_origin_udp_flags(ln, ct, sk, nat, loopback);

	if (!lt_owner_note(ln, ct, state, flags))
		return;

	if (mode == NF_LOOPTRACK_MODE_ENFORCE)
		lt_stats_inc(&ln->stats, ORIGIN_NOTED);
	if (udp && nat && flags & LT_OWNER_SHARED)
		lt_stats_inc(&ln->stats, STALE_SHARED);
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
				       const struct nf_conntrack_tuple *sent,
				       enum ip_conntrack_dir *dir)
{
	struct nf_conntrack_zone zone;
	struct nf_conn *ct;
	unsigned int i;
	u32 id;

	ct = lt_ct_find(ln->net, &nf_ct_zone_dflt, sent, dir);
	for (i = 0; !ct && i < ARRAY_SIZE(ln->zones); i++) {
		id = READ_ONCE(ln->zones[i]);
		if (!id)
			break;
		nf_ct_zone_init(&zone, id, NF_CT_DEFAULT_ZONE_DIR, 0);
		ct = lt_ct_find(ln->net, &zone, sent, dir);
	}

	return ct;
}

/* Does an entry say who is the client of a socket's connection? Not if the socket
 * seems to be the client itself and has not opened the flow: the entry was made in
 * the middle of the connection, and takes the side that sent first for the client.
 * Nor if another socket has the same addresses and ports, by another device.
 */
static bool lt_origin_is_sure(struct lt_net *ln, const struct sock *sk,
			      const struct nf_conn *ct, enum ip_conntrack_dir dir)
{
	const struct lt_owner *owner = lt_owner_find(ct);
	struct sock *other;

	if (dir == IP_CT_DIR_ORIGINAL &&
	    (!owner || owner->cookie != atomic64_read(&sk->sk_cookie)))
		return false;

	other = lt_sock_find(ln->net, lt_ct_tuple(ct, dir), sk);
	if (other)
		sock_gen_put(other);

	return !other;
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
	const struct lt_owner *owner = lt_owner_find(ct);

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

	if (owner && lt_owner_is_told(ln, owner))
		lt_origin_tell_owner(origin, owner);
}

static int lt_origin_look_up(struct lt_net *ln, const struct sock *sk,
			     const struct nf_conntrack_tuple *sent,
			     struct nf_looptrack_origin *origin)
{
	enum ip_conntrack_dir dir;
	int err = -ENOENT;
	struct nf_conn *ct;

	rcu_read_lock();
	ct = lt_origin_entry(ln, sent, &dir);
	if (ct && lt_origin_is_sure(ln, sk, ct, dir)) {
		lt_origin_tell(ln, origin, ct);
		err = 0;
	}
	if (ct)
		nf_ct_put(ct);
	rcu_read_unlock();

	return err;
}

static int lt_origin_answer(struct sock *sk, void __user *to, int *len)
{
	struct lt_net *ln = lt_net(sock_net(sk));
	struct nf_looptrack_origin origin;
	struct nf_conntrack_tuple sent;
	bool connected;
	int err;

	if (sk->sk_protocol != IPPROTO_TCP || sk->sk_type != SOCK_STREAM)
		return -ENOPROTOOPT;
	if (*len < (int)offsetofend(struct nf_looptrack_origin, known))
		return -EINVAL;

	lock_sock(sk);
	connected = sk->sk_state != TCP_SYN_SENT && lt_sock_sent(&sent, sk);
	release_sock(sk);
	if (!connected)
		return -ENOTCONN;

	err = lt_origin_look_up(ln, sk, &sent, &origin);
	if (err)
		return err;

	*len = min_t(int, *len, sizeof(origin));
	return copy_to_user(to, &origin, *len) ? -EFAULT : 0;
}

/*
 * The kernel takes a reference on a socket option's module before it looks whether
 * the option is the one asked for, and gives up on all options behind it in the list
 * if it can't: while a module with such options goes, SO_ORIGINAL_DST and iptables
 * fail. So these have no module, and the exit waits for callers itself:
 *
 *	CPU 0, getsockopt()			CPU 1, rmmod
 *	nf_sockopt_find(): finds ours
 *						nf_unregister_sockopt()
 *	lt_origin_get()
 *
 * Between the two CPU 0 does not sleep, so it is in lt_origin_get() when
 * synchronize_rcu_tasks() returns, and is counted. When it has left the counted part
 * the few instructions to the function's end are waited for in the same way.
 */
static DEFINE_PER_CPU(long, lt_origin_callers);

static long lt_origin_sum_callers(void)
{
	long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(&lt_origin_callers, cpu));

	return sum;
}

/* Wait until no caller is in the module. The options are no longer registered. */
static void lt_origin_drain(void)
{
	synchronize_rcu_tasks();
	while (lt_origin_sum_callers())
		msleep(20);
	synchronize_rcu_tasks();
}

/* getsockopt(): about the caller's own connection, so no privilege is needed. */
static int lt_origin_get(struct sock *sk, int opt, void __user *to, int *len)
{
	int err;

	this_cpu_inc(lt_origin_callers);
	err = lt_origin_answer(sk, to, len);
	this_cpu_dec(lt_origin_callers);

	return err;
}

static struct nf_sockopt_ops lt_origin_sockopt4 = {
	.pf = PF_INET,
	.get_optmin = NF_LOOPTRACK_SO_ORIGIN,
	.get_optmax = NF_LOOPTRACK_SO_ORIGIN + 1,
	.get = lt_origin_get,
};

static struct nf_sockopt_ops lt_origin_sockopt6 = {
	.pf = PF_INET6,
	.get_optmin = NF_LOOPTRACK_SO_ORIGIN,
	.get_optmax = NF_LOOPTRACK_SO_ORIGIN + 1,
	.get = lt_origin_get,
};

/**
 * lt_origin_set() - begin or end to tell owners
 * @ln: the module's part of the network namespace
 * @mode: about to be set
 *
 * An owner that was noted before is not shown when origin is on again.
 *
 * Context: may sleep; with the lock of @ln.
 */
void lt_origin_set(struct lt_net *ln, u8 mode)
{
	if (mode == NF_LOOPTRACK_MODE_ENFORCE &&
	    lt_mode(ln, NF_LOOPTRACK_FEATURE_ORIGIN) != mode)
		WRITE_ONCE(ln->origin_turn, ln->origin_turn + 1);
}

/**
 * lt_origin_init() - let proxies ask
 *
 * Context: may sleep.
 * Return: 0 or an error of nf_register_sockopt(): the number is in use.
 */
int __init lt_origin_init(void)
{
	int err = nf_register_sockopt(&lt_origin_sockopt4);

	if (err)
		return err;

	err = nf_register_sockopt(&lt_origin_sockopt6);
	if (err) {
		nf_unregister_sockopt(&lt_origin_sockopt4);
		lt_origin_drain();
	}

	return err;
}

/**
 * lt_origin_exit() - undo lt_origin_init()
 *
 * Context: may sleep. No caller is in the module when it returns.
 */
void lt_origin_exit(void)
{
	nf_unregister_sockopt(&lt_origin_sockopt6);
	nf_unregister_sockopt(&lt_origin_sockopt4);
	lt_origin_drain();
}
