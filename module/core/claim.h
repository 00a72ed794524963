/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LT_CLAIM_H
#define _LT_CLAIM_H

#include <linux/types.h>

struct nf_conn;

bool lt_claim_bars(const struct nf_conn *ct);
struct nf_conn *lt_claim(const struct nf_conn *ct);
void lt_unclaim(struct nf_conn *claim);
bool lt_claim_is(const struct nf_conn *ct);

#endif /* _LT_CLAIM_H */
