/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_DROP_H
#define _LT_DROP_H

#include <net/netfilter/nf_conntrack_tuple.h>

#include "report/pkttrace.h"

struct lt_net;
struct sk_buff;

/**
 * struct lt_drop_sight - where a packet was seen, as tracers were told
 * @time: when, in nanoseconds since 1970
 * @tuple: its own addresses and ports
 * @packet: its number
 * @hook: enum nf_inet_hooks
 * @stage: enum nf_looptrack_stage
 * @pass: 1, 2, or 0
 * @count: how many are in @tracers
 * @tracers: the tracers it was sent to, by struct lt_tracer.id; some may have lost it
 */
struct lt_drop_sight {
	u64 time;
	struct nf_conntrack_tuple tuple;
	u32 packet;
	u8 hook;
	u8 stage;
	u8 pass;
	u8 count;
	u32 tracers[LT_TRACERS_MAX];
};

void lt_drop_init(void);
int lt_drop_start(struct lt_net *ln);
void lt_drop_stop(struct lt_net *ln);
void lt_drop_note(const struct lt_net *ln, const struct sk_buff *skb,
		  const struct lt_drop_sight *sight);
void lt_drop_forget(const struct lt_net *ln, const struct sk_buff *skb);

#endif /* _LT_DROP_H */
