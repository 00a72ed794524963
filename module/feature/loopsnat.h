/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_LOOPSNAT_H
#define _LT_LOOPSNAT_H

struct lt_new;

unsigned int lt_loopsnat_settle(struct lt_new *new);

#endif /* _LT_LOOPSNAT_H */
