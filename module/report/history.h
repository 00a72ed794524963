/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_HISTORY_H
#define _LT_HISTORY_H

#include <linux/types.h>

struct lt_event;
struct lt_history;
struct nf_conntrack_tuple;

struct lt_history *lt_history_alloc(void);
void lt_history_free(struct lt_history *history);
void lt_history_note(struct lt_history *history, const struct lt_event *ev);
bool lt_history_find(struct lt_history *history,
		     const struct nf_conntrack_tuple *t, struct lt_event *ev);
bool lt_history_next(struct lt_history *history, u64 *nr, struct lt_event *ev);
u64 lt_history_last(struct lt_history *history);

#endif /* _LT_HISTORY_H */
