// SPDX-License-Identifier: GPL-2.0
/* What to say of a flow, and what to do about it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advice.h"
#include "command.h"
#include "event.h"
#include "looptrack.h"
#include "out.h"
#include "phrase.h"
#include "route.h"
#include "rules.h"
#include "stack.h"
#include "verdict.h"

/**
 * struct advice - what is said
 * @facts: about what
 * @tuple: of the flow, as its client sends it
 * @text: how it stands
 * @next: what to do
 * @commands: that do it
 * @written: @text, if that is not the same each time
 */
struct advice {
	const json_t *facts;
	json_t *tuple;
	const char *text;
	const char *next;
	json_t *commands;
	char *written;
};

static json_t *fact(const struct advice *advice, const char *object, const char *key)
{
	return json_object_get(json_object_get(advice->facts, object), key);
}

static bool is_enforced(const struct advice *advice, const char *feature)
{
	return !strcmp(out_text(json_object_get(advice->facts, "features"), feature), "enforce");
}

static bool is_tcp(const struct advice *advice)
{
	return !strcmp(out_text(advice->facts, "protocol"), "tcp");
}

static void add_enforce(struct advice *advice, const char *feature)
{
	command_own(advice->commands, "set %s enforce", feature);
}

/* The entry of a flow, by hand. */
static void add_delete(struct advice *advice, json_t *tuple)
{
	json_int_t zone = json_integer_value(json_object_get(advice->facts, "zone"));
	char where[32] = "";

	if (zone)
		snprintf(where, sizeof(where), " -w %" JSON_INTEGER_FORMAT, zone);
	command_other(advice->commands,
		      "conntrack -D%s -p %s -s %s -d %s --sport %" JSON_INTEGER_FORMAT
		      " --dport %" JSON_INTEGER_FORMAT "%s",
		      strchr(out_text(tuple, "src"), ':') ? " -f ipv6" : "",
		      out_text(advice->facts, "protocol"), out_text(tuple, "src"),
		      out_text(tuple, "dst"), json_integer_value(json_object_get(tuple, "sport")),
		      json_integer_value(json_object_get(tuple, "dport")), where);
}

/* The entry of the flow, set right. */
static void add_audit(struct advice *advice)
{
	json_t *tuple = advice->tuple;

	command_own(advice->commands,
		    "audit --fix --kind reversed --zone %" JSON_INTEGER_FORMAT
		    " --proto tcp --src %s --dst %s --sport %" JSON_INTEGER_FORMAT
		    " --dport %" JSON_INTEGER_FORMAT,
		    json_integer_value(json_object_get(advice->facts, "zone")),
		    out_text(tuple, "src"), out_text(tuple, "dst"),
		    json_integer_value(json_object_get(tuple, "sport")),
		    json_integer_value(json_object_get(tuple, "dport")));
}

/* A command that takes PROTOCOL SOURCE DESTINATION; a shell has a use for brackets. */
static void add_flow(struct advice *advice, const char *command, json_t *tuple)
{
	command_own(advice->commands, "%s %s '%s' '%s'", command,
		    out_text(advice->facts, "protocol"),
		    phrase_end(tuple, "src", "sport").text, phrase_end(tuple, "dst", "dport").text);
}

/* Likewise, of a flow in @zone. */
static void add_flow_in(struct advice *advice, const char *command, json_t *zone, json_t *tuple)
{
	char words[32];

	snprintf(words, sizeof(words), "%s -w %" JSON_INTEGER_FORMAT, command,
		 json_integer_value(zone));
	add_flow(advice, json_integer_value(zone) ? words : command, tuple);
}

/* The two sentences. */
static void say(struct advice *advice, const char *text, const char *next)
{
	advice->text = text;
	advice->next = next;
}

/* Another second one. */
static void say_next(struct advice *advice, const char *next)
{
	advice->next = next;
}

static const char nothing[] = "Nothing is to be done.";

static void advise_ok(struct advice *advice)
{
	if (route_is_local(fact(advice, "routes", "source")) ||
	    route_is_local(fact(advice, "routes", "destination")))
		say(advice, "Stack and conntrack agree.", nothing);
	else
		say(advice,
		    "Nothing is wrong with it, as far as this host can tell: its sockets are elsewhere.",
		    nothing);
}

