// SPDX-License-Identifier: GPL-2.0
/* Rules of nf_tables that a question to the NAT rules met. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "attr.h"
#include "endpoint.h"
#include "met.h"
#include "nft.h"
#include "nftchain.h"
#include "out.h"
#include "rulemet.h"

#define STEPS_MAX	4096

/* Bytes of a question's packet, which has no payload. */
static unsigned int length_of(uint8_t protocol, int family)
{
	unsigned int header = protocol == IPPROTO_TCP ? 20 : 8;

	return header + (family == AF_INET ? 20 : 40);
}

/* Is this the first message of a NAT chain that the packet of the question came to? A step of
 * the answer has the packet as it is behind the hook.
 */
static bool is_question(const struct nft_step *step, const struct nft_chain *chain,
			const json_t *answer)
{
	json_t *before = json_object_get(answer, "flow"), *asked;
	size_t i;

	if (!chain || !chain->is_nat ||
	    step->length != length_of(step->protocol, step->ends[0].family))
		return false;
	json_array_foreach(json_object_get(answer, "steps"), i, asked) {
		struct endpoint ends[2];

		endpoint_read_tuple(ends, before);
		before = json_object_get(asked, "tuple");
		if (attr_word(&attr_hooks, out_text(asked, "hook")) == (int)chain->hook &&
		    endpoint_is_same(&ends[0], &step->ends[0]) &&
		    endpoint_is_same(&ends[1], &step->ends[1]))
			return true;
	}
	return false;
}

/* Take what there is. False if something was lost. */
static bool take(struct nft_step **steps, size_t *count)
{
	uint32_t before = nft_begin();
	struct nft_step step;
	int got = 0;

	*count = 0;
	*steps = calloc(STEPS_MAX, sizeof(**steps));
	while (*steps && *count < STEPS_MAX && (got = nft_next(&step)) > 0)
		(*steps)[(*count)++] = step;
	before = nft_end(before);
	for (size_t i = 0; i < *count; i++)
		(*steps)[i].generation = before;
	return *steps && !got;
}

json_t *met_read(const json_t *answer)
{
	const struct nft_chain *chain = NULL;
	json_t *rules = json_array(), *rule;
	struct nft_step *steps;
	uint32_t id = 0;
	size_t count;

	if (!take(&steps, &count)) {
		json_decref(rules);
		free(steps);
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		const struct nft_step *step = &steps[i];

		if (step->has_packet) {
			const struct nft_chain *entered = nftchain_find(step);

			if (is_question(step, entered, answer)) {
				chain = entered;
				id = step->id;
			} else if (step->id == id) {
				chain = NULL;
			}
		}
		if (!chain || step->id != id || !step->handle)
			continue;
		rule = rulemet_json(step, chain->hook, -1);
		json_object_del(rule, "kind");
		json_array_append_new(rules, rule);
	}
	free(steps);
	return rules;
}
