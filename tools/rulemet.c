// SPDX-License-Identifier: GPL-2.0
/* Rules of nf_tables that a traced packet met, and how its way ended. */
#include <stdio.h>
#include <string.h>

#include <linux/nf_looptrack.h>

#include "attr.h"
#include "nftchain.h"
#include "out.h"
#include "phrase.h"
#include "rulemet.h"
#include "ruletext.h"

/* As wide as the time of other lines, and a hook's column. */
#define TIME_WIDTH	15
#define HOOK_WIDTH	11

#define STAGE(_stage) (1 << NF_LOOPTRACK_STAGE_##_stage)

/* Where the module looks at packets. */
static const unsigned int hook_stages[] = {
	[NF_LOOPTRACK_HOOK_PRE_ROUTING] = STAGE(START) | STAGE(RAW) | STAGE(CONNTRACK) |
		STAGE(MANGLE) | STAGE(DSTNAT) | STAGE(FILTER) | STAGE(END),
	[NF_LOOPTRACK_HOOK_LOCAL_IN] = STAGE(START) | STAGE(MANGLE) | STAGE(FILTER) |
		STAGE(SECURITY) | STAGE(SRCNAT) | STAGE(END),
	[NF_LOOPTRACK_HOOK_FORWARD] = STAGE(START) | STAGE(MANGLE) | STAGE(FILTER) |
		STAGE(SECURITY) | STAGE(END),
	[NF_LOOPTRACK_HOOK_LOCAL_OUT] = STAGE(START) | STAGE(RAW) | STAGE(CONNTRACK) |
		STAGE(MANGLE) | STAGE(DSTNAT) | STAGE(FILTER) | STAGE(SECURITY) | STAGE(END),
	[NF_LOOPTRACK_HOOK_POST_ROUTING] = STAGE(START) | STAGE(MANGLE) | STAGE(SRCNAT) |
		STAGE(END),
};

/* The priority that a stage is behind. */
static const int stage_priorities[] = {
	[NF_LOOPTRACK_STAGE_RAW] = -300,
	[NF_LOOPTRACK_STAGE_CONNTRACK] = -200,
	[NF_LOOPTRACK_STAGE_MANGLE] = -150,
	[NF_LOOPTRACK_STAGE_DSTNAT] = -100,
	[NF_LOOPTRACK_STAGE_FILTER] = 0,
	[NF_LOOPTRACK_STAGE_SECURITY] = 50,
	[NF_LOOPTRACK_STAGE_SRCNAT] = 100,
};

int rulemet_stage(unsigned int hook, int priority)
{
	int stage = NF_LOOPTRACK_STAGE_START;

	for (int i = NF_LOOPTRACK_STAGE_RAW; i < (int)ARRAY_SIZE(stage_priorities); i++)
		if (hook < ARRAY_SIZE(hook_stages) && hook_stages[hook] >> i & 1 &&
		    stage_priorities[i] < priority)
			stage = i;
	return stage;
}

int rulemet_next_stage(unsigned int hook, int stage)
{
	for (int i = stage + 1; i <= NF_LOOPTRACK_STAGE_END; i++)
		if (hook < ARRAY_SIZE(hook_stages) && hook_stages[hook] >> i & 1)
			return i;
	return -1;
}

static void set_name(json_t *object, const char *key, const char *name)
{
	char text[NFT_NAME_SIZE];

	snprintf(text, sizeof(text), "%s", name);
	ruletext_clean(text);
	json_object_set_new(object, key, json_string(text));
}

static void set_word(json_t *object, const char *key, const struct attr_words *words, int word)
{
	if (word >= 0 && word < (int)words->count)
		json_object_set_new(object, key, json_string(words->word[word]));
}

json_t *rulemet_json(const struct nft_step *step, int hook, int stage)
{
	const char *family = nft_family(step->family);
	json_t *rule = json_pack("{s:s}", "kind", "rule"), *text = NULL;

	set_word(rule, "hook", &attr_hooks, hook);
	set_word(rule, "stage", &attr_stages, stage);
	json_object_set_new(rule, "family", json_string(family));
	set_name(rule, "table", step->table);
	set_name(rule, "chain", step->chain);
	if (step->handle) {
		json_object_set_new(rule, "handle", json_integer(step->handle));
		text = ruletext_find(step->generation, family, step->table, step->chain,
				     step->handle);
		if (!text && (!step->generation || step->generation != nftchain_generation()))
			json_object_set_new(rule, "is_replaced", json_true());
	} else if (step->is_policy) {
		json_object_set_new(rule, "policy", json_true());
	}
	json_object_set_new(rule, "verdict", json_string(nft_verdict(step->verdict)));
	if (*step->target)
		set_name(rule, "target", step->target);
	if (text)
		json_object_set_new(rule, "text", text);
	return rule;
}

bool rulemet_is_end(json_t *rule)
{
	const char *verdict = out_text(rule, "verdict");

	return !strcmp(verdict, "drop") || !strcmp(verdict, "stolen");
}

