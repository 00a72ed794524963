// SPDX-License-Identifier: GPL-2.0
/* What the NAT rules would do with a flow, as the module finds out. */
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/nf_looptrack.h>

#include "met.h"
#include "modes.h"
#include "out.h"
#include "rules.h"
#include "rulesay.h"

/* Questions about a flow: rules that choose at random answer differently. */
#define QUESTIONS	16

/* If none of them allows an entry, so many are asked: one of the destinations may be
 * unlikely. A twelfth of the flows is missed by all of them once in 10^9 times. Rules with
 * more answers than MANY are not understood.
 */
#define QUESTIONS_MOST	256
#define MANY		12

/* Read where the socket that sends the flow is known. */
static const char unread_users[] = "rules for users and cgroups";

/* What may change the packet's way and is not asked. */
static const char *const unread[] = {
	"filter rules", "rules that set marks", "rules that keep packets from conntrack",
	unread_users, "rules for the mark of an entry",
	"rules for what else a packet carries (MAC addresses, bridge ports, TTL, DSCP, length)",
	"traffic control",
	"IPsec policies", "features of this module",
};

/**
 * struct answers - what came of one question that is asked again and again
 * @rules: the first answer that gets to the packet's end, or else the first one; with all
 *	ends
 * @asked: how many there are
 * @incomplete: how many do not get to the packet's end
 * @varies: they do not all take the same way there
 * @stays: one ends on this host
 */
struct answers {
	json_t *rules;
	unsigned int asked;
	unsigned int incomplete;
	bool varies;
	bool stays;
};

static void put(struct nl *nl, const struct question *question,
		const struct rules_packet *packet, bool is_traced)
{
	struct nlmsghdr *nlh = nl_request(nl, NF_LOOPTRACK_CMD_RULES_GET);

	mnl_attr_put_u8(nlh, NF_LOOPTRACK_A_RULES_PROTOCOL, question->protocol);
	mnl_attr_put_u16(nlh, NF_LOOPTRACK_A_RULES_ZONE, question->zone);
	endpoint_put(nlh, NF_LOOPTRACK_A_RULES_FLOW, question->ends);
	if (packet->mark)
		mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_RULES_MARK, packet->mark);
	if (packet->device)
		mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_RULES_IN, packet->device);
	if (is_traced)
		mnl_attr_put(nlh, NF_LOOPTRACK_A_RULES_IS_TRACED, 0, NULL);
}

/* The index of a device becomes its name. */
static void name_device(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);
	unsigned int index = json_integer_value(value);
	char name[IF_NAMESIZE];

	if (value && if_indextoname(index, name))
		json_object_set_new(object, key, attr_name(name));
	else if (value)
		json_object_set_new(object, key, json_sprintf("%u", index));
}

static void name_devices(json_t *answer)
{
	json_t *step;
	size_t i;

	name_device(answer, "in");
	name_device(answer, "out");
	json_array_foreach(json_object_get(answer, "steps"), i, step)
		name_device(step, "device");
}

json_t *rules_last_step(const json_t *rules)
{
	json_t *steps = json_object_get(rules, "steps");

	return json_array_get(steps, json_array_size(steps) - 1);
}

static bool is_word(const json_t *object, const char *key, const char *word)
{
	return !strcmp(out_text(object, key), word);
}

const char *rules_end(const json_t *rules)
{
	return out_text(rules_last_step(rules), "answer");
}

bool rules_is_complete(const json_t *rules)
{
	const char *end = rules_end(rules);

	return !strcmp(end, "asked") || !strcmp(end, "no-nat");
}

/* Was there a rule, or no memory, that another packet may not meet? */
static bool may_vary(const json_t *answer)
{
	json_t *step;
	size_t i;

	json_array_foreach(json_object_get(answer, "steps"), i, step)
		if (is_word(step, "answer", "asked") || is_word(step, "answer", "refused") ||
		    is_word(step, "answer", "busy"))
			return true;
	return false;
}

static json_t *end_of(json_t *tuple, const char *address, const char *port)
{
	return json_pack("{s:O, s:O}", "address", json_object_get(tuple, address), "port",
			 json_object_get(tuple, port));
}

/* Add what is not there yet. */
static void add(json_t *list, json_t *value)
{
	json_t *other;
	size_t i;

	json_array_foreach(list, i, other)
		if (json_equal(other, value)) {
			json_decref(value);
			return;
		}
	json_array_append_new(list, value);
}

bool rules_has_end(const json_t *rules, const char *key, json_t *address, json_t *port)
{
	json_t *end;
	size_t i;

	json_array_foreach(json_object_get(rules, key), i, end)
		if (json_equal(json_object_get(end, "address"), address) &&
		    (!port || json_equal(json_object_get(end, "port"), port)))
			return true;
	return false;
}

