// SPDX-License-Identifier: GPL-2.0
/* From facts about a flow to how it stands with it. */
#include <linux/netfilter/nf_conntrack_common.h>
#include <string.h>

#include "looptrack.h"
#include "nat.h"
#include "out.h"
#include "route.h"
#include "rules.h"
#include "stack.h"
#include "verdict.h"

const char *const verdict_words[] = {
	[VERDICT_OK] = "ok",
	[VERDICT_REWRITTEN] = "rewritten",
	[VERDICT_STALE] = "stale",
	[VERDICT_ORPHANED] = "orphaned",
	[VERDICT_REVERSED] = "reversed",
	[VERDICT_LOOP] = "loop",
	[VERDICT_UNANSWERED] = "unanswered",
	[VERDICT_UNKNOWN] = "unknown",
	[VERDICT_OVER] = "over",
	[VERDICT_ELSEWHERE] = "elsewhere",
	[VERDICT_MISSING] = "missing",
	[VERDICT_UNTRACKED] = "untracked",
	[VERDICT_GONE] = "gone",
	[VERDICT_UNREACHABLE] = "unreachable",
	[VERDICT_BLOCKED] = "blocked",
	[VERDICT_LINGERING] = "lingering",
	[VERDICT_HELD] = "held",
	[VERDICT_LEFTOVER] = "leftover",
	[VERDICT_REFUSED] = "refused",
	[VERDICT_FREE] = "free",
};

static bool is_word(const json_t *object, const char *key, const char *word)
{
	const char *is = json_string_value(json_object_get(object, key));

	return is && !strcmp(is, word);
}

static bool is_tcp(const json_t *facts)
{
	return is_word(facts, "protocol", "tcp");
}

static json_t *in_stack(const json_t *facts, const char *key)
{
	return json_object_get(json_object_get(facts, "stack"), key);
}

static bool is_from_here(const json_t *facts)
{
	return route_is_local(json_object_get(json_object_get(facts, "routes"), "source"));
}

static bool is_to_here(const json_t *facts)
{
	return route_is_local(json_object_get(json_object_get(facts, "routes"), "destination"));
}

/* The last event about this very flow that is of the feature. */
static json_t *find_event(const json_t *facts, const char *feature)
{
	json_t *history = json_object_get(facts, "history");
	json_t *tuple = json_object_get(json_object_get(facts, "conntrack"), "original") ?:
			json_object_get(facts, "tuple");

	for (size_t i = json_array_size(history); i; i--) {
		json_t *event = json_array_get(history, i - 1);

		if (is_word(event, "feature", feature) &&
		    json_equal(json_object_get(event, "flow"), tuple))
			return event;
	}
	return NULL;
}

/* Is the client's socket the one with this cookie? Of UDP several may send on a flow. */
static bool is_client(const json_t *facts, json_t *cookie)
{
	json_t *socket;
	size_t i;

	if (json_equal(json_object_get(in_stack(facts, "client"), "cookie"), cookie))
		return true;
	if (is_tcp(facts))
		return false;
	json_array_foreach(in_stack(facts, "port"), i, socket)
		if (json_equal(json_object_get(socket, "cookie"), cookie))
			return true;
	return i == STACK_MANY;
}

bool verdict_is_taken_over(const json_t *facts)
{
	json_t *owner = json_object_get(json_object_get(facts, "conntrack"), "owner");
	json_t *cookie = json_object_get(owner, "cookie");

	return cookie && stack_is_alive(in_stack(facts, "client")) && !is_client(facts, cookie);
}

