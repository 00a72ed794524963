/* SPDX-License-Identifier: GPL-2.0 */
#ifndef FINDING_H
#define FINDING_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "attr.h"
#include "endpoint.h"
#include "looptrack.h"

/**
 * enum finding_kind - how the conntrack ledger can disagree with sockets and rules
 * @FINDING_STALE: an entry whose local socket is gone, or another one
 * @FINDING_ORPHANED: an entry of two local ends that has a socket at neither
 * @FINDING_REVERSED: an entry that takes the server for the client
 * @FINDING_MISSING: a connection without an entry
 * @FINDING_SHADOWED: a local server whose port NAT has given to somebody else
 * @FINDING_SNAT_RANGE: ports that NAT chose from where local sockets get theirs
 * @FINDING_UNKNOWN: an entry of a local end without a socket, of which it is not proved
 *	that it is dead
 * @FINDING_OUTDATED: an entry without an answer that the NAT rules would not make today
 */
enum finding_kind {
	FINDING_STALE,
	FINDING_ORPHANED,
	FINDING_REVERSED,
	FINDING_MISSING,
	FINDING_SHADOWED,
	FINDING_SNAT_RANGE,
	FINDING_UNKNOWN,
	FINDING_OUTDATED,
	FINDING_KINDS,
};

extern const struct attr_words finding_kinds;

/**
 * struct finding - one disagreement
 * @kind: what it is
 * @flow: what it is about: protocol, zone, original, reply, as a flow has them, and what
 *	else is known of that
 * @facts: what else can be checked
 * @cause: how it came
 * @remedy: what to do
 * @cookie: of the socket that makes it one, or 0
 * @fixable: the entry serves nobody, or can be set right
 * @unsure: it may be none
 * @fixed: that was done
 */
struct finding {
	enum finding_kind kind;
	json_t *flow;
	json_t *facts;
	char *cause;
	char *remedy;
	uint64_t cookie;
	bool fixable;
	bool unsure;
	bool fixed;
};

/**
 * finding_new() - begin a finding
 * @kind: what it is
 * @flow: what it is about; a reference is taken
 *
 * Return: the finding, without cause and remedy yet, or NULL: out of memory.
 */
struct finding *finding_new(enum finding_kind kind, json_t *flow);

/* Say how it came, and what to do. */
__printf(2, 3) void finding_cause(struct finding *finding, const char *format, ...);
__printf(2, 3) void finding_remedy(struct finding *finding, const char *format, ...);

/* Is it one that something has to be done about? */
bool finding_counts(const struct finding *finding);

/* As an object, or as text. */
json_t *finding_json(const struct finding *finding);
void finding_show(const struct finding *finding);

void finding_free(struct finding *finding);

#endif /* FINDING_H */
