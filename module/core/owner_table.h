/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_OWNER_TABLE_H
#define _LT_OWNER_TABLE_H

#include <linux/jiffies.h>

struct lt_owner;
struct nf_conn;

/* When a new owner is looked at first: its entry is in the hash by then. */
#define LT_OWNER_SOON	(HZ / 2)

bool lt_owner_table_add(struct lt_owner *owner, bool over);
struct lt_owner *lt_owner_table_find(const struct nf_conn *ct);

#endif /* _LT_OWNER_TABLE_H */