/* A SYN is sent, and the entry is past that. */
static bool is_ignored(const json_t *facts)
{
	static const char *const young[] = { "syn-sent", "syn-recv", "syn-sent2", "none" };
	json_t *flow = json_object_get(facts, "conntrack");

	if (!is_word(in_stack(facts, "client"), "state", "syn-sent"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(young); i++)
		if (is_word(flow, "tcp_state", young[i]))
			return false;
	return true;
}

static bool is_listening(json_t *sockets, json_t *tuple, const char *port_key)
{
	json_t *socket;
	size_t i;

	json_array_foreach(sockets, i, socket)
		if (is_word(socket, "state", "listen") &&
		    json_equal(json_object_get(socket, "sport"),
			       json_object_get(tuple, port_key)))
			return true;
	return false;
}

bool verdict_may_be_reversed(const json_t *facts)
{
	json_t *flow = json_object_get(facts, "conntrack");
	json_t *client = in_stack(facts, "client");

	return is_tcp(facts) && stack_is_alive(client) && !is_word(client, "state", "syn-sent") &&
	       is_listening(in_stack(facts, "port"), json_object_get(flow, "original"), "sport") &&
	       !json_array_size(in_stack(facts, "listeners"));
}

static bool is_loop(const json_t *facts)
{
	json_t *event = find_event(facts, "loopguard");

	return event && !is_word(event, "decision", "released") &&
	       json_array_size(json_object_get(facts, "nat"));
}

static bool is_answered(const json_t *flow)
{
	return json_integer_value(json_object_get(flow, "status")) & IPS_SEEN_REPLY;
}

static bool is_over(const json_t *facts, const json_t *flow)
{
	if (stack_is_alive(in_stack(facts, "client")))
		return false;
	return is_word(flow, "tcp_state", "time-wait") || is_word(flow, "tcp_state", "close") ||
	       is_word(flow, "tcp_state", "last-ack");
}

static bool is_socketless(const json_t *facts, const json_t *flow)
{
	return json_is_true(json_object_get(flow, "is_loopback")) &&
	       !json_object_get(flow, "client") && !json_object_get(flow, "server") &&
	       !stack_is_alive(in_stack(facts, "client")) &&
	       !stack_is_alive(in_stack(facts, "server"));
}

/* Only of a flow whose opener is known no socket means that it is over. */
static bool is_orphaned(const json_t *facts, const json_t *flow)
{
	return is_socketless(facts, flow) &&
	       (json_is_true(json_object_get(flow, "is_stale")) ||
		json_object_get(json_object_get(flow, "owner"), "cookie"));
}

/* Does the entry look as if both ends were there? */
static bool is_open(const json_t *facts, const json_t *flow)
{
	return !is_tcp(facts) || is_word(flow, "tcp_state", "established") ||
	       is_word(flow, "tcp_state", "fin-wait") || is_word(flow, "tcp_state", "close-wait");
}

static bool has_socket(const json_t *facts, const json_t *flow, const char *end)
{
	return json_object_get(flow, end) || stack_is_alive(in_stack(facts, end));
}

/* Has an end on this host no socket, though the flow looks open? */
static bool is_unknown(const json_t *facts, const json_t *flow)
{
	bool is_served = !is_tcp(facts) && json_array_size(in_stack(facts, "listeners"));

	if (is_socketless(facts, flow))
		return true;
	if (!is_open(facts, flow))
		return false;
	return (is_from_here(facts) && !has_socket(facts, flow, "client")) ||
	       (is_to_here(facts) && !is_served && !has_socket(facts, flow, "server"));
}

static enum verdict judge_flow(const json_t *facts, const json_t *flow)
{
	if (is_loop(facts))
		return VERDICT_LOOP;
	if (is_over(facts, flow))
		return VERDICT_OVER;
	if (verdict_may_be_reversed(facts) &&
	    json_is_true(json_object_get(facts, "is_picked_up")))
		return VERDICT_REVERSED;
	if (is_orphaned(facts, flow))
		return VERDICT_ORPHANED;
	if (json_is_true(json_object_get(flow, "is_stale")) || verdict_is_taken_over(facts) ||
	    is_ignored(facts))
		return VERDICT_STALE;
	if (!is_answered(flow))
		return VERDICT_UNANSWERED;
	if (is_unknown(facts, flow))
		return VERDICT_UNKNOWN;
	if (json_is_true(json_object_get(flow, "is_rewritten")))
		return VERDICT_REWRITTEN;
	return VERDICT_OK;
}

/* Where replies would come from: from where the rules would send it; if they can't be asked,
 * as of another flow to the same destination, if there is one, else of nothing that NAT has
 * changed.
 */
static bool is_answer(const json_t *facts, json_t *reply)
{
	json_t *would = rules_tuple(json_object_get(facts, "rules"));
	json_t *similar = would ? NULL :
			  json_object_get(json_object_get(facts, "similar"), "reply");
	json_t *tuple = would ?: similar ?: json_object_get(facts, "tuple");

	return json_equal(json_object_get(reply, "src"),
			  json_object_get(tuple, similar ? "src" : "dst")) &&
	       json_equal(json_object_get(reply, "sport"),
			  json_object_get(tuple, similar ? "sport" : "dport"));
}

json_t *verdict_holder(const json_t *facts)
{
	json_t *holder;
	size_t i;

	json_array_foreach(json_object_get(facts, "holders"), i, holder)
		if (is_answer(facts, json_object_get(holder, "reply")))
			return holder;
	return NULL;
}

static bool is_lingering(const json_t *facts)
{
	return is_word(in_stack(facts, "client"), "state", "time-wait") ||
	       is_word(in_stack(facts, "server"), "state", "time-wait");
}

/* Is a TCP connection there? One of UDP is nothing but where a socket would send. The
 * server's end alone may be that of another flow from the same port.
 */
static bool is_connected(const json_t *facts)
{
	if (!is_tcp(facts))
		return false;
	return stack_is_alive(in_stack(facts, "client")) ||
	       (stack_is_alive(in_stack(facts, "server")) && !is_from_here(facts) &&
		!verdict_holder(facts));
}

/* Would the first packet not get past one of the hooks? */
static bool is_blocked(const char *end)
{
	return !strcmp(end, "refused") || !strcmp(end, "no-source") ||
	       !strcmp(end, "no-forwarding");
}

static enum verdict judge_opening(const json_t *facts)
{
	json_t *routes = json_object_get(facts, "routes");
	const char *end = rules_end(json_object_get(facts, "rules"));
	json_t *holder = verdict_holder(facts);

	if (is_word(json_object_get(routes, "destination"), "type", "none") ||
	    !strcmp(end, "no-route"))
		return VERDICT_UNREACHABLE;
	if (is_blocked(end))
		return VERDICT_BLOCKED;
	if (is_lingering(facts))
		return VERDICT_LINGERING;
	if (holder)
		return strcmp(nat_holder_state(holder), "dead") ? VERDICT_HELD :
								  VERDICT_LEFTOVER;
	if (is_to_here(facts) && !json_array_size(in_stack(facts, "listeners")) &&
	    !json_is_object(in_stack(facts, "server")))
		return VERDICT_REFUSED;
	return VERDICT_FREE;
}

enum verdict verdict_get(const json_t *facts)
{
	json_t *flow = json_object_get(facts, "conntrack");
	enum verdict opening;

	if (json_is_object(flow))
		return judge_flow(facts, flow);
	/* Where a zone was named, another one may have the same addresses for its own. */
	if (json_array_size(json_object_get(facts, "other_zones")) &&
	    !json_integer_value(json_object_get(facts, "zone")))
		return VERDICT_ELSEWHERE;
	if (is_connected(facts))
		return json_is_true(json_object_get(facts, "is_tracking")) ||
		       is_word(in_stack(facts, "client"), "state", "syn-sent") ?
		       VERDICT_MISSING : VERDICT_UNTRACKED;
	opening = judge_opening(facts);
	if (opening == VERDICT_FREE && json_array_size(json_object_get(facts, "history")) &&
	    !stack_is_alive(in_stack(facts, "client")))
		return VERDICT_GONE;
	return opening;
}
