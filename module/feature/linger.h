/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_LINGER_H
#define _LT_LINGER_H

struct lt_net;
struct work_struct;

int lt_linger_start(struct lt_net *ln);
void lt_linger_stop(struct lt_net *ln);
void lt_linger_forget(const struct lt_net *ln);
void lt_linger_sweep(struct work_struct *work);

bool lt_linger_is_possible(void);

void lt_linger_init(void);
int lt_linger_arm(void);
void lt_linger_exit(void);

#endif /* _LT_LINGER_H */
