/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_COMPAT_TRACE_EVENTS_SKB_H
#define _LT_COMPAT_TRACE_EVENTS_SKB_H

#include_next <trace/events/skb.h>

#include <linux/version.h>
#include <net/dropreason.h>

/* A probe of the tracepoint kfree_skb; from 6.11 on it also gets the socket. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
#define LT_COMPAT_KFREE_SKB_PROBE(name) \
	name(void *data, struct sk_buff *skb, void *location, \
	     enum skb_drop_reason reason, struct sock *rx_sk)
#else
#define LT_COMPAT_KFREE_SKB_PROBE(name) \
	name(void *data, struct sk_buff *skb, void *location, \
	     enum skb_drop_reason reason)
#endif

/* A probe of the tracepoint consume_skb; from 6.3 on it also gets the function. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#define LT_COMPAT_CONSUME_SKB_PROBE(name) \
	name(void *data, struct sk_buff *skb, void *location)
#else
#define LT_COMPAT_CONSUME_SKB_PROBE(name) \
	name(void *data, struct sk_buff *skb)
#endif

/**
 * lt_compat_drop_reason() - the name of a reason to drop a packet
 * @reason: of this kernel
 *
 * From 6.4 on modules have reasons of their own, which go with them.
 *
 * Context: RCU read lock, also to use the name.
 * Return: NULL if it has none.
 */
static inline const char *lt_compat_drop_reason(u32 reason)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	const struct drop_reason_list *list;
	u32 subsys = reason >> SKB_DROP_REASON_SUBSYS_SHIFT;

	reason &= ~(u32)SKB_DROP_REASON_SUBSYS_MASK;
	if (subsys >= SKB_DROP_REASON_SUBSYS_NUM)
		return NULL;

	list = rcu_dereference(drop_reasons_by_subsys[subsys]);
	return list && reason < list->n_reasons ? list->reasons[reason] : NULL;
#else
	return reason < SKB_DROP_REASON_MAX ? drop_reasons[reason] : NULL;
#endif
}

#endif /* _LT_COMPAT_TRACE_EVENTS_SKB_H */
