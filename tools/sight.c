// SPDX-License-Identifier: GPL-2.0
/* A packet at a stage of a hook. */
#include <string.h>

#include <linux/nf_looptrack.h>

#include "attr.h"
#include "out.h"
#include "sight.h"

void sight_read(struct sight *sight, json_t *object, bool ports)
{
	const char *state = out_text(object, "state");
	static uint64_t serial;

	sight->serial = ++serial;
	sight->packet = json_integer_value(json_object_get(object, "packet"));
	sight->hook = attr_word(&attr_hooks, out_text(object, "hook"));
	sight->stage = attr_word(&attr_stages, out_text(object, "stage"));
	sight->pass = json_integer_value(json_object_get(object, "pass"));
	sight->is_first = strcmp(state, "established");
	sight->length = json_integer_value(json_object_get(object, "length"));
	endpoint_read_tuple(sight->ends, json_object_get(object, "flow"));
	if (!ports) {
		sight->ends[0].port = 0;
		sight->ends[1].port = 0;
	}
}

int sight_rank(const struct sight *sight)
{
	static const int hooks[] = {
		[NF_LOOPTRACK_HOOK_LOCAL_OUT] = 0,
		[NF_LOOPTRACK_HOOK_PRE_ROUTING] = 0,
		[NF_LOOPTRACK_HOOK_FORWARD] = 1,
		[NF_LOOPTRACK_HOOK_POST_ROUTING] = 2,
		[NF_LOOPTRACK_HOOK_LOCAL_IN] = 4,
	};
	bool second = sight->hook == NF_LOOPTRACK_HOOK_PRE_ROUTING && sight->pass == 2;

	if (sight->hook < 0)
		return 1000;
	return (second ? 3 : hooks[sight->hook]) * 100 + sight->stage;
}

bool sight_is_through(const struct sight *sight)
{
	return sight->stage == NF_LOOPTRACK_STAGE_END &&
	       (sight->hook == NF_LOOPTRACK_HOOK_LOCAL_IN ||
		(sight->hook == NF_LOOPTRACK_HOOK_POST_ROUTING && sight->pass != 1));
}

bool sight_is_packet(const struct sight *sight, const struct nft_step *step,
		     const struct nft_chain *chain, int stage)
{
	return sight->hook == (int)chain->hook && sight->stage == stage &&
	       (sight->is_first || !chain->is_nat) &&
	       !(chain->number < 64 && sight->met >> chain->number & 1) &&
	       endpoint_is_same(&sight->ends[0], &step->ends[0]) &&
	       endpoint_is_same(&sight->ends[1], &step->ends[1]) &&
	       (!step->length || step->length == sight->length);
}
