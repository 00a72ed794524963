/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_PORTS_H
#define _LT_PORTS_H

struct lt_net;
struct lt_new;
struct sk_buff;

unsigned int lt_ports_settle(struct lt_new *new);
void lt_ports_check_demux(struct lt_net *ln, struct sk_buff *skb);

#endif /* _LT_PORTS_H */
