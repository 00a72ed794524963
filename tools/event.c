// SPDX-License-Identifier: GPL-2.0
/* An event: a decision about a flow, as it is shown. */
#include <stdio.h>
#include <string.h>

#include <linux/nf_looptrack.h>

#include "attr.h"
#include "event.h"
#include "out.h"
#include "stream.h"

static void show_flow(json_t *event, const char *key, const char *label)
{
	json_t *tuple = json_object_get(event, key);

	if (!tuple)
		return;
	printf("%s", label);
	stream_tuple(tuple);
}

/* The source NAT gave a flow is where its replies go to. */
static void show_reply(json_t *event, const char *key)
{
	json_t *tuple = json_object_get(event, key);

	if (!tuple)
		return;
	printf(" %s", key);
	stream_end(tuple, "dst", "dport");
}

static void show_owner(json_t *event, const char *key, const char *label)
{
	json_t *owner = json_object_get(event, key);

	if (!json_object_size(owner))
		return;
	printf("%s", label);
	out_number(owner, "uid");
	out_number(owner, "cookie");
}

void event_show_decision(json_t *event)
{
	json_t *holder = json_object_get(event, "holder");

	printf("%s ", out_text(event, "feature"));
	out_word(out_text(event, "decision"), 0);
	printf(" %s", out_text(event, "protocol"));
	show_flow(event, "flow", "");
	show_owner(event, "owner", " owner");
	show_reply(event, "wanted");
	show_reply(event, "got");
	show_flow(event, "holder", " holder");
	show_owner(event, "holder_owner", holder ? "" : " holder");
	if (json_integer_value(json_object_get(event, "zone")))
		out_number(event, "zone");
	out_number(event, "picks");
	putchar('\n');
}

void event_show(json_t *event)
{
	const char *time = out_text(event, "time");

	/* 2026-11-22T08:31:02.123456789+00:00, without what a reader rarely needs */
	if (strlen(time) > 26)
		printf("%.10s %.15s ", time, time + 11);
	event_show_decision(event);
}

static bool has_tuple(json_t *event, const char *key, const struct endpoint wanted[2])
{
	struct endpoint ends[2];

	endpoint_read_tuple(ends, json_object_get(event, key));
	return (endpoint_wants(&wanted[0], &ends[0]) && endpoint_wants(&wanted[1], &ends[1])) ||
	       (endpoint_wants(&wanted[0], &ends[1]) && endpoint_wants(&wanted[1], &ends[0]));
}

bool event_is_about(json_t *event, const char *protocol, const struct endpoint wanted[2])
{
	static const char *const keys[] = { "flow", "wanted", "got", "holder" };

	if (strcmp(out_text(event, "protocol"), protocol))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (json_object_get(event, keys[i]) && has_tuple(event, keys[i], wanted))
			return true;
	return false;
}

#define MEANING(_feature, _decision) \
	[NF_LOOPTRACK_FEATURE_##_feature][NF_LOOPTRACK_DECISION_##_decision]

static const char *const meanings[][NF_LOOPTRACK_DECISION_RELEASED + 1] = {
	MEANING(CLASH, OBSERVED) =
	"Another flow had taken its port an instant before, and its first packet was lost.",
	MEANING(CLASH, REPICKED) =
	"Another flow had taken its port an instant before; it picked another one.",
	MEANING(CLASH, EXHAUSTED) =
	"Each port it tried was taken, and its first packet was lost.",
	MEANING(CLASH, REFUSED) =
	"It lost its port to another flow, and the rules, asked again, would not have it.",
	MEANING(CLASH, UNABLE) =
	"It lost its port to another flow, and the rules could not be asked again.",
	MEANING(STALE, OBSERVED) =
	"A new socket was matched to the entry of an earlier one, and went where that had gone.",
	MEANING(STALE, EVICTED) =
	"A new socket sent its first packet: the entry of an earlier one was removed.",
	MEANING(PORTS, OBSERVED) =
	"It got a port for the sake of a dead flow, or that of a live connection, and kept it.",
	MEANING(PORTS, REPICKED) =
	"A connection has the addresses and port that NAT had chosen; it was given another port.",
	MEANING(PORTS, EXHAUSTED) =
	"A connection has the addresses and port that NAT had chosen; the rule has no other port.",
	MEANING(PORTS, EVICTED) =
	"What a dead flow had left held its port and was removed; the rules chose yet another.",
	MEANING(PORTS, KEPT) =
	"What a dead flow had left held its port and was removed; it kept its port.",
	MEANING(PORTS, REWRITTEN) =
	"Another flow, not known to be dead, holds its port: NAT gave it another one.",
	MEANING(LINGER, OBSERVED) =
	"The last of its sockets went.",
	MEANING(LINGER, EVICTED) =
	"The last of its sockets went, and its entry with it.",
	MEANING(LOOPSNAT, OBSERVED) =
	"It stays on this host, and a rule changed its source all the same.",
	MEANING(LOOPSNAT, RESTORED) =
	"It stays on this host: its source, changed by a rule, was put back.",
	MEANING(LOOPSNAT, UNABLE) =
	"It stays on this host, and the source that a rule had changed could not be put back.",
	MEANING(LOOPGUARD, OBSERVED) =
	"A redirect handed it to the very proxy that opened it.",
	MEANING(LOOPGUARD, RELEASED) =
	"A redirect would have handed it to the very proxy that opened it; it was let go.",
	MEANING(LOOPGUARD, UNABLE) =
	"A redirect handed it to the very proxy that opened it, and could not be taken back.",
	MEANING(LISTENERS, OBSERVED) =
	"A local socket receives on the port that NAT had chosen, and it kept that port.",
	MEANING(LISTENERS, REPICKED) =
	"A local socket receives on the port that NAT had chosen; it was given another one.",
	MEANING(LISTENERS, EXHAUSTED) =
	"A local socket receives on the port that NAT had chosen, and the rule has no other.",
};

/* It is about another flow, in whose way this one was. */
static const char *holder_meaning(int decision)
{
	switch (decision) {
	case NF_LOOPTRACK_DECISION_KEPT:
	case NF_LOOPTRACK_DECISION_EVICTED:
		return "It was dead, and had what another flow needs: its entry was removed.";
	default:
		return "It had what another flow needed, and kept it.";
	}
}

const char *event_meaning(json_t *event, json_t *tuple)
{
	int feature = attr_word(&attr_features, out_text(event, "feature"));
	int decision = attr_word(&attr_decisions, out_text(event, "decision"));
	json_t *flow = json_object_get(event, "flow");

	if (flow && !json_equal(flow, tuple) &&
	    json_equal(json_object_get(event, "holder"), tuple))
		return holder_meaning(decision);
	if (feature < 0 || feature >= (int)ARRAY_SIZE(meanings) || decision < 0)
		return NULL;
	return meanings[feature][decision];
}
