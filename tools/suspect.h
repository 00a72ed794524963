/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SUSPECT_H
#define SUSPECT_H

#include "finding.h"
#include "flow.h"

/**
 * struct suspect - what is remembered of a finding until it is looked at again
 * @next: one more
 * @kind: what it is
 * @fixable: the entry serves nobody, or can be set right
 * @flow: what it is about: its original direction, or what the socket sends
 * @cookie: of the socket that makes it one, or 0
 * @opener: of the socket that opened the flow, or 0
 * @timeout: of the entry, in seconds
 *
 * There may be as many as entries.
 */
struct suspect {
	struct suspect *next;
	enum finding_kind kind;
	bool fixable;
	struct question flow;
	uint64_t cookie;
	uint64_t opener;
	long timeout;
};

/* Remember a finding; NULL: out of memory. */
struct suspect *suspect_new(const struct finding *finding);

/* Is @now the same one, seen again a moment later, and has it stood still meanwhile? */
bool suspect_is(const struct suspect *suspect, const struct finding *now);

#endif /* SUSPECT_H */
