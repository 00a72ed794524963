// SPDX-License-Identifier: GPL-2.0
/* What can be known of a flow: by the module, the stack and the routes. */
#include <string.h>

#include <linux/nf_looptrack.h>

#include "ctnl.h"
#include "facts.h"
#include "modes.h"
#include "nat.h"
#include "out.h"
#include "path.h"
#include "route.h"
#include "rules.h"
#include "stack.h"
#include "verdict.h"

/* How many of each kind are told. */
#define MANY	16

/**
 * struct search - what facts are collected about
 * @question: what was asked
 * @facts: what is known
 * @tuple: what was asked, as a tuple
 */
struct search {
	const struct question *question;
	json_t *facts;
	json_t *tuple;
};

static json_t *get(const struct search *search, const char *key)
{
	return json_object_get(search->facts, key);
}

static void set(struct search *search, const char *key, json_t *value)
{
	json_object_set_new(search->facts, key, value);
}

static json_t *tuple_json(const struct endpoint *from, const struct endpoint *to)
{
	json_t *tuple = json_object();

	endpoint_json(tuple, from, "src", "sport");
	endpoint_json(tuple, to, "dst", "dport");
	return tuple;
}

static enum exit_code add_features(struct nl *nl, struct search *search)
{
	enum exit_code code;
	json_t *modes;

	code = modes_get(nl, &modes);
	set(search, "features", modes);
	return code;
}

/* By either direction; then by what replies look like to the client. */
static enum exit_code add_flow(struct nl *nl, struct search *search)
{
	struct question question = *search->question;
	const char *match = "inverse";
	enum exit_code code;
	json_t *flow;

	code = flow_find(nl, &question, &flow);
	if (!code && flow) {
		match = json_equal(json_object_get(flow, "original"), search->tuple) ? "original" :
										       "reply";
	} else if (!code) {
		question.ends[0] = search->question->ends[1];
		question.ends[1] = search->question->ends[0];
		code = flow_find(nl, &question, &flow);
	}
	if (code)
		return code;

	set(search, "conntrack", flow ?: json_null());
	if (flow)
		set(search, "match", json_string(match));
	return EXIT_OK;
}

static bool is_end(json_t *tuple, const char *address_key, const char *port_key,
		   json_t *other, const char *other_address, const char *other_port)
{
	return json_equal(json_object_get(tuple, address_key),
			  json_object_get(other, other_address)) &&
	       json_equal(json_object_get(tuple, port_key), json_object_get(other, other_port));
}

static void append(struct search *search, const char *key, json_t *value)
{
	if (json_array_size(get(search, key)) < MANY)
		json_array_append(get(search, key), value);
}

/* Does a flow that is not the one, or not in this zone, tell something about it? */
static void look_at_flow(struct search *search, json_t *flow)
{
	json_t *original = json_object_get(flow, "original");
	json_t *reply = json_object_get(flow, "reply");
	json_t *zone = json_object_get(flow, "zone");

	if (!json_equal(zone, get(search, "zone"))) {
		if (json_equal(original, search->tuple) || json_equal(reply, search->tuple))
			append(search, "other_zones", zone);
		return;
	}
	if (is_end(reply, "dst", "dport", search->tuple, "src", "sport"))
		append(search, "holders", flow);
	if (is_end(original, "dst", "dport", search->tuple, "dst", "dport"))
		json_object_set(search->facts, "similar", flow);
}

/* Each family has hooks of its own, which come with the first rule that needs them. */
static bool is_of_family(const struct search *search, json_t *flow)
{
	struct endpoint ends[2];

	endpoint_read_tuple(ends, json_object_get(flow, "original"));
	return ends->family == search->question->ends->family;
}

static enum exit_code take_flow(json_t *flow, void *arg)
{
	struct search *search = arg;

