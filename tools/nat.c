// SPDX-License-Identifier: GPL-2.0
/* What NAT changed of a flow, and for whose sake. */
#include <string.h>

#include <linux/netfilter/nf_conntrack_common.h>

#include "nat.h"
#include "out.h"
#include "stack.h"

static json_t *end_json(json_t *tuple, const char *address_key, const char *port_key)
{
	json_t *port = json_object_get(tuple, port_key), *end = json_object();

	json_object_set(end, "address", json_object_get(tuple, address_key));
	if (port)
		json_object_set(end, "port", port);
	return end;
}

/* Note the change, if there is one. Takes both references. Return: it, or NULL. */
static json_t *note(json_t *changes, const char *what, json_t *from, json_t *to,
		    const char *why)
{
	json_t *change = NULL;

	if (!json_equal(from, to)) {
		change = json_pack("{s:s, s:O, s:O, s:s}", "what", what, "from", from,
				   "to", to, "why", why);
		json_array_append_new(changes, change);
	}
	json_decref(from);
	json_decref(to);
	return change;
}

/* The last event that tells for whose sake a flow got this reply tuple. */
static json_t *find_reason(json_t *history, json_t *reply)
{
	for (size_t i = json_array_size(history); i; i--) {
		json_t *event = json_array_get(history, i - 1);

		if (json_equal(json_object_get(event, "got"), reply) &&
		    json_object_get(event, "holder"))
			return event;
	}
	return NULL;
}

const char *nat_holder_state(json_t *flow)
{
	if (json_is_true(json_object_get(flow, "is_stale")))
		return "dead";
	if (stack_is_alive(json_object_get(flow, "client")) ||
	    stack_is_alive(json_object_get(flow, "server")))
		return "live";
	if (!json_is_true(json_object_get(flow, "is_loopback")))
		return "remote";
	return strcmp(out_text(flow, "protocol"), "tcp") ? "live" : "dead";
}

/* Who has the port that the flow wanted: now, or had when it was decided. */
static enum exit_code add_holder(struct nl *nl, const struct question *question, json_t *flow,
				 json_t *event, json_t *change)
{
	struct question wanted = *question;
	json_t *holder, *has;
	enum exit_code code;

	endpoint_read_tuple(wanted.ends, json_object_get(flow, "reply"));
	wanted.ends[1].port = json_integer_value(json_object_get(json_object_get(flow, "original"),
								 "sport"));
	code = flow_find(nl, &wanted, &holder);
	if (code)
		return code;

	/* The event may be about another flow, which had the port before. */
	has = json_object_get(holder, "original");
	if (has && !json_equal(has, json_object_get(event, "holder")))
		event = NULL;
	json_object_set(change, "holder", has ?: json_object_get(event, "holder"));
	json_object_set(change, "holder_owner", json_object_get(holder, "owner") ?:
						json_object_get(event, "holder_owner"));
	json_object_set_new(change, "holder_state",
			    json_string(holder ? nat_holder_state(holder) : "gone"));
	json_decref(holder);
	return EXIT_OK;
}

enum exit_code nat_get(struct nl *nl, const struct question *question, json_t *flow,
		       json_t *history, json_t **changes)
{
	json_t *original = json_object_get(flow, "original");
	json_t *reply = json_object_get(flow, "reply");
	uint32_t status = json_integer_value(json_object_get(flow, "status"));
	bool implicit = json_is_true(json_object_get(flow, "is_rewritten"));
	json_t *source;

	*changes = json_array();
	note(*changes, "destination", end_json(original, "dst", "dport"),
	     end_json(reply, "src", "sport"), status & IPS_DST_NAT ? "rule" : "other");
	source = note(*changes, "source", end_json(original, "src", "sport"),
		      end_json(reply, "dst", "dport"),
		      implicit ? "implicit" : status & IPS_SRC_NAT ? "rule" : "other");
	if (!source || !implicit)
		return EXIT_OK;
	return add_holder(nl, question, flow, find_reason(history, reply), source);
}
