/* SPDX-License-Identifier: GPL-2.0 */
#ifndef JUDGE_H
#define JUDGE_H

#include <linux/netfilter/nf_conntrack_common.h>

#include "finding.h"
#include "ledger.h"

/* Others rely on these entries, or know more of them than sockets and rules do. */
#define JUDGE_HANDS_OFF	(IPS_DYING | IPS_FIXED_TIMEOUT | IPS_TEMPLATE | IPS_HELPER | IPS_OFFLOAD)

/**
 * judge_flow() - does an entry of conntrack disagree with the sockets
 * @ledger: the sockets, read a moment ago
 * @flow: the entry, as attr_flow decoded it just now
 * @finding: set to what was found, or NULL
 *
 * Return: EXIT_OK, or the exit code of a failure that was reported.
 */
enum exit_code judge_flow(const struct ledger *ledger, json_t *flow, struct finding **finding);

/**
 * judge_socket() - should a connection have an entry, which it has not
 * @ledger: the sockets; those that have an entry are marked
 * @sock: one that is not
 * @finding: set to what was found, or NULL: it is on the way, or its peer is told of
 *
 * Return: EXIT_OK, or the exit code of a failure that was reported.
 */
enum exit_code judge_socket(const struct ledger *ledger, const struct diag_socket *sock,
			    struct finding **finding);

#endif /* JUDGE_H */
