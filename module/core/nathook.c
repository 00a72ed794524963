// SPDX-License-Identifier: GPL-2.0
/* NAT's own hook functions: the only way to the rules of all tools. */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/rcupdate.h>
#include <net/netfilter/nf_nat.h>

#include "core/nathook.h"

/*
 * The functions are static in nf_nat. They are recognised by name, priority and
 * place, once for each family and hook, and by their address from then on. Where
 * exactly one function does not fit, the kernel is not one that this module knows:
 * nothing is called, and the log has one line about it.
 */
static_assert((int)NF_IP_PRI_NAT_SRC == (int)NF_IP6_PRI_NAT_SRC);
static_assert((int)NF_IP_PRI_NAT_DST == (int)NF_IP6_PRI_NAT_DST);
static_assert(NF_INET_NUMHOOKS == 5);

/* By family and hook. Each is written once; who comes second writes the same. */
static nf_hookfn *lt_nathook_known[2][NF_INET_NUMHOOKS];
/* Functions have names. Constant after init. */
static bool lt_nathook_named __ro_after_init;

/* Its own stack frame: the name is long. */
static noinline_for_stack bool lt_nathook_has_name(const void *function,
						   const char *prefix)
{
	char name[KSYM_SYMBOL_LEN];

	sprint_symbol_no_offset(name, (unsigned long)function);

	return !strncmp(name, prefix, strlen(prefix));
}

/**
 * lt_nathook_init() - check that this kernel tells the names of functions
 *
 * Context: process context.
 */
void __init lt_nathook_init(void)
{
	lt_nathook_named = lt_nathook_has_name(nf_nat_packet, "nf_nat_packet");
	if (!lt_nathook_named)
		pr_warn("this kernel does not tell the names of functions: no port is chosen again\n");
}

/**
 * lt_nathook_is_possible() - can NAT's hook functions be found
 *
 * Context: any.
 * Return: false if they can't on this kernel, whatever the namespace.
 */
bool lt_nathook_is_possible(void)
{
	return lt_nathook_named;
}

static int lt_nathook_priority(unsigned int hooknum)
{
	return hooknum == NF_INET_POST_ROUTING || hooknum == NF_INET_LOCAL_IN ?
	       NF_IP_PRI_NAT_SRC : NF_IP_PRI_NAT_DST;
}

/* Find the one that fits. */
static const struct nf_hook_entry *
lt_nathook_recognise(const struct nf_hook_entries *e, unsigned int hooknum)
{
	struct nf_hook_ops *const *ops = nf_hook_entries_get_hook_ops(e);
	const struct nf_hook_entry *found = NULL;
	unsigned int i, fit = 0, candidates = 0;

	for (i = 0; i < e->num_hook_entries; i++) {
		if (READ_ONCE(ops[i]->priority) != lt_nathook_priority(hooknum))
			continue;
		candidates++;
		if (!lt_nathook_has_name(e->hooks[i].hook, "nf_nat_ipv"))
			continue;
		found = &e->hooks[i];
		fit++;
	}

	if (fit == 1)
		return found;
	if (candidates)
		pr_warn_once("cannot recognise NAT among %u functions at hook %u: its flows are left to the kernel\n",
			     candidates, hooknum);
	return NULL;
}

/**
 * lt_nathook_find() - find NAT's own hook function
 * @net: network namespace
 * @pf: NFPROTO_IPV4 or NFPROTO_IPV6
 * @hooknum: PRE_ROUTING, LOCAL_IN, LOCAL_OUT or POST_ROUTING
 *
 * Context: RCU read lock.
 * Return: the function with its argument, or NULL: nobody asks for NAT in this
 * namespace, or this kernel's can't be recognised.
 */
const struct nf_hook_entry *lt_nathook_find(const struct net *net, u8 pf,
					    unsigned int hooknum)
{
	bool ipv6 = pf == NFPROTO_IPV6;
	nf_hookfn **slot = &lt_nathook_known[ipv6][hooknum];
	struct nf_hook_entries __rcu *const *list;
	const struct nf_hook_entry *found;
	const struct nf_hook_entries *e;
	nf_hookfn *known;
	unsigned int i;

	if (!lt_nathook_named)
		return NULL;

	list = ipv6 ? net->nf.hooks_ipv6 : net->nf.hooks_ipv4;
	e = rcu_dereference(list[hooknum]);
	if (!e)
		return NULL;

	known = READ_ONCE(*slot);
	if (likely(known)) {
		for (i = 0; i < e->num_hook_entries; i++)
			if (e->hooks[i].hook == known)
				return &e->hooks[i];
		return NULL;
	}

	found = lt_nathook_recognise(e, hooknum);
	if (found)
		WRITE_ONCE(*slot, found->hook);

	return found;
}
