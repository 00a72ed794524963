/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM looptrack

#if !defined(_LT_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _LT_TRACE_H

#include <linux/ipv6.h>
#include <linux/tracepoint.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>

#include "report/event.h"

#ifndef _LT_TRACE_ADDR
#define _LT_TRACE_ADDR
/* Tracepoints print one format: IPv4 goes as an IPv4-mapped IPv6 address. */
static inline void lt_trace_addr(struct in6_addr *to,
				 const struct nf_conntrack_tuple *t,
				 const union nf_inet_addr *addr)
{
	if (t->src.l3num == NFPROTO_IPV4)
		ipv6_addr_set_v4mapped(addr->ip, to);
	else
		*to = addr->in6;
}
#endif

TRACE_DEFINE_ENUM(NF_LOOPTRACK_DECISION_OBSERVED);
TRACE_DEFINE_ENUM(NF_LOOPTRACK_DECISION_REPICKED);
TRACE_DEFINE_ENUM(NF_LOOPTRACK_DECISION_EXHAUSTED);
TRACE_DEFINE_ENUM(NF_LOOPTRACK_DECISION_REFUSED);
TRACE_DEFINE_ENUM(NF_LOOPTRACK_DECISION_UNABLE);
TRACE_DEFINE_ENUM(NF_LOOPTRACK_DECISION_EVICTED);
TRACE_DEFINE_ENUM(NF_LOOPTRACK_DECISION_KEPT);
TRACE_DEFINE_ENUM(NF_LOOPTRACK_DECISION_REWRITTEN);
TRACE_DEFINE_ENUM(NF_LOOPTRACK_DECISION_RESTORED);
TRACE_DEFINE_ENUM(NF_LOOPTRACK_DECISION_RELEASED);

/* Users are those of the initial user namespace; -1 is nobody that is known. */
DECLARE_EVENT_CLASS(looptrack_decision,
		    TP_PROTO(const struct net *net, const struct lt_event *ev),
	TP_ARGS(net, ev),
	TP_STRUCT__entry(
		__array(u8, src, sizeof(struct in6_addr))
		__array(u8, dst, sizeof(struct in6_addr))
		__array(u8, nat, sizeof(struct in6_addr))
		__array(u8, holder_src, sizeof(struct in6_addr))
		__array(u8, holder_dst, sizeof(struct in6_addr))
		__field(unsigned int, netns)
		__field(u8, decision)
		__field(u8, protocol)
		__field(u16, zone)
		__field(u32, picks)
		__field(u16, sport)
		__field(u16, dport)
		__field(u16, wanted_port)
		__field(u16, got_port)
		__field(u16, holder_sport)
		__field(u16, holder_dport)
		__field(u32, uid)
		__field(u32, holder_uid)
		__field(u64, cookie)
		__field(u64, holder_cookie)
	),
	TP_fast_assign(
		__entry->netns = net->ns.inum;
		__entry->decision = ev->decision;
		__entry->protocol = ev->flow.dst.protonum;
		__entry->zone = ev->zone;
		__entry->picks = ev->picks;
		__entry->sport = ntohs(ev->flow.src.u.all);
		__entry->dport = ntohs(ev->flow.dst.u.all);
		__entry->wanted_port = ntohs(ev->wanted.dst.u.all);
		__entry->got_port = ntohs(ev->got.dst.u.all);
		__entry->holder_sport = ntohs(ev->holder.src.u.all);
		__entry->holder_dport = ntohs(ev->holder.dst.u.all);
		__entry->uid = ev->owner.known ?
			from_kuid(&init_user_ns, ev->owner.uid) : -1;
		__entry->cookie = ev->owner.cookie;
		__entry->holder_uid = ev->holder_owner.known ?
			from_kuid(&init_user_ns, ev->holder_owner.uid) : -1;
		__entry->holder_cookie = ev->holder_owner.cookie;
		lt_trace_addr((struct in6_addr *)__entry->src, &ev->flow,
			      &ev->flow.src.u3);
		lt_trace_addr((struct in6_addr *)__entry->dst, &ev->flow,
			      &ev->flow.dst.u3);
		lt_trace_addr((struct in6_addr *)__entry->nat, &ev->wanted,
			      &ev->wanted.dst.u3);
		lt_trace_addr((struct in6_addr *)__entry->holder_src,
			      &ev->flow, &ev->holder.src.u3);
		lt_trace_addr((struct in6_addr *)__entry->holder_dst,
			      &ev->flow, &ev->holder.dst.u3);
	),
	TP_printk("netns=%u decision=%s proto=%u zone=%u [%pI6c]:%u -> [%pI6c]:%u wanted=[%pI6c]:%u got=%u holder=[%pI6c]:%u -> [%pI6c]:%u picks=%u uid=%d cookie=%llu holder_uid=%d holder_cookie=%llu",
		  __entry->netns,
		  __print_symbolic(__entry->decision,
				   { NF_LOOPTRACK_DECISION_OBSERVED, "observed" },
				   { NF_LOOPTRACK_DECISION_REPICKED, "repicked" },
				   { NF_LOOPTRACK_DECISION_EXHAUSTED, "exhausted" },
				   { NF_LOOPTRACK_DECISION_REFUSED, "refused" },
				   { NF_LOOPTRACK_DECISION_UNABLE, "unable" },
				   { NF_LOOPTRACK_DECISION_EVICTED, "evicted" },
				   { NF_LOOPTRACK_DECISION_KEPT, "kept" },
				   { NF_LOOPTRACK_DECISION_REWRITTEN, "rewritten" },
				   { NF_LOOPTRACK_DECISION_RESTORED, "restored" },
				   { NF_LOOPTRACK_DECISION_RELEASED, "released" }),
		  __entry->protocol, __entry->zone,
		  __entry->src, __entry->sport, __entry->dst, __entry->dport,
		  __entry->nat, __entry->wanted_port, __entry->got_port,
		  __entry->holder_src, __entry->holder_sport,
		  __entry->holder_dst, __entry->holder_dport, __entry->picks,
		  (int)__entry->uid, __entry->cookie,
		  (int)__entry->holder_uid, __entry->holder_cookie)
);

#define LT_TRACE_DECISION(name) \
DEFINE_EVENT(looptrack_decision, name, \
	TP_PROTO(const struct net *net, const struct lt_event *ev), \
	TP_ARGS(net, ev) \
)

LT_TRACE_DECISION(looptrack_clash);
LT_TRACE_DECISION(looptrack_stale);
LT_TRACE_DECISION(looptrack_ports);
LT_TRACE_DECISION(looptrack_linger);
LT_TRACE_DECISION(looptrack_loopsnat);
LT_TRACE_DECISION(looptrack_loopguard);
LT_TRACE_DECISION(looptrack_listeners);
LT_TRACE_DECISION(looptrack_heal);

#endif /* _LT_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
