// SPDX-License-Identifier: GPL-2.0
/* looptrack explain: one flow, there or not, in plain sentences */
#include <getopt.h>
#include <net/if.h>
#include <netinet/in.h>

#include "advice.h"
#include "explain.h"
#include "facts.h"
#include "legacy.h"
#include "nft.h"
#include "number.h"
#include "out.h"
#include "ruletext.h"

/* Have rules told even where iptables-legacy logs the questions. */
static bool force;

/* A number, or a name of a device that is looked for when the namespace is entered. */
static enum exit_code parse_option(struct question *question, struct rules_packet *packet,
				   const char **device, int c, char **argv)
{
	uint64_t value;
	uint32_t mask;

	switch (c) {
	case 'w':
		if (!number_parse(optarg, 0, UINT16_MAX, &value))
			return fail(EXIT_USAGE,
				    "explain: --zone \"%s\" is not a number from 0 to 65535",
				    optarg);
		question->zone = value;
		return EXIT_OK;
	case 'm':
		if (!number_parse_mark(optarg, &packet->mark, &mask) || mask != UINT32_MAX)
			return fail(EXIT_USAGE,
				    "explain: --mark \"%s\" is not a number as 4096 or 0x1000",
				    optarg);
		return EXIT_OK;
	case 'i':
		*device = optarg;
		return EXIT_OK;
	case LONG_ONLY + 'R':
		packet->is_traced = true;
		return EXIT_OK;
	case LONG_ONLY + 'F':
		force = true;
		return EXIT_OK;
	default:
		return bad_option(c, argv);
	}
}

static enum exit_code parse(struct question *question, struct rules_packet *packet,
			    const char **device, int argc, char **argv)
{
	static const struct option options[] = {
		{ "zone", required_argument, NULL, 'w' },
		{ "in", required_argument, NULL, 'i' },
		{ "mark", required_argument, NULL, 'm' },
		{ "rules", no_argument, NULL, LONG_ONLY + 'R' },
		{ "force", no_argument, NULL, LONG_ONLY + 'F' },
		{ }
	};
	enum exit_code code = EXIT_OK;
	int c;

	optind = 0;
	while (!code && (c = getopt_long(argc, argv, "+:w:i:m:", options, NULL)) != -1)
		code = parse_option(question, packet, device, c, argv);
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
	struct rules_packet packet = {};
	struct question question = {};
	const char *device = NULL;
	enum exit_code code;
	json_t *facts;
	struct nl nl;

	code = parse(&question, &packet, &device, argc, argv);
	if (code)
		return code;
	code = nl_open(&nl);
	if (!code && device) {
		packet.device = if_nametoindex(device);
		if (!packet.device)
			code = fail(EXIT_USAGE, "explain: there is no device \"%s\"", device);
	}
	if (!code && packet.is_traced)
		code = legacy_check("explain", force);
	if (!code && packet.is_traced)
		code = nft_open("explain", question.protocol, question.ends);
	if (!code)
		code = facts_get(&nl, &question, &packet, &facts);
	nl_close(&nl);
	nft_close();
	ruletext_free();
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