/* Of sources whose ports differ each time a few are enough. */
static void add_ends(json_t *rules, const json_t *answer)
{
	json_t *tuple = json_object_get(rules_last_step(answer), "tuple");
	json_t *sources = json_object_get(rules, "sources");

	add(json_object_get(rules, "destinations"), end_of(tuple, "dst", "dport"));
	if (json_array_size(sources) < QUESTIONS ||
	    !rules_has_end(rules, "sources", json_object_get(tuple, "src"), NULL))
		add(sources, end_of(tuple, "src", "sport"));
}

/* Could the rules have made this entry today? Its source port may be another one for the
 * sake of a flow that is gone.
 */
static bool allows(const json_t *rules, json_t *flow)
{
	json_t *reply = json_object_get(flow, "reply");

	return rules_has_end(rules, "destinations", json_object_get(reply, "src"),
			     json_object_get(reply, "sport")) &&
	       rules_has_end(rules, "sources", json_object_get(reply, "dst"), NULL);
}

size_t rules_variety(const json_t *rules)
{
	json_t *addresses = json_array(), *source;
	size_t count, i;

	json_array_foreach(json_object_get(rules, "sources"), i, source)
		add(addresses, json_incref(json_object_get(source, "address")));
	count = json_array_size(addresses);
	json_decref(addresses);
	return count * json_array_size(json_object_get(rules, "destinations"));
}

static uint32_t status_of(json_t *flow)
{
	return json_integer_value(json_object_get(flow, "status"));
}

/* With enforce, loopguard takes back a redirect to this host, and loopsnat restores the
 * source of a packet that stays here: the entry of what this host sends is not what the
 * rules said. The module's feature heal leaves such entries alone, too.
 */
static bool is_changed_back(const json_t *modes, const json_t *rules, json_t *flow)
{
	json_t *reply = json_object_get(flow, "reply");

	if (is_word(modes, "loopguard", "enforce") && !(status_of(flow) & IPS_DST_NAT))
		return true;
	return is_word(modes, "loopsnat", "enforce") &&
	       rules_has_end(rules, "destinations", json_object_get(reply, "src"),
			     json_object_get(reply, "sport")) &&
	       json_equal(json_object_get(reply, "dst"),
			  json_object_get(json_object_get(flow, "original"), "src"));
}

/* What NAT has changed is in the entry's status. IPVS changes where replies come from, and
 * no rule of NAT has a part in it.
 */
static bool is_of_nat(json_t *flow)
{
	struct endpoint original[2], reply[2];
	uint32_t status = status_of(flow);

	endpoint_read_tuple(original, json_object_get(flow, "original"));
	endpoint_read_tuple(reply, json_object_get(flow, "reply"));
	return (status & IPS_SRC_NAT || endpoint_is_same(&original[0], &reply[1])) &&
	       (status & IPS_DST_NAT || endpoint_is_same(&original[1], &reply[0]));
}

/* Leave "agrees" out where something else than NAT made the entry, where more questions
 * would have more answers, where an answer that is not known may be the entry's, or where a
 * feature may have made the difference.
 */
static enum exit_code compare(struct nl *nl, const struct answers *all, json_t *flow)
{
	json_t *rules = all->rules;
	bool agrees = allows(rules, flow);
	bool is_known = agrees || (!all->incomplete && rules_variety(rules) <= MANY &&
				   is_of_nat(flow));
	bool may_be_back = all->stays && json_is_true(json_object_get(rules, "is_sent"));
	enum exit_code code = EXIT_OK;
	json_t *modes;

	if (is_known && !agrees && may_be_back) {
		code = modes_get(nl, &modes);
		is_known = !is_changed_back(modes, rules, flow);
		json_decref(modes);
	}
	if (is_known && !code)
		json_object_set_new(rules, "agrees", json_boolean(agrees));
	return code;
}

static unsigned int questions(const json_t *rules, json_t *flow)
{
	size_t count = rules_variety(rules);

	return flow && count > 1 && count <= MANY && !allows(rules, flow) ? QUESTIONS_MOST :
									    QUESTIONS;
}

static json_t *not_read(const json_t *rules)
{
	bool is_known = json_object_get(rules, "sender");
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(unread); i++)
		if (!is_known || strcmp(unread[i], unread_users))
			json_array_append_new(list, json_string(unread[i]));
	return list;
}

/* What of an answer tells the packet's way. */
static const char *const way_keys[] = { "out", "is_delivered" };

static bool is_same_way(const json_t *one, const json_t *other)
{
	for (size_t i = 0; i < ARRAY_SIZE(way_keys); i++) {
		json_t *value = json_object_get(one, way_keys[i]);

		/* Two that are absent are not equal to json_equal(). */
		if (value != json_object_get(other, way_keys[i]) &&
		    !json_equal(value, json_object_get(other, way_keys[i])))
			return false;
	}
	return true;
}

static void take(struct answers *all, json_t *answer)
{
	all->asked++;
	if (!rules_is_complete(answer)) {
		all->incomplete++;
		return;
	}
	add_ends(all->rules, answer);
	if (!rules_is_complete(all->rules)) {
		json_object_set(all->rules, "steps", json_object_get(answer, "steps"));
		for (size_t i = 0; i < ARRAY_SIZE(way_keys); i++)
			if (json_object_get(answer, way_keys[i]))
				json_object_set(all->rules, way_keys[i],
						json_object_get(answer, way_keys[i]));
	}
	all->varies = all->varies || !is_same_way(all->rules, answer);
	all->stays = all->stays || json_is_true(json_object_get(answer, "is_delivered"));
}