static void advise_rewritten(struct advice *advice)
{
	const char *state = "gone";
	json_t *change;
	size_t i;

	json_array_foreach(json_object_get(advice->facts, "nat"), i, change)
		if (json_object_get(change, "holder_state"))
			state = out_text(change, "holder_state");

	say(advice,
	    "It works, but its server sees another source port than its client has: another flow had that when this one was opened.",
	    "The port is in use. If the server has to see it, let the client choose another one.");
	if (!strcmp(state, "live") || !strcmp(state, "remote"))
		return;
	if (is_enforced(advice, "ports")) {
		say_next(advice,
			 "Nothing is to be done: the next flow with this port keeps it if its holder is dead.");
		return;
	}
	say_next(advice,
		 "The flow that had the port is no more than an entry, or gone. Let the feature ports look, and the next flow keeps its port:");
	add_enforce(advice, "ports");
}

/* An entry that nobody needs, and that may be in somebody's way: @used, it is. */
static void advise_removal(struct advice *advice, const char *text, bool used)
{
	if (!is_enforced(advice, "stale")) {
		say(advice, text,
		    "Let the feature stale evict it as soon as a new socket sends its first packet; or remove it by hand:");
		add_enforce(advice, "stale");
	} else if (used) {
		say(advice, text, "Remove it, and let the client connect anew:");
	} else {
		say(advice, text,
		    "Nothing has to be done: the feature stale evicts it as soon as a new socket sends its first packet. To remove it before:");
	}
	add_delete(advice, advice->tuple);
}

static void advise_stale(struct advice *advice)
{
	if (verdict_is_taken_over(advice->facts))
		advise_removal(advice,
			       "The entry was made for an earlier socket. The one that has these addresses and ports now is matched to it, and goes where NAT sent the earlier one.",
			       true);
	else if (stack_is_alive(fact(advice, "stack", "client")))
		advise_removal(advice,
			       "The entry is of an earlier connection. What the client of these addresses and ports sends is matched to it.",
			       true);
	else
		advise_removal(advice,
			       "The entry has outlived its socket. What is sent with these addresses and ports is matched to it, and goes where NAT sent the earlier socket's.",
			       false);
}

static void advise_orphaned(struct advice *advice)
{
	advise_removal(advice,
		       "Both ends are on this host, and neither has a socket any more: only the entry is left. What is sent with these addresses and ports is matched to it.",
		       false);
}

static void advise_unknown(struct advice *advice)
{
	say(advice,
	    "No socket of this host has one of its ends. It may be over; or raw or packet sockets, another namespace, XDP or a transparent socket send it.",
	    "See whether packets pass:");
	add_flow(advice, "trace", advice->tuple);
}

static void advise_reversed(struct advice *advice)
{
	say(advice,
	    "conntrack has picked the connection up in its midst and takes the server for the client: rules and NAT see it the wrong way round.",
	    "Have the entry set right; the connection goes on. The sysctl keeps conntrack from picking up connections:");
	if (json_array_size(json_object_get(advice->facts, "nat"))) {
		say_next(advice,
			 "Remove the entry; the next packet makes another one, the right way if the client sends it. The sysctl keeps conntrack from picking up connections:");
		add_delete(advice, advice->tuple);
	} else {
		add_audit(advice);
	}
	command_other(advice->commands, "sysctl -w net.netfilter.nf_conntrack_tcp_loose=0");
}

static void advise_loop(struct advice *advice)
{
	say(advice,
	    "A redirect hands the flow to the very proxy that opened it, which will open another one for it, and so on.",
	    "Exempt the proxy from the rule that redirects, by its user or mark; or have loops broken:");
	if (is_enforced(advice, "loopguard"))
		say_next(advice,
			 "Exempt the proxy from the rule that redirects, by its user or mark: the redirect could not be taken back.");
	else
		add_enforce(advice, "loopguard");
}

static void advise_unanswered(struct advice *advice)
{
	static const char next[] = "See how far its packets get:";

	if (!route_is_local(fact(advice, "routes", "destination"))) {
		say(advice, "Nothing has come back.", next);
	} else if (json_array_size(fact(advice, "stack", "listeners")) ||
		   json_is_object(fact(advice, "stack", "server"))) {
		say(advice,
		    "Nothing has come back, though a socket of this host would take it: a rule may drop it on its way.",
		    next);
	} else {
		say(advice,
		    "Nothing has come back: no socket of this host takes what is sent there.",
		    "Start the server that the flow is for, or change the rule that sends it there.");
		return;
	}
	add_flow(advice, "trace", advice->tuple);
}

