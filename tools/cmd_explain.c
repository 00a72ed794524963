// SPDX-License-Identifier: GPL-2.0
/* looptrack explain: one flow, there or not, in plain sentences */
#include <getopt.h>
#include <netinet/in.h>

#include "advice.h"
#include "explain.h"
#include "facts.h"
#include "out.h"

static enum exit_code parse(struct question *question, int argc, char **argv)
{
	enum exit_code code = flow_parse_zone(&question->zone, "explain", argc, argv);

	if (code)
		return code;
	if (argc - optind < 3)
		return fail(EXIT_USAGE,
			    "explain: say PROTOCOL SOURCE DESTINATION, as in tcp 10.0.0.5:40000 192.0.2.1:80");
	code = flow_parse(question, "explain", argv + optind);
	if (code)
		return code;
	if (question->protocol != IPPROTO_TCP && question->protocol != IPPROTO_UDP)
		return fail(EXIT_USAGE,
			    "explain: \"%s\" is neither tcp nor udp, whose sockets can be asked; \"looptrack flow get\" shows flows of all protocols",
			    argv[optind]);
	return no_arguments(argc, argv, optind + 3);
}

static enum exit_code cmd_explain_run(int argc, char **argv)
{
	struct question question = {};
	enum exit_code code;
	json_t *facts;
	struct nl nl;

	code = parse(&question, argc, argv);
	if (code)
		return code;
	code = nl_open(&nl);
	if (!code)
		code = facts_get(&nl, &question, &facts);
	nl_close(&nl);
	if (code)
		return code;

	json_object_set_new(facts, "verdict", advice_get(facts));
	if (opt.json)
		return out_json(facts);
	explain_show(facts);
	json_decref(facts);
	return EXIT_OK;
}

const struct command cmd_explain = {
	.name = "explain",
	.args = "PROTO SOURCE DEST",
	.help = "one flow in plain sentences, and what to do",
	.run = cmd_explain_run,
};
