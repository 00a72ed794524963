// SPDX-License-Identifier: GPL-2.0
/* What was found at the first look. */
#include <stdlib.h>

#include "suspect.h"

static void read_finding(struct suspect *suspect, const struct finding *finding)
{
	json_t *flow = finding->flow, *owner = json_object_get(flow, "owner");

	*suspect = (struct suspect) {
		.kind = finding->kind,
		.fixable = finding->fixable,
		.flow.protocol = flow_protocol(flow),
		.flow.zone = json_integer_value(json_object_get(flow, "zone")),
		.cookie = finding->cookie,
		.opener = json_integer_value(json_object_get(owner, "cookie")),
		.timeout = json_integer_value(json_object_get(flow, "timeout")),
	};
	endpoint_read_tuple(suspect->flow.ends, json_object_get(flow, "original"));
}

struct suspect *suspect_new(const struct finding *finding)
{
	struct suspect *suspect = malloc(sizeof(*suspect));

	if (suspect)
		read_finding(suspect, finding);
	return suspect;
}

/* Nobody has sent on an entry whose time runs out. Of one that is outdated somebody does,
 * which is the trouble; and whether it can be removed is known only when the rules were asked.
 */
bool suspect_is(const struct suspect *suspect, const struct finding *now)
{
	struct suspect again;

	read_finding(&again, now);
	for (int i = 0; i < 2; i++)
		if (!endpoint_is_same(&again.flow.ends[i], &suspect->flow.ends[i]))
			return false;
	return again.kind == suspect->kind &&
	       (again.fixable == suspect->fixable || again.kind == FINDING_OUTDATED) &&
	       again.cookie == suspect->cookie && again.opener == suspect->opener &&
	       (again.cookie || again.kind == FINDING_OUTDATED || again.timeout < suspect->timeout);
}
