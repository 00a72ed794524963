// SPDX-License-Identifier: GPL-2.0
/* The way of a flow's packets through the hooks. */
#include <string.h>

#include "looptrack.h"
#include "out.h"
#include "path.h"
#include "route.h"
#include "rules.h"

/*
 * The tables of each hook. Those of nat are asked about a flow's first packet alone, and
 * on the second pass not even that: it is settled by then.
 */
static const struct tables {
	const char *hook;
	const char *words[6];
} tables[] = {
	{ "prerouting", { "raw", "mangle", "nat" } },
	{ "input", { "mangle", "filter", "security", "nat" } },
	{ "forward", { "mangle", "filter", "security" } },
	{ "output", { "raw", "mangle", "nat", "filter", "security" } },
	{ "postrouting", { "mangle", "nat" } },
};

/**
 * struct way - a path that is being made
 * @hooks: those there are
 * @facts: of the flow
 * @before: the tuple as the client sends it
 * @between: as it is when the destination is settled
 * @after: as it is in the end
 */
struct way {
	json_t *hooks;
	const json_t *facts;
	json_t *before;
	json_t *between;
	json_t *after;
};

static json_t *rules_of(const char *hook, int pass)
{
	const struct tables *table = tables;
	json_t *rules = json_array();

	while (strcmp(table->hook, hook))
		table++;
	for (size_t i = 0; table->words[i]; i++)
		if (pass != 2 || strcmp(table->words[i], "nat"))
			json_array_append_new(rules, json_string(table->words[i]));
	return rules;
}

static void add(struct way *way, int pass, const char *hook, json_t *tuple, const char *device)
{
	json_t *object = json_pack("{s:s, s:O, s:o}", "hook", hook, "tuple", tuple, "rules",
				   rules_of(hook, pass));

	if (pass)
		json_object_set_new(object, "pass", json_integer(pass));
	if (device)
		json_object_set_new(object, "device", json_string(device));
	json_array_append_new(way->hooks, object);
}

static json_t *tuple_of(json_t *source, const char *address, const char *port,
			json_t *destination, const char *other_address, const char *other_port)
{
	json_t *tuple = json_object();

	json_object_set(tuple, "src", json_object_get(source, address));
	json_object_set(tuple, "sport", json_object_get(source, port));
	json_object_set(tuple, "dst", json_object_get(destination, other_address));
	json_object_set(tuple, "dport", json_object_get(destination, other_port));
	return tuple;
}

static const char *device_of(const struct way *way, const char *end)
{
	json_t *route = json_object_get(json_object_get(way->facts, "routes"), end);

	return json_string_value(json_object_get(route, "device"));
}

static void add_hooks(struct way *way)
{
	json_t *routes = json_object_get(way->facts, "routes");
	bool from_here = route_is_local(json_object_get(routes, "source"));
	bool to_here = route_is_local(json_object_get(routes, "destination"));
	const char *in = device_of(way, "source"), *out = device_of(way, "destination");

	if (from_here && to_here) {
		add(way, 1, "output", way->between, NULL);
		add(way, 1, "postrouting", way->after, "lo");
		add(way, 2, "prerouting", way->after, "lo");
		add(way, 2, "input", way->after, NULL);
	} else if (from_here) {
		add(way, 0, "output", way->between, NULL);
		add(way, 0, "postrouting", way->after, out);
	} else if (to_here) {
		add(way, 0, "prerouting", way->between, in);
		add(way, 0, "input", way->after, NULL);
	} else {
		add(way, 0, "prerouting", way->between, in);
		add(way, 0, "forward", way->between, NULL);
		add(way, 0, "postrouting", way->after, out);
	}
}

json_t *path_get(const json_t *facts)
{
	json_t *flow = json_object_get(facts, "conntrack");
	json_t *like = json_is_object(flow) ? flow : json_object_get(facts, "similar");
	json_t *reply = json_object_get(like, "reply");
	json_t *foreseen = json_is_object(flow) ? NULL :
			   rules_tuple(json_object_get(facts, "rules"));
	struct way way = { .hooks = json_array(), .facts = facts };

	way.before = json_is_object(flow) ? json_object_get(flow, "original") :
					    json_object_get(facts, "tuple");
	if (foreseen)
		way.between = tuple_of(way.before, "src", "sport", foreseen, "dst", "dport");
	else if (reply)
		way.between = tuple_of(way.before, "src", "sport", reply, "src", "sport");
	else
		way.between = json_incref(way.before);
	if (json_is_object(flow))
		way.after = tuple_of(reply, "dst", "dport", reply, "src", "sport");
	else if (foreseen)
		way.after = json_incref(foreseen);
	else
		way.after = json_incref(way.between);

	add_hooks(&way);
	json_decref(way.between);
	json_decref(way.after);
	return way.hooks;
}