/* Where it was seen last, and the stage where it would be next. */
static void set_place(json_t *end, json_t *sight)
{
	const char *hook = out_text(sight, "hook"), *stage = out_text(sight, "stage");
	int number = attr_word(&attr_hooks, hook), at = attr_word(&attr_stages, stage);

	json_object_set_new(end, "hook", json_string(hook));
	json_object_set_new(end, "stage", json_string(stage));
	if (number >= 0 && at >= 0)
		set_word(end, "next", &attr_stages, rulemet_next_stage(number, at));
}

json_t *rulemet_end(json_t *rule, json_t *sight, bool is_doubtful)
{
	static const char *const keys[] = {
		"hook", "stage", "family", "table", "chain", "handle", "policy", "text",
		"is_replaced",
	};
	json_t *end = json_pack("{s:s}", "kind", "end");

	json_object_set_new(end, "result",
			    json_string(!rule ? "lost" :
					!strcmp(out_text(rule, "verdict"), "drop") ? "dropped" :
										     "taken"));
	if (is_doubtful)
		json_object_set_new(end, "is_doubtful", json_true());
	if (sight) {
		json_object_set(end, "time", json_object_get(sight, "time"));
		json_object_set(end, "packet", json_object_get(sight, "packet"));
		json_object_set(end, "flow", json_object_get(sight, "flow"));
	}
	if (rule) {
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			if (json_object_get(rule, keys[i]))
				json_object_set(end, keys[i], json_object_get(rule, keys[i]));
		return end;
	}
	set_place(end, sight);
	return end;
}

bool rulemet_has_no_reason(json_t *drop)
{
	return !strcmp(out_text(drop, "reason"), "NOT_SPECIFIED");
}

json_t *rulemet_drop(json_t *drop)
{
	static const char *const keys[] = {
		"time", "packet", "flow", "reason", "function", "lost",
	};
	json_t *end = json_pack("{s:s, s:s}", "kind", "end", "result",
				rulemet_has_no_reason(drop) ? "freed" : "dropped");

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (json_object_get(drop, keys[i]))
			json_object_set(end, keys[i], json_object_get(drop, keys[i]));
	set_place(end, drop);
	return end;
}

/* "rule 14 of table inet fw chain forward: tcp dport 80 drop" */
static void show_place(json_t *rule)
{
	json_t *handle = json_object_get(rule, "handle");

	if (handle)
		printf("rule %" JSON_INTEGER_FORMAT, json_integer_value(handle));
	else
		printf("the policy");
	printf(" of table %s %s chain %s", out_text(rule, "family"), out_text(rule, "table"),
	       out_text(rule, "chain"));
	if (json_object_get(rule, "text"))
		printf(": %s", out_text(rule, "text"));
	else if (json_is_true(json_object_get(rule, "is_replaced")))
		printf(" (its text is not known: rules were replaced)");
	else if (handle)
		printf(" (its text is not known)");
}

static void begin_line(void)
{
	printf("%*s # ", TIME_WIDTH, "");
}

void rulemet_show_verdict(json_t *rule)
{
	show_place(rule);
	printf(" (%s", out_text(rule, "verdict"));
	if (json_object_get(rule, "target"))
		printf(" %s", out_text(rule, "target"));
	puts(")");
}

void rulemet_show(json_t *rule)
{
	begin_line();
	printf("%-*s ", HOOK_WIDTH, out_text(rule, "hook"));
	rulemet_show_verdict(rule);
}

/* "dropped behind the end of input: NO_SOCKET (__udp4_lib_rcv), 10.0.0.1:1 -> ..." */
static void show_drop(json_t *end)
{
	const char *hook = out_text(end, "hook");

	if (json_object_get(end, "next"))
		printf("%s in %s, between %s and %s: ", out_text(end, "result"), hook,
		       out_text(end, "stage"), out_text(end, "next"));
	else
		printf("%s behind the end of %s: ", out_text(end, "result"), hook);
	fputs(rulemet_has_no_reason(end) ? "the kernel gives no reason" : out_text(end, "reason"),
	      stdout);
	if (json_object_get(end, "function"))
		printf(" (%s)", out_text(end, "function"));
	printf(", %s\n", phrase_tuple(json_object_get(end, "flow")).text);
}

void rulemet_show_end(json_t *end)
{
	json_int_t lost = json_integer_value(json_object_get(end, "lost"));
	const char *result = out_text(end, "result");

	if (lost)
		printf("%" JSON_INTEGER_FORMAT " stages were lost\n", lost);
	begin_line();
	if (json_object_get(end, "reason")) {
		show_drop(end);
		return;
	}
	if (strcmp(result, "lost")) {
		printf("%s in %s by ", result, out_text(end, "hook"));
		show_place(end);
		putchar('\n');
		return;
	}
	fputs(phrase_tuple(json_object_get(end, "flow")).text, stdout);
	if (json_object_get(end, "next"))
		printf(" was last seen in %s, between %s and %s", out_text(end, "hook"),
		       out_text(end, "stage"), out_text(end, "next"));
	else
		printf(" was last seen at the end of %s", out_text(end, "hook"));
	puts(json_is_true(json_object_get(end, "is_doubtful")) ?
	     "; messages were lost, so that it may have met a rule, or gone on" :
	     "; no rule of nf_tables is known that ended its way");
}
