/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_EVENT_H
#define _LT_EVENT_H

#include <net/netfilter/nf_conntrack_tuple.h>

#include "core/sock.h"

#include <uapi/linux/nf_looptrack.h>

struct net;
struct nf_conn;
struct sk_buff;
struct user_namespace;

/**
 * struct lt_event - a decision, as told to user space and tracepoints
 * @time: when, in nanoseconds since 1970
 * @feature: which decided
 * @decision: what
 * @zone: conntrack zone of the flow
 * @picks: how often NAT rules were run again
 * @flow: as the client sent it
 * @wanted: the reply tuple that was taken; all zero if none was asked for
 * @got: the reply tuple it has instead; all zero if that isn't known
 * @holder: the flow that holds @wanted, or that it is about, as its client sent
 *	it; all zero if it was gone when looked for
 * @owner: the local socket of @flow
 * @holder_owner: that of @holder
 */
struct lt_event {
	u64 time;
	enum nf_looptrack_feature feature;
	enum nf_looptrack_decision decision;
	u16 zone;
	u32 picks;
	struct nf_conntrack_tuple flow;
	struct nf_conntrack_tuple wanted;
	struct nf_conntrack_tuple got;
	struct nf_conntrack_tuple holder;
	struct lt_who owner;
	struct lt_who holder_owner;
};

void lt_event_describe(struct lt_event *ev, enum nf_looptrack_feature feature,
		       const struct nf_conn *ct, const struct sock *sk);
bool lt_event_hears_linger(struct net *net);
int lt_event_put(struct sk_buff *skb, struct user_namespace *ns,
		 const struct lt_event *ev);
void lt_event_send(struct net *net, struct lt_event *ev,
		   enum nf_looptrack_decision decision);

#endif /* _LT_EVENT_H */
