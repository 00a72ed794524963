// SPDX-License-Identifier: GPL-2.0
/* libFuzzer's way into the parser: whatever a file for restore has in it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "order.h"
#include "out.h"

struct options opt;

/* Said to nobody, but all of it. */
enum exit_code fail(enum exit_code code, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) >= 0)
		free(text);
	va_end(args);
	return code;
}

/* As save writes it, and back. */
static void check_again(const struct orders *orders)
{
	struct orders again = {};
	char text[1024];
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_SIZE(orders->feature); i++) {
		const struct order *order = &orders->feature[i];

		if (!order->given)
			continue;
		len += sprintf(text + len, "%s %s", attr_features.word[i],
			       attr_modes.word[order->mode]);
		if (order->marked)
			len += sprintf(text + len, " mark 0x%x/0x%x", order->mark, order->mask);
		text[len++] = '\n';
	}
	if (orders_parse_text(&again, "again", text, len))
		abort();
	for (size_t i = 0; i < ARRAY_SIZE(orders->feature); i++) {
		const struct order *was = &orders->feature[i], *is = &again.feature[i];

		if (was->given != is->given || was->mode != is->mode ||
		    was->marked != is->marked || was->mark != is->mark || was->mask != is->mask)
			abort();
	}
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