	if (!json_is_true(get(search, "is_tracking")) && is_of_family(search, flow))
		set(search, "is_tracking", json_true());
	if (json_equal(json_object_get(flow, "protocol"), get(search, "protocol")))
		look_at_flow(search, flow);
	json_decref(flow);
	return EXIT_OK;
}

/* All that conntrack has is looked through if it does not have the one. */
static enum exit_code add_others(struct nl *nl, struct search *search)
{
	bool found = json_is_object(get(search, "conntrack"));

	set(search, "is_tracking", json_boolean(found));
	if (found)
		return EXIT_OK;
	set(search, "other_zones", json_array());
	set(search, "holders", json_array());
	set(search, "similar", json_null());
	return nl_list(nl, NF_LOOPTRACK_CMD_FLOW_GET, &attr_flow, take_flow, search);
}

static bool is_about(json_t *event, json_t *tuple)
{
	static const char *const keys[] = { "flow", "wanted", "got", "holder" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		json_t *other = json_object_get(event, keys[i]);

		if (!other)
			continue;
		if (json_equal(other, tuple) ||
		    (is_end(other, "src", "sport", tuple, "dst", "dport") &&
		     is_end(other, "dst", "dport", tuple, "src", "sport")))
			return true;
	}
	return false;
}

static enum exit_code take_event(json_t *event, void *arg)
{
	struct search *search = arg;
	json_t *flow = get(search, "conntrack");

	if (json_equal(json_object_get(event, "protocol"), get(search, "protocol")) &&
	    json_equal(json_object_get(event, "zone"), get(search, "zone")) &&
	    (is_about(event, search->tuple) ||
	     (json_is_object(flow) && (is_about(event, json_object_get(flow, "original")) ||
				       is_about(event, json_object_get(flow, "reply"))))))
		json_array_append(get(search, "history"), event);
	json_decref(event);
	return EXIT_OK;
}

static enum exit_code add_history(struct nl *nl, struct search *search)
{
	set(search, "history", json_array());
	return nl_list(nl, NF_LOOPTRACK_CMD_EVENT_GET, &attr_event, take_event, search);
}

static enum exit_code add_nat(struct nl *nl, struct search *search)
{
	json_t *flow = get(search, "conntrack"), *changes;
	enum exit_code code;

	if (!json_is_object(flow)) {
		set(search, "nat", json_array());
		return EXIT_OK;
	}
	code = nat_get(nl, search->question, flow, get(search, "history"), &changes);
	set(search, "nat", changes);
	return code;
}

/* Of the flow as its client sends it, whatever was asked for. */
static enum exit_code add_rules(struct nl *nl, struct search *search,
				const struct rules_packet *packet)
{
	struct question question = *search->question;
	json_t *flow = get(search, "conntrack"), *rules;
	enum exit_code code;

	if (json_is_object(flow))
		endpoint_read_tuple(question.ends, json_object_get(flow, "original"));
	code = rules_get(nl, &question, packet, json_is_object(flow) ? flow : NULL, &rules);
	if (!code)
		set(search, "rules", rules);
	return code;
}

/*
 * The ends of the client, and of the server as NAT makes them: of a flow that is not
 * there, where the rules would send it; or, if they can't be asked, where NAT sends
 * another one that goes to the same destination.
 */
static void find_ends(const struct search *search, struct endpoint client[2],
		      struct endpoint server[2])
{
	json_t *flow = get(search, "conntrack"), *similar = get(search, "similar");
	json_t *tuple = rules_tuple(get(search, "rules"));
	struct endpoint ends[2];

	if (json_is_object(flow)) {
		endpoint_read_tuple(client, json_object_get(flow, "original"));
		endpoint_read_tuple(server, json_object_get(flow, "reply"));
		return;
	}
	memcpy(client, search->question->ends, sizeof(search->question->ends));
	server[0] = client[1];
	if (tuple) {
		endpoint_read_tuple(ends, tuple);
		server[0] = ends[1];
	} else if (json_is_object(similar)) {
		endpoint_read_tuple(server, json_object_get(similar, "reply"));
	}
	server[1] = client[0];
}

