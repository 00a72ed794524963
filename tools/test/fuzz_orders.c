// SPDX-License-Identifier: GPL-2.0
/* libFuzzer's way into the parser: whatever a file for restore has in it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "order.h"
#include "out.h"

struct options opt;

/* As save writes it, but for the paths of cgroups. */
static size_t write_orders(const struct orders *orders, char *text)
{
	static const char *const by[] = {
		[NF_LOOPTRACK_A_PROXY_PORT] = "port",
		[NF_LOOPTRACK_A_PROXY_UID] = "uid",
		[NF_LOOPTRACK_A_PROXY_CGROUP] = "cgroup",
	};
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_SIZE(orders->feature); i++) {
		const struct order *order = &orders->feature[i];
		const struct exempts *exempts = &order->exempts;
		const struct proxies *proxies = &order->proxies;

		if (!order->given)
			continue;
		len += sprintf(text + len, "%s %s", attr_features.word[i],
			       attr_modes.word[order->mode]);
		if (order->marked)
			len += sprintf(text + len, " mark 0x%x/0x%x", order->mark, order->mask);
		if (proxies->none)
			len += sprintf(text + len, " proxy none");
		for (unsigned int j = 0; j < proxies->count; j++)
			len += sprintf(text + len, " proxy %s %" PRIu64,
				       by[proxies->proxy[j].by], proxies->proxy[j].value);
		if (exempts->none)
			len += sprintf(text + len, " exempt none");
		for (unsigned int j = 0; j < exempts->count; j++)
			len += sprintf(text + len, " exempt %u-%u", exempts->range[j].from,
				       exempts->range[j].to);
		text[len++] = '\n';
	}
	return len;
}

/* What was written is read as the same. */
static void check_again(const struct orders *orders)
{
	struct orders again = {};
	char text[2048], copy[sizeof(text)];
	size_t len = write_orders(orders, text);

	memcpy(copy, text, len);
	if (orders_parse_text(&again, "again", copy, len) ||
	    write_orders(&again, copy) != len || memcmp(text, copy, len))
		abort();
}

int LLVMFuzzerTestOneInput(const __u8 *data, size_t size)
{
	struct orders orders = {};
	static struct nl nl;
	char *text;

	/* Exactly as long as it may be, so that each byte too far is seen. */
	text = malloc(size + 1);
	if (!text)
		return 0;
	memcpy(text, data, size);
	if (!orders_parse_text(&orders, "fuzz", text, size)) {
		check_again(&orders);
		orders_put(&orders, &nl);
	}
	free(text);
	return 0;
}