static void advise_over(struct advice *advice)
{
	static const char text[] = "The connection is over; its entry waits for its end.";

	if (is_enforced(advice, "stale")) {
		say(advice, text,
		    "Nothing is to be done: a new connection gets an entry of its own.");
		return;
	}
	say(advice, text,
	    "A new connection with these addresses and ports may be matched to it, and go where NAT sent this one. Let the feature stale prevent that:");
	add_enforce(advice, "stale");
}

static void advise_elsewhere(struct advice *advice)
{
	json_t *zones = json_object_get(advice->facts, "other_zones"), *zone;
	size_t i;

	say(advice,
	    "There is a flow with these addresses and ports in another zone of conntrack's than the one that was asked.",
	    "Ask for it there:");
	json_array_foreach(zones, i, zone)
		add_flow_in(advice, "explain", zone, advice->tuple);
}

static void advise_missing(struct advice *advice)
{
	bool is_tracking = json_is_true(json_object_get(advice->facts, "is_tracking"));
	static const char next[] = "See where it ends:";

	if (!strcmp(out_text(fact(advice, "stack", "client"), "state"), "syn-sent")) {
		if (is_tracking)
			say(advice,
			    "The client sends its SYN, and conntrack has no entry: a rule drops it, or keeps it from conntrack.",
			    next);
		else
			say(advice,
			    "The client sends its SYN and has no answer. conntrack has not a single entry here: no rule asks for it, or a rule drops the SYN.",
			    next);
		add_flow(advice, "trace", advice->tuple);
		return;
	}
	say(advice,
	    "The connection is open, and conntrack has no entry of it: it has expired, was removed, or rules keep it from conntrack. If NAT had a part in it, its packets do not get to the other end any more.",
	    "Let the client connect anew. If it was idle for long, let entries live longer than that:");
	command_other(advice->commands,
		      "sysctl net.netfilter.nf_conntrack_tcp_timeout_established");
}

static void advise_untracked(struct advice *advice)
{
	say(advice,
	    "The connection is open, and conntrack has not a single entry here: most likely no rule asks for it, and NAT changes nothing.",
	    nothing);
}

static void advise_gone(struct advice *advice)
{
	json_t *history = json_object_get(advice->facts, "history");
	json_t *event = json_array_get(history, json_array_size(history) - 1);
	const char *text = event_meaning(event, advice->tuple) ?:
			   "It is over; what was decided about it is remembered.";
	const char *feature = out_text(event, "feature");

	if (strcmp(out_text(event, "decision"), "observed")) {
		say(advice, text,
		    "Nothing is to be done: that was settled when it happened. To see such decisions as they are made:");
		command_own(advice->commands, "monitor --feature %s", feature);
	} else if (is_enforced(advice, feature)) {
		say(advice, text, "Nothing is to be done: the feature acts by now.");
	} else {
		say(advice, text, "Have the feature act next time:");
		add_enforce(advice, feature);
	}
}

/* Where the first packet ends, in the words of the answer. */
static void say_end(struct advice *advice, const char *next)
{
	json_t *rules = json_object_get(advice->facts, "rules");

	if (asprintf(&advice->written, "Its first packet would end at the hook %s. %s",
		     out_text(rules_last_step(rules), "hook"), out_text(rules, "text")) < 0)
		advice->written = NULL;
	say(advice, advice->written ?: "Its first packet would end at a hook.", next);
}

static void advise_unreachable(struct advice *advice)
{
	static const char next[] = "Add a route. What the kernel says:";
	json_t *rules = json_object_get(advice->facts, "rules");
	json_t *tuple = advice->tuple;

	if (!strcmp(rules_end(rules), "no-route")) {
		tuple = json_object_get(rules_last_step(rules), "tuple");
		say_end(advice, next);
	} else {
		say(advice,
		    "This host has no route to the destination: what is sent there never leaves.",
		    next);
	}
	command_other(advice->commands, "ip %sroute get %s",
		      strchr(out_text(tuple, "dst"), ':') ? "-6 " : "", out_text(tuple, "dst"));
}

