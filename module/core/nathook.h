/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_NATHOOK_H
#define _LT_NATHOOK_H

#include <linux/types.h>

struct net;
struct nf_hook_entry;

void lt_nathook_init(void);
bool lt_nathook_is_possible(void);
const struct nf_hook_entry *lt_nathook_find(const struct net *net, u8 pf,
					    unsigned int hooknum);

#endif /* _LT_NATHOOK_H */
