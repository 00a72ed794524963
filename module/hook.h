/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_HOOK_H
#define _LT_HOOK_H

#include "net.h"

int lt_hook_register(struct net *net, enum lt_hook which);
void lt_hook_unregister(struct net *net, enum lt_hook which);

#endif /* _LT_HOOK_H */
