/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_SOCK_H
#define _LT_SOCK_H

#include <net/inet_timewait_sock.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/sock.h>

/**
 * struct lt_who - whom a flow belongs to, for those who read about it
 * @cookie: of the socket; 0 if it has none
 * @uid: its user
 * @known: the rest is valid
 */
struct lt_who {
	u64 cookie;
	kuid_t uid;
	bool known;
};

/**
 * struct lt_ends - the local TCP sockets of a flow, full, TIME_WAIT or request
 * @sk: by the direction they send; referenced, NULL where there is none
 */
struct lt_ends {
	struct sock *sk[IP_CT_DIR_MAX];
};

/**
 * lt_sock_is_live() - is there a connection, or one in the making
 * @sk: from the socket ledger, or NULL
 *
 * Return: false for none and for TIME_WAIT, with either substate: such a socket
 * has no owner.
 */
static inline bool lt_sock_is_live(const struct sock *sk)
{
	return sk && sk->sk_state != TCP_TIME_WAIT;
}

u64 lt_sock_new_cookie(struct sock *sk);

/**
 * lt_sock_cookie() - the number that no other socket ever has
 * @sk: full socket
 *
 * Context: any.
 * Return: not 0.
 */
static inline u64 lt_sock_cookie(struct sock *sk)
{
	u64 cookie = atomic64_read(&sk->sk_cookie);

	return likely(cookie) ? cookie : lt_sock_new_cookie(sk);
}

/* Of the unified hierarchy, that in which the socket was made: it stays there when
 * its process goes elsewhere. It holds the cgroup, which holds those above.
 */
static inline struct cgroup *lt_sock_cgroup(struct sock *sk)
{
#ifdef CONFIG_SOCK_CGROUP_DATA
	return sock_cgroup_ptr(&sk->sk_cgrp_data);
#else
	return NULL;
#endif
}

/**
 * lt_sock_cgroup_id() - the number of the cgroup a socket was made in
 * @sk: full socket
 *
 * Context: any.
 * Return: not 0, unless the kernel doesn't keep the cgroups of sockets.
 */
static inline u64 lt_sock_cgroup_id(struct sock *sk)
{
	const struct cgroup *cgroup = lt_sock_cgroup(sk);

	return cgroup ? cgroup_id(cgroup) : 0;
}

struct lt_who lt_sock_who(const struct sock *sk);
bool lt_sock_is_in_cgroup(struct sock *sk, u64 id);
bool lt_sock_is_akin(struct sock *a, struct sock *b);
bool lt_sock_sent(struct nf_conntrack_tuple *t, const struct sock *sk);
bool lt_sock_is_local(struct net *net, const struct nf_conntrack_tuple *t);

struct sock *lt_sock_find(struct net *net, const struct nf_conntrack_tuple *t,
			  const struct sock *except);
bool lt_sock_port_is_unused(const struct net *net, u8 proto, u16 port);
bool lt_sock_takes_syn(const struct sock *sk, const struct sk_buff *skb,
		       const struct tcphdr *th);
void lt_sock_reap(struct sock *sk);

struct sock *lt_sock_server_get(struct net *net,
				const struct nf_conntrack_tuple *t, int dif);

void lt_ends_find(struct lt_ends *ends, const struct nf_conn *ct,
		  const struct sock *except);
bool lt_ends_live(const struct lt_ends *ends);
unsigned int lt_ends_reap(struct lt_ends *ends);
void lt_ends_put(struct lt_ends *ends);

#endif /* _LT_SOCK_H */
