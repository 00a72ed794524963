// SPDX-License-Identifier: GPL-2.0
/* Entries that are older than the NAT rules. */
#include <stdio.h>
#include <string.h>

#include <linux/netfilter/nf_conntrack_common.h>

#include "judge.h"
#include "out.h"
#include "outdated.h"
#include "rules.h"

bool outdated_may_be(json_t *flow)
{
	uint32_t status = json_integer_value(json_object_get(flow, "status"));
	uint8_t protocol = flow_protocol(flow);

	if (status & (JUDGE_HANDS_OFF | IPS_SEEN_REPLY | IPS_EXPECTED))
		return false;
	return protocol == IPPROTO_UDP ||
	       (protocol == IPPROTO_TCP && !strcmp(out_text(flow, "tcp_state"), "syn-sent"));
}

enum exit_code outdated_suspect(json_t *flow, struct finding **finding)
{
	*finding = finding_new(FINDING_OUTDATED, flow);
	if (!*finding)
		return fail(EXIT_SYSTEM, "out of memory");
	(*finding)->fixable = true;
	return EXIT_OK;
}

/* Without a socket of this host that sends the flow rules for users say something else than
 * they did, in either direction; and so do rules for the mark of an entry, as the question is
 * about one without. A socket of this host may send from an address that is not this host's
 * (IP_TRANSPARENT): then the question was about a packet that arrives, and its first one left.
 */
static enum exit_code outdated(json_t *flow, const json_t *rules, struct finding **finding)
{
	enum exit_code code = outdated_suspect(flow, finding);
	uint32_t mark = json_integer_value(json_object_get(rules, "mark"));
	bool arrives = json_object_get(rules, "in");
	char other[40] = "";

	if (code)
		return code;
	if (json_object_get(rules, "flow_mark"))
		snprintf(other, sizeof(other), " or %u, that of its flow",
			 (uint32_t)json_integer_value(json_object_get(rules, "flow_mark")));
	finding_cause(*finding,
		      "not answered, and the rules would decide otherwise now. %s That is for a packet %s%s with mark %u%s; filter rules, rules that set marks and rules for what else a packet carries (MAC address, bridge port, TTL, DSCP, length) were not read",
		      out_text(rules, "text"), arrives ? "that comes by " : "of this host",
		      arrives ? out_text(rules, "in") : "", mark, other);
	(*finding)->unsure = (!arrives && !json_object_get(rules, "sender")) ||
			     (arrives && json_object_get(flow, "owner")) ||
			     json_integer_value(json_object_get(flow, "mark"));
	(*finding)->fixable = !(*finding)->unsure;
	if ((*finding)->unsure)
		finding_remedy(*finding,
			       "set heal to enforce: it asks with the socket and the mark of the flow, and removes the entry by itself; --fix leaves it, since rules for users, or for the mark of an entry, may have made it");
	else
		finding_remedy(*finding,
			       "remove the entry, and the next packet makes a new one; with heal enforced it does so by itself");
	json_object_set((*finding)->facts, "destinations", json_object_get(rules, "destinations"));
	json_object_set((*finding)->facts, "sources", json_object_get(rules, "sources"));
	return EXIT_OK;
}

enum exit_code outdated_judge(struct nl *nl, const struct question *question, json_t *flow,
			      struct finding **finding, unsigned long *unasked)
{
	const struct rules_packet packet = {};
	enum exit_code code;
	json_t *rules;

	*finding = NULL;
	if (!outdated_may_be(flow))
		return EXIT_OK;
	code = rules_get(nl, question, &packet, flow, &rules);
	if (code)
		return code;
	if (!json_object_get(rules, "agrees"))
		++*unasked;
	else if (rules_contradict(rules))
		code = outdated(flow, rules, finding);
	json_decref(rules);
	return code;
}
