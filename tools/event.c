// SPDX-License-Identifier: GPL-2.0
/* An event: a decision about a flow, as it is shown. */
#include <stdio.h>
#include <string.h>

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

void event_show(json_t *event)
{
	const char *time = out_text(event, "time");
	json_t *holder = json_object_get(event, "holder");

	/* 2026-11-22T08:31:02.123456789+00:00, without what a reader rarely needs */
	if (strlen(time) > 26)
		printf("%.10s %.15s ", time, time + 11);
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
