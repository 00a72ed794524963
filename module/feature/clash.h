/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_CLASH_H
#define _LT_CLASH_H

struct lt_new;

unsigned int lt_clash_commit(struct lt_new *new);

#endif /* _LT_CLASH_H */
