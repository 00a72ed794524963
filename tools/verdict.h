/* SPDX-License-Identifier: GPL-2.0 */
#ifndef VERDICT_H
#define VERDICT_H

#include <jansson.h>

/**
 * enum verdict - how it stands with a flow
 *
 * One that is there:
 * @VERDICT_OK: stack and conntrack agree
 * @VERDICT_REWRITTEN: so they do, and the source port was changed though no rule asks
 * @VERDICT_STALE: the entry is of a socket that is gone
 * @VERDICT_ORPHANED: both its ends are on this host, and neither has a socket
 * @VERDICT_REVERSED: conntrack takes the server for the client
 * @VERDICT_LOOP: a redirect hands it to the process that opened it
 * @VERDICT_UNANSWERED: nothing has come back
 * @VERDICT_UNKNOWN: an end on this host has no socket, which proves nothing
 * @VERDICT_OVER: it is closed, and the entry waits for its end
 *
 * One that conntrack does not have:
 * @VERDICT_ELSEWHERE: but in another zone
 * @VERDICT_MISSING: but the stack has
 * @VERDICT_UNTRACKED: the stack has it, and conntrack has nothing at all
 * @VERDICT_GONE: that is remembered
 *
 * One that may be opened:
 * @VERDICT_UNREACHABLE: there is no route
 * @VERDICT_BLOCKED: rules or routes would not let its first packet pass a hook
 * @VERDICT_LINGERING: a TIME_WAIT socket is in its way
 * @VERDICT_HELD: a live flow holds the port
 * @VERDICT_LEFTOVER: what a dead one has left holds it
 * @VERDICT_REFUSED: nobody listens
 * @VERDICT_FREE: nothing is known to be in its way
 */
enum verdict {
	VERDICT_OK,
	VERDICT_REWRITTEN,
	VERDICT_STALE,
	VERDICT_ORPHANED,
	VERDICT_REVERSED,
	VERDICT_LOOP,
	VERDICT_UNANSWERED,
	VERDICT_UNKNOWN,
	VERDICT_OVER,
	VERDICT_ELSEWHERE,
	VERDICT_MISSING,
	VERDICT_UNTRACKED,
	VERDICT_GONE,
	VERDICT_UNREACHABLE,
	VERDICT_BLOCKED,
	VERDICT_LINGERING,
	VERDICT_HELD,
	VERDICT_LEFTOVER,
	VERDICT_REFUSED,
	VERDICT_FREE,
};

/* The word of each. */
extern const char *const verdict_words[];

/* What facts_get() has collected says. */
enum verdict verdict_get(const json_t *facts);

/* Is the client's socket another than that for which the entry was made? */
bool verdict_is_taken_over(const json_t *facts);

/*
 * Does the connection come from a port that somebody listens at, to one that nobody of this
 * host does? It may be the wrong way round, if conntrack has not seen how it began.
 */
bool verdict_may_be_reversed(const json_t *facts);

/*
 * Of a flow that is not there: who has the reply tuple that it would want, or NULL. As
 * far as can be told: what rules do to it is known from others to the same destination.
 */
json_t *verdict_holder(const json_t *facts);

#endif /* VERDICT_H */
