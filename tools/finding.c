// SPDX-License-Identifier: GPL-2.0
/* What an audit finds, and how it is told. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "finding.h"
#include "flow.h"
#include "out.h"
#include "stream.h"

static const char *const words[] = {
	[FINDING_STALE] = "stale",
	[FINDING_ORPHANED] = "orphaned",
	[FINDING_REVERSED] = "reversed",
	[FINDING_MISSING] = "missing",
	[FINDING_SHADOWED] = "shadowed",
	[FINDING_SNAT_RANGE] = "snat-range",
	[FINDING_UNKNOWN] = "unknown",
	[FINDING_OUTDATED] = "outdated",
};

const struct attr_words finding_kinds = { "kind", words, ARRAY_SIZE(words) };

/* What of a flow names it; the rest are facts. */
static const char *const names[] = { "protocol", "zone", "original", "reply" };

struct finding *finding_new(enum finding_kind kind, json_t *flow)
{
	struct finding *finding = calloc(1, sizeof(*finding));

	if (!finding)
		return NULL;
	finding->kind = kind;
	finding->flow = json_incref(flow);
	finding->facts = json_object();
	return finding;
}

void finding_cause(struct finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vasprintf(&finding->cause, format, args) < 0)
		finding->cause = NULL;
	va_end(args);
}

void finding_remedy(struct finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vasprintf(&finding->remedy, format, args) < 0)
		finding->remedy = NULL;
	va_end(args);
}

bool finding_counts(const struct finding *finding)
{
	return finding->kind != FINDING_SNAT_RANGE && finding->kind != FINDING_UNKNOWN &&
	       !finding->unsure && !finding->fixed;
}

json_t *finding_json(const struct finding *finding)
{
	json_t *object = json_object(), *facts = json_copy(finding->flow);

	json_object_set_new(object, "kind", json_string(words[finding->kind]));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		json_t *value = json_object_get(finding->flow, names[i]);

		if (value)
			json_object_set(object, names[i], value);
		json_object_del(facts, names[i]);
	}
	json_object_update(facts, finding->facts);
	json_object_set_new(object, "facts", facts);
	json_object_set_new(object, "cause", json_string(finding->cause));
	json_object_set_new(object, "remedy", json_string(finding->remedy));
	json_object_set_new(object, "fixable", json_boolean(finding->fixable));
	json_object_set_new(object, "fixed", json_boolean(finding->fixed));
	return object;
}

void finding_show(const struct finding *finding)
{
	out_word(words[finding->kind], 0);
	putchar(' ');
	/* What is a flow has a reply. */
	if (json_object_get(finding->flow, "reply")) {
		flow_show(finding->flow);
	} else {
		fputs(out_text(finding->flow, "protocol"), stdout);
		if (json_object_get(finding->flow, "original"))
			stream_tuple(json_object_get(finding->flow, "original"));
		else
			printf(" %s", out_text(finding->facts, "address"));
		putchar('\n');
	}
	printf("    cause: %s\n    remedy: %s\n", finding->cause ?: "-", finding->remedy ?: "-");
	if (finding->fixed)
		printf("    %s\n", finding->kind == FINDING_REVERSED ? "turned round" : "removed");
}

void finding_free(struct finding *finding)
{
	if (!finding)
		return;
	json_decref(finding->flow);
	json_decref(finding->facts);
	free(finding->cause);
	free(finding->remedy);
	free(finding);
}
