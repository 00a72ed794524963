/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_PASSMARK_H
#define _LT_PASSMARK_H

#include <linux/types.h>

struct lt_net;
struct sk_buff;

/**
 * struct lt_passmark - what marks the second pass
 * @value: bits to be set, of those in @mask
 * @mask: bits to be changed; 0 as long as nobody has said which
 *
 * Written under the lock of struct lt_net, each for itself; hooks read them
 * without it and mask the value: a packet that meets one of before and one of
 * after a change has no other bits changed.
 */
struct lt_passmark {
	u32 value;
	u32 mask;
};

void lt_passmark_packet(struct lt_net *ln, struct sk_buff *skb);

#endif /* _LT_PASSMARK_H */
