/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_HOOK_H
#define _LT_HOOK_H

struct net;

int lt_hook_register(struct net *net);
void lt_hook_unregister(struct net *net);

#endif /* _LT_HOOK_H */
