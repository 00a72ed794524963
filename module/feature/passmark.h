/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_PASSMARK_H
#define _LT_PASSMARK_H

#include <linux/types.h>

struct lt_net;
struct sk_buff;

void lt_passmark_packet(struct lt_net *ln, struct sk_buff *skb);

#endif /* _LT_PASSMARK_H */