static void advise_blocked(struct advice *advice)
{
	say_end(advice, "Change what stops it there. To see that happen, have it opened:");
	add_flow(advice, "trace", advice->tuple);
}

static void advise_lingering(struct advice *advice)
{
	static const char text[] =
		"An earlier connection is in TIME_WAIT and holds the port for up to a minute.";

	if (is_enforced(advice, "linger")) {
		say(advice, text,
		    "Wait, or let the client choose another port: the far end may need it still, or it would have been removed.");
		return;
	}
	say(advice, text,
	    "Let the feature linger remove what is left of connections within this host, within a second of their end:");
	add_enforce(advice, "linger");
}

static void advise_held(struct advice *advice)
{
	say(advice,
	    "Another flow, not known to be dead, has the replies that this one would want: NAT would give it another source port.",
	    "If the server has to see the port, let the client choose another one. Who holds it:");
	add_flow_in(advice, "flow get", json_object_get(advice->facts, "zone"),
		    json_object_get(verdict_holder(advice->facts), "original"));
}

static void advise_leftover(struct advice *advice)
{
	if (is_enforced(advice, "ports")) {
		say(advice,
		    "What a dead flow has left holds the port. The feature ports would remove it, and the flow keep its port.",
		    nothing);
		return;
	}
	say(advice,
	    "What a dead flow has left holds the port: NAT would give this one another source port for its sake.",
	    "Let the feature ports remove such entries, or remove this one:");
	add_enforce(advice, "ports");
	add_delete(advice, json_object_get(verdict_holder(advice->facts), "original"));
}

static void advise_refused(struct advice *advice)
{
	say(advice,
	    "The destination is this host, and no socket of it takes what is sent there. If no rule sends it elsewhere, it is refused.",
	    "Start the server. What listens:");
	command_other(advice->commands, "ss -%cln", is_tcp(advice) ? 't' : 'u');
}

static void advise_free(struct advice *advice)
{
	static const char next[] = "Have it opened, and see which way it goes:";
	json_t *rules = json_object_get(advice->facts, "rules");

	if (json_array_size(json_object_get(advice->facts, "holders")))
		say(advice,
		    "Nothing is known to be in the way. But the port is another flow's, too: if a rule sends this one where that goes, NAT gives it another port.",
		    next);
	else if (!rules_is_complete(rules))
		say(advice,
		    "Nothing is in the way as far as sockets and entries go; the NAT rules could not be asked.",
		    next);
	else
		say(advice,
		    "Nothing is in the way of a flow with these addresses and ports. The NAT rules decide where it goes when its first packet comes.",
		    next);
	add_flow(advice, "trace", advice->tuple);
}

static void (*const advisers[])(struct advice *advice) = {
	[VERDICT_OK] = advise_ok,
	[VERDICT_REWRITTEN] = advise_rewritten,
	[VERDICT_STALE] = advise_stale,
	[VERDICT_ORPHANED] = advise_orphaned,
	[VERDICT_REVERSED] = advise_reversed,
	[VERDICT_LOOP] = advise_loop,
	[VERDICT_UNANSWERED] = advise_unanswered,
	[VERDICT_UNKNOWN] = advise_unknown,
	[VERDICT_OVER] = advise_over,
	[VERDICT_ELSEWHERE] = advise_elsewhere,
	[VERDICT_MISSING] = advise_missing,
	[VERDICT_UNTRACKED] = advise_untracked,
	[VERDICT_GONE] = advise_gone,
	[VERDICT_UNREACHABLE] = advise_unreachable,
	[VERDICT_BLOCKED] = advise_blocked,
	[VERDICT_LINGERING] = advise_lingering,
	[VERDICT_HELD] = advise_held,
	[VERDICT_LEFTOVER] = advise_leftover,
	[VERDICT_REFUSED] = advise_refused,
	[VERDICT_FREE] = advise_free,
};

json_t *advice_get(const json_t *facts)
{
	enum verdict verdict = verdict_get(facts);
	struct advice advice = { .facts = facts, .commands = json_array() };
	json_t *object;

	advice.tuple = fact(&advice, "conntrack", "original") ?: json_object_get(facts, "tuple");
	advisers[verdict](&advice);
	object = json_pack("{s:s, s:s, s:s, s:o}", "kind", verdict_words[verdict],
			   "text", advice.text, "next", advice.next, "commands",
			   advice.commands);
	free(advice.written);
	return object;
}
