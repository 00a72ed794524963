// SPDX-License-Identifier: GPL-2.0
/* looptrack set: change the modes of features, all or none */
#include "marks.h"
#include "order.h"
#include "out.h"

/* A rule that matches marks exactly is one that a bit more makes miss. */
static void warn(const struct orders *orders)
{
	const struct order *order = &orders->feature[NF_LOOPTRACK_FEATURE_PASSMARK];

	if (order->marked && order->mode == NF_LOOPTRACK_MODE_ENFORCE)
		marks_warn(order->mark, order->mask);
}

static enum exit_code cmd_set_run(int argc, char **argv)
{
	struct orders orders = {};
	enum exit_code code;
	struct nl nl;

	if (argc < 2)
		return fail(EXIT_USAGE, "set: no feature given; say FEATURE MODE ...");
	code = orders_parse(&orders, "set", 0, argc - 1, argv + 1);
	if (code)
		return code;
	code = nl_open(&nl);
	if (!code) {
		orders_put(&orders, &nl);
		code = nl_talk(&nl, &attr_config, NULL);
	}
	nl_close(&nl);
	if (!code)
		warn(&orders);
	return code;
}

const struct command cmd_set = {
	.name = "set",
	.args = "FEATURE MODE [MORE] ...",
	.help = "change modes, all or none",
	.run = cmd_set_run,
};