/* To its source, and to where NAT sends it. */
static enum exit_code add_routes(struct search *search)
{
	struct endpoint client[2], server[2];
	json_t *routes = json_object(), *route;
	enum exit_code code;

	find_ends(search, client, server);
	set(search, "routes", routes);
	code = route_get(NULL, &client[0], &route);
	if (code)
		return code;
	json_object_set_new(routes, "source", route);
	code = route_get(route_is_local(route) ? &client[0] : NULL, &server[0], &route);
	if (!code)
		json_object_set_new(routes, "destination", route);
	return code;
}

static enum exit_code add_stack(struct search *search)
{
	json_t *routes = get(search, "routes"), *stack;
	struct endpoint client[2], server[2];
	enum exit_code code;

	find_ends(search, client, server);
	code = stack_get(search->question->protocol,
			 client, route_is_local(json_object_get(routes, "source")),
			 server, route_is_to_here(json_object_get(routes, "destination")), &stack);
	if (!code)
		set(search, "stack", stack);
	return code;
}

/* Only of a connection that may be the wrong way round: to ask conntrack itself may load a
 * module. Where it can't be asked, nothing is proved.
 */
static void add_pickup(struct search *search)
{
	struct question question = *search->question;
	struct ctnl_entry entry = {};
	struct ctnl ctnl = {};

	if (!json_is_object(get(search, "conntrack")) || !verdict_may_be_reversed(search->facts))
		return;
	endpoint_read_tuple(question.ends, json_object_get(get(search, "conntrack"), "original"));
	if (!ctnl_open(&ctnl) && !ctnl_get(&ctnl, &question, &entry))
		set(search, "is_picked_up", json_boolean(entry.pickup));
	ctnl_close(&ctnl);
}

static enum exit_code collect(struct nl *nl, const struct question *question,
			      const struct rules_packet *packet, json_t **facts)
{
	struct search search = { .question = question, .facts = json_object() };
	enum exit_code code;

	search.tuple = tuple_json(&question->ends[0], &question->ends[1]);
	set(&search, "protocol", json_string(attr_protocol(question->protocol)));
	set(&search, "zone", json_integer(question->zone));
	set(&search, "tuple", search.tuple);

	code = add_features(nl, &search);
	if (!code)
		code = add_flow(nl, &search);
	if (!code)
		code = add_others(nl, &search);
	if (!code)
		code = add_history(nl, &search);
	if (!code)
		code = add_nat(nl, &search);
	if (!code)
		code = add_rules(nl, &search, packet);
	if (!code)
		code = add_routes(&search);
	if (!code)
		code = add_stack(&search);
	if (code) {
		json_decref(search.facts);
		return code;
	}
	add_pickup(&search);
	set(&search, "path", path_get(search.facts));
	*facts = search.facts;
	return EXIT_OK;
}

/* The sockets are looked at last. Has a connection come about since conntrack was asked? */
static enum exit_code is_late(struct nl *nl, const struct question *question, const json_t *facts,
			      bool *late)
{
	json_t *client = json_object_get(json_object_get(facts, "stack"), "client"), *flow = NULL;
	enum exit_code code = EXIT_OK;

	if (json_is_null(json_object_get(facts, "conntrack")) && json_is_object(client))
		code = flow_find(nl, question, &flow);
	*late = flow;
	json_decref(flow);
	return code;
}

enum exit_code facts_get(struct nl *nl, const struct question *question,
			 const struct rules_packet *packet, json_t **facts)
{
	enum exit_code code = collect(nl, question, packet, facts);
	bool late = false;

	if (!code) {
		code = is_late(nl, question, *facts, &late);
		if (code || late)
			json_decref(*facts);
	}
	return !code && late ? collect(nl, question, packet, facts) : code;
}
