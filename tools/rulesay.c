// SPDX-License-Identifier: GPL-2.0
/* What the NAT rules have answered, in sentences. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "phrase.h"
#include "rules.h"
#include "rulesay.h"

/* Destinations that a sentence names. */
#define FEW		4

static bool has_step(const json_t *answer, const char *word)
{
	json_t *step;
	size_t i;

	json_array_foreach(json_object_get(answer, "steps"), i, step)
		if (!strcmp(out_text(step, "answer"), word))
			return true;
	return false;
}

/* " to A:80 or B:80" */
static void write_destinations(FILE *out, const json_t *rules)
{
	json_t *list = json_object_get(rules, "destinations"), *end;
	size_t count = json_array_size(list), i;

	json_array_foreach(list, i, end) {
		if (i == FEW) {
			fputs(" or others", out);
			break;
		}
		fprintf(out, "%s %s", i ? " or" : count > 1 ? " to one of" : " to",
			phrase_end(end, "address", "port").text);
	}
}

/* " as A:1024" */
static void write_source(FILE *out, const json_t *rules)
{
	json_t *list = json_object_get(rules, "sources"), *first = json_array_get(list, 0), *end;
	size_t i;

	json_array_foreach(list, i, end)
		if (!json_equal(json_object_get(end, "address"),
				json_object_get(first, "address"))) {
			fputs(", as one of several addresses", out);
			return;
		}
	if (json_array_size(list) > 1)
		fprintf(out, ", as %s from a port that differs each time",
			phrase_end(first, "address", "").text);
	else
		fprintf(out, ", as %s", phrase_end(first, "address", "port").text);
}

static void write_way(FILE *out, const json_t *rules)
{
	if (json_is_true(json_object_get(rules, "is_delivered")))
		fputs(" on this host", out);
	else if (json_object_get(rules, "out"))
		fprintf(out, " by %s", out_text(rules, "out"));
}

/* What the answers do not have in common, and what they may lack. */
static void write_doubts(FILE *out, const json_t *rules)
{
	json_int_t incomplete = json_integer_value(json_object_get(rules, "incomplete"));

	if (rules_variety(rules) > 1)
		fputs(" The answers differ: chance, or a limit that the questions used up.", out);
	if (incomplete && rules_is_complete(rules))
		fprintf(out,
			" %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT
			" answers do not get to the packet's end.",
			incomplete, json_integer_value(json_object_get(rules, "questions")));
	if (json_is_true(json_object_get(rules, "is_sent")) &&
	    !json_object_get(rules, "sender") &&
	    (has_step(rules, "asked") || has_step(rules, "refused")))
		fputs(" Rules for users were asked without a user.", out);
}

/* Where the packet ends before its end. */
static void write_end(FILE *out, const json_t *rules)
{
	json_t *step = rules_last_step(rules), *tuple = json_object_get(step, "tuple");
	const char *answer = out_text(step, "answer");

	if (!strcmp(answer, "no-route"))
		fprintf(out, "There is no route for %s.", phrase_tuple(tuple).text);
	else if (!strcmp(answer, "no-source"))
		fprintf(out,
			"It would not be taken by %s: the reverse path filter, or an address that no packet may have there, such as 127.0.0.1 without route_localnet.",
			out_text(rules, "in"));
	else if (!strcmp(answer, "no-forwarding"))
		fprintf(out, "It would be for another host as %s, and this one does not forward.",
			phrase_tuple(tuple).text);
	else if (!strcmp(answer, "busy"))
		fprintf(out, "%s",
			"The NAT rules can't be asked now: memory is short, or conntrack's table is full.");
	else if (!strcmp(answer, "refused"))
		fprintf(out, "The NAT rules of %s would not accept it.", out_text(step, "hook"));
	else
		fprintf(out, "The answer%s%s is not understood.", *answer ? " " : "", answer);
}

static bool is_changed(const json_t *rules, const char *key, const char *address,
		       const char *port)
{
	json_t *flow = json_object_get(rules, "flow");
	json_t *list = json_object_get(rules, key);

	return json_array_size(list) != 1 ||
	       !rules_has_end(rules, key, json_object_get(flow, address),
			      json_object_get(flow, port));
}

static void write_sentence(FILE *out, const json_t *rules)
{
	json_t *agrees = json_object_get(rules, "agrees");
	bool to = is_changed(rules, "destinations", "dst", "dport");
	bool from = is_changed(rules, "sources", "src", "sport");

	if (!rules_is_complete(rules)) {
		write_end(out, rules);
		return;
	}
	if (json_is_true(agrees)) {
		fprintf(out, "The NAT rules would decide the same today%s.",
			rules_variety(rules) > 1 ? ", or something else" : "");
		return;
	}
	if (!to && !from) {
		fprintf(out, "%s; it would %s",
			!has_step(rules, "asked") ? "NAT is not in use here, or not recognised" :
			agrees ? "No NAT rule changes it any more" : "No NAT rule changes it",
			json_is_true(json_object_get(rules, "is_delivered")) ? "be taken" :
									     "leave");
		write_way(out, rules);
		fputc('.', out);
		return;
	}
	fprintf(out, "The NAT rules would %ssend it", agrees ? "now " : "");
	if (to)
		write_destinations(out, rules);
	write_way(out, rules);
	if (from)
		write_source(out, rules);
	fputc('.', out);
}

json_t *rulesay_sentence(const json_t *rules)
{
	char *text = NULL;
	json_t *string;
	size_t size;
	FILE *out;

	out = open_memstream(&text, &size);
	if (!out)
		return NULL;
	write_sentence(out, rules);
	write_doubts(out, rules);
	string = fclose(out) ? NULL : json_string(text);
	free(text);
	return string;
}
