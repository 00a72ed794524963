/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_LISTENERS_H
#define _LT_LISTENERS_H

struct lt_new;

unsigned int lt_listeners_settle(struct lt_new *new);

#endif /* _LT_LISTENERS_H */
