// SPDX-License-Identifier: GPL-2.0
/* Facts about a flow, in plain sentences: one a line, behind what they are about. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <linux/netfilter/nf_conntrack_common.h>

#include "event.h"
#include "explain.h"
#include "out.h"
#include "phrase.h"
#include "route.h"
#include "rulemet.h"
#include "rules.h"
#include "stack.h"

/* How much is shown of what may be long; JSON has it all. */
#define FEW	5

/* Columns of what a line is about. */
#define LABEL	11

static const char *label;	/* of the part that begins with the next line */

static void begin(const char *name)
{
	label = name;
}

static void start_line(void)
{
	printf("%-*s", LABEL, label);
	label = "";
}

/* A sentence, or several. */
__printf(1, 2)
static void say(const char *format, ...)
{
	va_list args;

	start_line();
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

/* What is left, or what may be at the other end. */
static void say_socket(const char *tuple, json_t *socket, const char *protocol)
{
	const char *state = out_text(socket, "state");
	bool owned = json_object_get(socket, "uid") || json_object_get(socket, "comm");

	if (!strcmp(state, "time-wait"))
		say("%s is in TIME_WAIT: closed, and kept for a minute.", tuple);
	else if (!strcmp(state, "close"))
		say("%s can be sent by a %s socket of %s, which is not connected.", tuple,
		    protocol, phrase_owner(socket).text);
	else if (owned)
		say("%s is a %s socket of %s, %s.", tuple, protocol, phrase_owner(socket).text,
		    state);
	else
		say("%s is a %s socket that no process has, %s.", tuple, protocol, state);
}

/* What UDP calls closed is open. */
static const char *state_text(json_t *socket)
{
	const char *state = out_text(socket, "state");

	return strcmp(state, "close") ? state : "not connected";
}

static void show_end(const json_t *facts, const char *key, json_t *tuple, const char *route)
{
	json_t *socket = json_object_get(json_object_get(facts, "stack"), key);
	json_t *routes = json_object_get(facts, "routes");

	if (json_is_object(socket))
		say_socket(phrase_tuple(tuple).text, socket, out_text(facts, "protocol"));
	else if (route_is_local(json_object_get(routes, route)))
		say("%s is no socket's.", phrase_tuple(tuple).text);
	else
		say("%s would be the socket of another host or namespace.",
		    phrase_tuple(tuple).text);
}

static void show_others(const json_t *facts, const char *key, const char *what)
{
	json_t *list = json_object_get(json_object_get(facts, "stack"), key), *socket;
	const char *device;
	size_t i;

	json_array_foreach(list, i, socket) {
		if (i == FEW) {
			say("There are more.");
			break;
		}
		device = json_string_value(json_object_get(socket, "device"));
		say("%s %s%s%s: %s, %s.", phrase_end(socket, "src", "sport").text, what,
		    device ? ", on device " : "", device ?: "", phrase_owner(socket).text,
		    state_text(socket));
	}
}

/* The server's end, as the server has it: where the last hook leads. */
static json_t *server_tuple(const json_t *facts)
{
	json_t *path = json_object_get(facts, "path");
	json_t *after = json_object_get(json_array_get(path, json_array_size(path) - 1), "tuple");

	return json_pack("{s:O, s:O, s:O, s:O}", "src", json_object_get(after, "dst"),
			 "sport", json_object_get(after, "dport"),
			 "dst", json_object_get(after, "src"),
			 "dport", json_object_get(after, "sport"));
}

static void show_stack(const json_t *facts, json_t *tuple)
{
	json_t *stack = json_object_get(facts, "stack");
	json_t *server = server_tuple(facts);

	begin("Stack:");
	show_end(facts, "client", tuple, "source");
	/* A socket of UDP serves without being connected to anybody. */
	if (json_is_object(json_object_get(stack, "server")) ||
	    !json_array_size(json_object_get(stack, "listeners")) ||
	    strcmp(out_text(facts, "protocol"), "udp"))
		show_end(facts, "server", server, "destination");
	json_decref(server);
	show_others(facts, "listeners", "takes what is sent there");
	show_others(facts, "port", "has the client's port, too");
	show_others(facts, "peers", "speaks to the client's port, too");
}

static void show_owner(json_t *flow)
{
	json_t *owner = json_object_get(flow, "owner");
	const char *since = out_text(owner, "since");

	if (owner)
		say("It was opened by %s at %.10s %.15s.", phrase_owner(owner).text, since,
		    strlen(since) > 26 ? since + 11 : "");
}

static void show_pass(json_t *flow, const char *pass, const char *original, const char *reply)
{
	json_t *sent = json_object_get(flow, original), *answered = json_object_get(flow, reply);

	if (sent)
		say("On the %s pass %" JSON_INTEGER_FORMAT " packets were sent and %"
		    JSON_INTEGER_FORMAT " answered.", pass,
		    json_integer_value(json_object_get(sent, "packets")),
		    json_integer_value(json_object_get(answered, "packets")));
}

static void show_entry(const json_t *facts, json_t *flow)
{
	const char *state = json_string_value(json_object_get(flow, "tcp_state"));
	const char *match = out_text(facts, "match");

	say("%s has an entry%s%s, for another %" JSON_INTEGER_FORMAT " s.",
	    phrase_tuple(json_object_get(flow, "original")).text, state ? ", " : "", state ?: "",
	    json_integer_value(json_object_get(flow, "timeout")));
	say("Replies are %s.", phrase_tuple(json_object_get(flow, "reply")).text);
	if (!strcmp(match, "reply"))
		say("You have asked for the direction of its replies.");
	else if (!strcmp(match, "inverse"))
		say("You have asked for what is seen of it on the other side of NAT.");
	show_owner(flow);
	show_pass(flow, "first", "first_original", "first_reply");
	show_pass(flow, "second", "second_original", "second_reply");
}

static void show_holders(const json_t *facts, json_t *tuple)
{
	json_t *holders = json_object_get(facts, "holders"), *holder;
	size_t i;

	json_array_foreach(holders, i, holder) {
		if (i == FEW) {
			say("There are more.");
			break;
		}
		say("Replies to %s go to %s, too.",
		    phrase_tuple(json_object_get(holder, "original")).text,
		    phrase_end(tuple, "src", "sport").text);
	}
}

static void show_conntrack(const json_t *facts, json_t *tuple)
{
	json_t *flow = json_object_get(facts, "conntrack");

	begin("Conntrack:");
	if (json_is_object(flow))
		show_entry(facts, flow);
	else if (json_is_true(json_object_get(facts, "is_tracking")))
		say("There is no entry.");
	else
		say("There is no entry at all: most likely no rule here asks for conntrack.");
	show_holders(facts, tuple);
}

static void say_change(json_t *change)
{
	struct phrase from = phrase_end(json_object_get(change, "from"), "address", "port");
	struct phrase to = phrase_end(json_object_get(change, "to"), "address", "port");
	const char *what = out_text(change, "what"), *state = out_text(change, "holder_state");
	json_t *holder = json_object_get(change, "holder");

	if (strcmp(out_text(change, "why"), "implicit")) {
		say("%s changes the %s: %s becomes %s.",
		    strcmp(out_text(change, "why"), "rule") ?
		    "IPVS, or something else that is no rule of NAT," : "A rule",
		    what, from.text, to.text);
		return;
	}
	say("The source port is changed, though no rule asks for that: %s becomes %s.", from.text,
	    to.text);
	if (!holder)
		say("Who had the port is not known any more.");
	else if (!strcmp(state, "gone"))
		say("%s had it, and is gone.", phrase_tuple(holder).text);
	else if (!strcmp(state, "remote"))
		say("%s has it; whether it lives is another host's to say.",
		    phrase_tuple(holder).text);
	else
		say("%s of %s has it, and is %s.", phrase_tuple(holder).text,
		    phrase_owner(json_object_get(change, "holder_owner")).text, state);
}

static void show_nat(const json_t *facts)
{
	json_t *changes = json_object_get(facts, "nat"), *change;
	json_t *similar = json_object_get(facts, "similar");
	size_t i;

	begin("NAT:");
	json_array_foreach(changes, i, change)
		say_change(change);
	if (i)
		return;
	if (json_is_object(json_object_get(facts, "conntrack")))
		say("Nothing is changed.");
	else if (json_is_object(similar))
		say("%s, which goes there, too, is answered by %s.",
		    phrase_tuple(json_object_get(similar, "original")).text,
		    phrase_end(json_object_get(similar, "reply"), "src", "sport").text);
	else
		say("The rules decide when the first packet comes.");
}

static void say_unread(const json_t *rules)
{
	json_t *what;
	size_t i;

	start_line();
	fputs("Only NAT rules were asked; not read:", stdout);
	json_array_foreach(json_object_get(rules, "unread"), i, what)
		printf("%s %s", i ? "," : "", json_string_value(what));
	puts(".");
}

/* The rules that one question met, where that was asked for. */
static void say_met(const json_t *rules)
{
	json_t *met = json_object_get(rules, "met"), *rule;
	size_t i;

	if (!met)
		return;
	if (json_object_get(met, "unknown")) {
		say("Which rules decide is not known: %s.", out_text(met, "unknown"));
		return;
	}
	if (!json_array_size(json_object_get(met, "rules"))) {
		say("No rule in the NAT chains of nf_tables matches it.");
		return;
	}
	say("These rules of nf_tables match it%s:",
	    json_is_true(json_object_get(rules, "is_random")) ? ", the last time it was asked" :
								"");
	json_array_foreach(json_object_get(met, "rules"), i, rule) {
		start_line();
		printf("    %s: ", out_text(rule, "hook"));
		rulemet_show_verdict(rule);
	}
}

static void show_rules(const json_t *facts)
{
	json_t *rules = json_object_get(facts, "rules"), *mark;

	begin("Rules:");
	if (json_object_get(rules, "unknown")) {
		say("unknown: %s.", out_text(rules, "unknown"));
		return;
	}
	say("%s", out_text(rules, "text"));
	if (json_is_true(json_object_get(rules, "is_derived")))
		say("It was taken to come by %s, to which the route to its source leads.",
		    out_text(rules, "in"));
	mark = json_object_get(rules, "flow_mark");
	if (mark && json_equal(mark, json_object_get(rules, "mark")))
		say("It was taken to have the mark of its entry, %" JSON_INTEGER_FORMAT ".",
		    json_integer_value(mark));
	say_met(rules);
	say_unread(rules);
}

static bool is_enforced(const json_t *facts, const char *feature)
{
	return !strcmp(out_text(json_object_get(facts, "features"), feature), "enforce");
}

static void say_rules(json_t *rules)
{
	json_t *table;
	size_t i;

	json_array_foreach(rules, i, table)
		printf("%s %s", i ? "," : " rules of", json_string_value(table));
}

static void show_path(const json_t *facts)
{
	json_t *path = json_object_get(facts, "path"), *hook, *pass = NULL;
	size_t i;

	begin("Path:");
	json_array_foreach(path, i, hook) {
		pass = json_object_get(hook, "pass");
		start_line();
		if (pass)
			printf("pass %" JSON_INTEGER_FORMAT ", ", json_integer_value(pass));
		printf("%s:", out_text(hook, "hook"));
		say_rules(json_object_get(hook, "rules"));
		printf("; then %s", phrase_tuple(json_object_get(hook, "tuple")).text);
		if (json_object_get(hook, "device"))
			printf(", device %s", out_text(hook, "device"));
		printf(".\n");
	}
	if (pass)
		say("Rules of nat see the first packet only, and none of the second pass.");
	else
		say("Rules of nat see the first packet only.");
	if (pass && is_enforced(facts, "passmark"))
		say("On the second pass they carry the mark of passmark.");
	if (pass && is_enforced(facts, "express"))
		say("With express, rules of the second pass see the first packets only.");
	if (json_integer_value(json_object_get(json_object_get(facts, "conntrack"), "status")) &
	    IPS_OFFLOAD)
		say("A flowtable forwards it: rules and traces see only what it leaves to them.");
}

static void show_history(const json_t *facts, json_t *tuple)
{
	const char *meaning;
	json_t *history = json_object_get(facts, "history"), *event;
	size_t count = json_array_size(history), i;

	begin("History:");
	if (!count)
		say("No decision about it is remembered.");
	json_array_foreach(history, i, event) {
		if (i + FEW < count)
			continue;
		start_line();
		event_show(event);
		meaning = event_meaning(event, tuple);
		if (meaning)
			say("%s", meaning);
	}
}

static void show_verdict(json_t *verdict)
{
	json_t *commands = json_object_get(verdict, "commands"), *command;
	size_t i;

	begin("Verdict:");
	start_line();
	out_word(out_text(verdict, "kind"), 0);
	printf(". %s\n", out_text(verdict, "text"));
	begin("Next:");
	say("%s", out_text(verdict, "next"));
	json_array_foreach(commands, i, command)
		say("    %s", json_string_value(command));
}

void explain_show(const json_t *facts)
{
	json_t *tuple = json_object_get(json_object_get(facts, "conntrack"), "original") ?:
			json_object_get(facts, "tuple");

	show_stack(facts, tuple);
	show_conntrack(facts, tuple);
	show_nat(facts);
	show_rules(facts);
	show_path(facts);
	show_history(facts, tuple);
	show_verdict(json_object_get(facts, "verdict"));
}
