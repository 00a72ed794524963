// SPDX-License-Identifier: GPL-2.0
/* looptrack reset: counters to zero */
#include <linux/nf_looptrack.h>

#include "nl.h"

static enum exit_code cmd_reset_run(int argc, char **argv)
{
	enum exit_code code = no_arguments(argc, argv, 1);
	struct nl nl;

	if (code)
		return code;
	code = nl_open(&nl);
	if (!code)
		code = nl_get(&nl, NF_LOOPTRACK_CMD_STATS_RESET, &attr_stats, NULL);
	nl_close(&nl);
	return code;
}

const struct command cmd_reset = {
	.name = "reset",
	.args = "",
	.help = "counters to zero",
	.run = cmd_reset_run,
};
