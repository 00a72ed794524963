/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_LINGER_H
#define _LT_LINGER_H

#include <linux/netfilter.h>
#include <net/netfilter/nf_conntrack.h>

#include "core/ct.h"

struct lt_ended;
struct lt_net;
struct lt_owner;

/* Set in the status of an entry, see ct.h: its end is to be noted, for its first packet
 * stayed on this host. Cleared as it is noted.
 */
#define LT_LINGER_BIT	63

/**
 * lt_linger_watch() - have the end of a TCP flow noted
 * @ct: its entry
 *
 * Context: any.
 */
static inline void lt_linger_watch(struct nf_conn *ct)
{
	if (lt_ct_has_room())
		set_bit(LT_LINGER_BIT, &ct->status);
}

/**
 * lt_linger_is_watched() - is the end of a flow to be noted
 * @ct: its entry
 *
 * Context: any.
 * Return: true if it is; where entries have no room for the bit, true of each.
 */
static inline bool lt_linger_is_watched(const struct nf_conn *ct)
{
	return !lt_ct_has_room() || test_bit(LT_LINGER_BIT, &ct->status);
}

/**
 * lt_linger_has_ended() - has conntrack seen the end of a TCP flow
 * @ct: its entry
 *
 * Context: any.
 * Return: true if a packet has reset it, or has acknowledged the second FIN.
 */
static inline bool lt_linger_has_ended(const struct nf_conn *ct)
{
	u8 state;

	if (nf_ct_protonum(ct) != IPPROTO_TCP)
		return false;

	state = READ_ONCE(ct->proto.tcp.state);
	return state == TCP_CONNTRACK_TIME_WAIT || state == TCP_CONNTRACK_CLOSE;
}

void lt_linger_note(struct lt_net *ln, const struct sk_buff *skb,
		    const struct nf_hook_state *state);
unsigned int lt_linger_look(struct lt_ended *ended, unsigned int count,
			    bool hurried);

void lt_linger_end(struct lt_net *ln, struct nf_conn *ct,
		   const struct lt_owner *owner, bool enforce, bool heard);
bool lt_linger_udp(struct lt_owner *owner, struct nf_conn *ct);

#endif /* _LT_LINGER_H */