/* Ask again and again. */
static enum exit_code collect(struct nl *nl, const struct question *question,
			      const struct rules_packet *packet, json_t *flow,
			      struct answers *all)
{
	json_t *rules = all->rules, *answer;
	enum exit_code code;
	bool is_random;
	char *why;

	json_object_set_new(rules, "destinations", json_array());
	json_object_set_new(rules, "sources", json_array());
	take(all, rules);
	while (may_vary(rules) && all->asked < questions(rules, flow)) {
		put(nl, question, packet, false);
		code = nl_ask(nl, &attr_rules, &answer, &why);
		if (code)
			return code;
		free(why);
		if (!answer)
			break;
		take(all, answer);
		json_decref(answer);
	}
	for (size_t i = 0; all->varies && i < ARRAY_SIZE(way_keys); i++)
		json_object_del(rules, way_keys[i]);
	json_object_set_new(rules, "questions", json_integer(all->asked));
	json_object_set_new(rules, "incomplete", json_integer(all->incomplete));
	is_random = json_array_size(json_object_get(rules, "destinations")) > 1 ||
		    json_array_size(json_object_get(rules, "sources")) > 1;
	json_object_set_new(rules, "is_random", json_boolean(is_random));
	return EXIT_OK;
}

/* Once more, and tell which rules it meets: others than before, where they choose at random.
 * An answer that does not come, as from a module that can't do that, is NULL with a reason.
 */
static enum exit_code add_met(struct nl *nl, const struct question *question,
			      const struct rules_packet *packet, json_t *rules)
{
	json_t *answer, *met = NULL, *object;
	enum exit_code code;
	char *why;

	put(nl, question, packet, true);
	code = nl_ask(nl, &attr_rules, &answer, &why);
	if (code)
		return code;
	if (answer)
		met = met_read(answer);
	object = met ? json_pack("{s:o, s:O*}", "rules", met, "tuple",
				 json_object_get(rules_last_step(answer), "tuple")) :
		       json_pack("{s:s}", "unknown", why ?: "the kernel could not tell them all");
	json_object_set_new(rules, "met", object);
	json_decref(answer);
	free(why);
	return EXIT_OK;
}

static enum exit_code get(struct nl *nl, const struct question *question,
			  const struct rules_packet *packet, json_t *flow, json_t **rules)
{
	struct answers all = {};
	enum exit_code code;
	char *why;

	put(nl, question, packet, false);
	code = nl_ask(nl, &attr_rules, rules, &why);
	if (code)
		return code;
	if (!*rules) {
		*rules = json_pack("{s:s}", "unknown", why ?: "the rules can't be asked");
		free(why);
		return EXIT_OK;
	}
	free(why);
	/* Who asks knows that already. */
	json_object_del(*rules, "protocol");
	json_object_del(*rules, "zone");
	json_object_del(*rules, "is_traced");
	all.rules = *rules;
	code = collect(nl, question, packet, flow, &all);
	if (!code && packet->is_traced)
		code = add_met(nl, question, packet, *rules);
	name_devices(*rules);
	if (!code && flow)
		code = compare(nl, &all, flow);
	if (code) {
		json_decref(*rules);
		return code;
	}
	json_object_set_new(*rules, "text", rulesay_sentence(*rules));
	json_object_set_new(*rules, "unread", not_read(*rules));
	return EXIT_OK;
}

enum exit_code rules_get(struct nl *nl, const struct question *question,
			 const struct rules_packet *packet, json_t *flow, json_t **rules)
{
	uint32_t mark = json_integer_value(json_object_get(flow, "mark"));
	struct rules_packet marked = *packet;
	json_t *other = NULL;
	enum exit_code code;

	/* No rules made what a helper expected. */
	if (status_of(flow) & IPS_EXPECTED)
		flow = NULL;
	code = get(nl, question, packet, flow, rules);
	if (code || !mark || packet->mark || !rules_contradict(*rules))
		return code;
	/* Rules may give packets the mark of their flow before NAT sees them. */
	marked.mark = mark;
	code = get(nl, question, &marked, flow, &other);
	if (code || !rules_contradict(other)) {
		json_decref(*rules);
		*rules = other;
	} else {
		json_decref(other);
	}
	if (!code)
		json_object_set_new(*rules, "flow_mark", json_integer(mark));
	return code;
}

bool rules_contradict(const json_t *rules)
{
	return json_is_false(json_object_get(rules, "agrees"));
}

json_t *rules_tuple(const json_t *rules)
{
	if (!rules_is_complete(rules) || json_is_true(json_object_get(rules, "is_random")))
		return NULL;
	return json_object_get(rules_last_step(rules), "tuple");
}
