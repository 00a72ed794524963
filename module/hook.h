/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_HOOK_H
#define _LT_HOOK_H

struct net;

/**
 * enum lt_hook - what a set of hooks is for
 * @LT_HOOK_COMMIT: to commit new flows, before conntrack does
 * @LT_HOOK_NOTE: to note marks of new flows, before NAT's rules run
 * @LT_HOOK_SYN: to look at local SYNs, after conntrack has
 * @LT_HOOK_ZONE: to look at local SYNs with a template, before conntrack does
 * @LT_HOOK_UDP: to look at local UDP packets, after conntrack has
 * @LT_HOOK_GUARD: to look at new local flows, after NAT has chosen their
 *	destination
 * @LT_HOOK_PASS: to mark packets on their second pass, before any rule
 * @LT_HOOK_EXPRESS: to spare packets the rules of their second pass, before all of
 *	them, and to note what passed, after
 * @LT_HOOK_TRACE: to see packets at each stage
 * @LT_HOOK_COUNT: how many
 */
enum lt_hook {
	LT_HOOK_COMMIT,
	LT_HOOK_NOTE,
	LT_HOOK_SYN,
	LT_HOOK_ZONE,
	LT_HOOK_UDP,
	LT_HOOK_GUARD,
	LT_HOOK_PASS,
	LT_HOOK_EXPRESS,
	LT_HOOK_TRACE,
	LT_HOOK_COUNT
};

int lt_hook_register(struct net *net, enum lt_hook which);
void lt_hook_unregister(struct net *net, enum lt_hook which);

#endif /* _LT_HOOK_H */
