// SPDX-License-Identifier: GPL-2.0
/* looptrack audit: where conntrack's table disagrees with sockets and rules */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/nf_looptrack.h>

#include "ctnl.h"
#include "filter.h"
#include "flow.h"
#include "judge.h"
#include "out.h"
#include "outdated.h"
#include "snat.h"
#include "stream.h"
#include "suspect.h"
#include "word.h"

#define ZONES	(UINT16_MAX + 1)

/*
 * The ledgers are read one after the other while flows come and go, so what the first
 * look finds may only be on its way. All that is looked at again, later than linger and
 * any handshake on this host take, and each entry by itself.
 */
static const struct timespec pause_between = { .tv_sec = 1, .tv_nsec = 500000000 };

/**
 * struct audit - one comparison
 * @nl: the module
 * @diag: the socket tables
 * @ctnl: conntrack itself, connected when it is first needed
 * @ledger: the sockets, as they were before the flows were looked at
 * @filter: which flows are wanted
 * @kinds: which findings are: a bit for each, or 0 for all
 * @fix: set right what can be
 * @flows: how many there are
 * @tracks4: there are some of IPv4
 * @tracks6: of IPv6
 * @zones: a bit for each zone that one is in, and for that which is no zone
 * @range: of ports for local sockets
 * @snat: ports of it that NAT uses
 * @suspects: what the first look found, the last one first
 * @count: how many findings were told, of each kind
 * @sum: of all kinds
 * @fixed: how many of them were set right
 * @unanswered: flows whose entries the rules could be asked about
 * @unasked: how many of them they can't be, or do not tell
 * @left: there is one that something has to be done about
 */
struct audit {
	struct nl nl;
	struct diag diag;
	struct ctnl ctnl;
	struct ledger ledger;
	struct filter *filter;
	uint64_t kinds;
	bool fix;
	unsigned long flows;
	bool tracks4;
	bool tracks6;
	unsigned char zones[ZONES / 8];
	uint16_t range[2];
	struct snat *snat;
	struct suspect *suspects;
	unsigned long count[FINDING_KINDS];
	unsigned long sum;
	unsigned long fixed;
	unsigned long unanswered;
	unsigned long unasked;
	bool left;
};

static bool wants(const struct audit *audit, json_t *flow)
{
	return stream_wants(json_object_get(flow, "original")) &&
	       filter_wants(audit->filter, flow);
}

static bool wants_kind(const struct audit *audit, enum finding_kind kind)
{
	return !audit->kinds || audit->kinds >> kind & 1;
}

/* Write a finding, and drop it. That nobody takes it keeps nothing from being set right. */
static enum exit_code tell(struct audit *audit, struct finding *finding)
{
	enum exit_code code = EXIT_OK;

	audit->sum++;
	audit->count[finding->kind]++;
	audit->fixed += finding->fixed;
	audit->left = audit->left || finding_counts(finding);
	if (opt.json) {
		fputs(audit->sum > 1 ? ",\n" : "[", stdout);
		code = out_item(finding_json(finding));
	} else {
		finding_show(finding);
	}
	finding_free(finding);
	/* What went wrong with it is known now only. */
	out_taken();
	return code;
}

/* The first look. */

/* Questions make the counters of rules count, and use up limits: they are asked only if they
 * are wanted by name.
 */
static bool asks_rules(const struct audit *audit)
{
	return audit->kinds >> FINDING_OUTDATED & 1;
}

/* Remember a finding, if it is one of those that are wanted, and drop it. */
static enum exit_code suspect(struct audit *audit, struct finding *finding)
{
	enum exit_code code = EXIT_OK;
	struct suspect *suspect;

	if (finding && wants_kind(audit, finding->kind) && wants(audit, finding->flow)) {
		suspect = suspect_new(finding);
		if (suspect) {
			suspect->next = audit->suspects;
			audit->suspects = suspect;
		} else {
			code = fail(EXIT_SYSTEM, "out of memory");
		}
	}
	finding_free(finding);
	return code;
}

/* Note that there is a flow, and mark the TCP sockets that send on it. */
static void track(struct audit *audit, json_t *flow, const char *direction)
{
	bool tcp = flow_protocol(flow) == IPPROTO_TCP;
	struct ledger_socket *entry = NULL;
	struct endpoint ends[2];

	endpoint_read_tuple(ends, json_object_get(flow, direction));
	if (ends->family == AF_INET)
		audit->tracks4 = true;
	else
		audit->tracks6 = true;
	while (tcp && (entry = ledger_find(&audit->ledger, IPPROTO_TCP, ends, entry)))
		entry->tracked = true;
}

static enum exit_code take_flow(json_t *flow, void *arg)
{
	unsigned int zone = json_integer_value(json_object_get(flow, "zone"));
	struct audit *audit = arg;
	struct finding *finding = NULL;
	enum exit_code code = EXIT_OK;

	audit->flows++;
	audit->zones[zone / 8 % sizeof(audit->zones)] |= 1 << zone % 8;
	track(audit, flow, "original");
	track(audit, flow, "reply");
	if (wants(audit, flow)) {
		code = snat_count(&audit->snat, &audit->ledger, audit->range, flow);
		if (!code)
			code = judge_flow(&audit->ledger, flow, &finding);
		if (!code && !finding && outdated_may_be(flow)) {
			audit->unanswered++;
			if (asks_rules(audit))
				code = outdated_suspect(flow, &finding);
		}
		if (!code)
			code = suspect(audit, finding);
	}
	json_decref(flow);
	return code;
}

static enum exit_code take_socket(struct ledger_socket *entry, void *arg)
{
	struct audit *audit = arg;
	struct finding *finding;
	enum exit_code code;
	bool tracks;

	/* Where there is no flow at all conntrack is off, most likely. */
	tracks = entry->sock.remote.family == AF_INET ? audit->tracks4 : audit->tracks6;
	if (entry->tracked || !tracks)
		return EXIT_OK;
	code = judge_socket(&audit->ledger, &entry->sock, &finding);
	return code ? code : suspect(audit, finding);
}

static enum exit_code first_look(struct audit *audit)
{
	enum exit_code code = ledger_read(&audit->ledger, &audit->diag);

	if (!code)
		code = nl_list(&audit->nl, NF_LOOPTRACK_CMD_FLOW_GET, &attr_flow, take_flow, audit);
	if (!code)
		code = ledger_walk(&audit->ledger, take_socket, audit);
	return code;
}

/* The second look. */

static enum exit_code fix(struct audit *audit, const struct question *flow,
			  struct ctnl_entry *entry, struct finding *finding)
{
	enum exit_code code;

	if (finding->kind == FINDING_REVERSED)
		code = ctnl_turn(&audit->ctnl, flow, entry);
	else
		code = ctnl_delete(&audit->ctnl, flow, entry);
	finding->fixed = !code && entry->found;
	return code;
}

/* The rules were asked for a while, and an answer may have come. Of what is answered the entry
 * stays.
 */
static enum exit_code is_answered_now(struct audit *audit, const struct question *question,
				      bool *answered)
{
	enum exit_code code;
	json_t *flow;

	code = flow_find(&audit->nl, question, &flow);
	*answered = flow && !outdated_may_be(flow);
	json_decref(flow);
	return code;
}

/* An entry: is it the same finding still? Then @again is what there is to tell. */
static enum exit_code look_at_entry(struct audit *audit, const struct suspect *before,
				    struct finding **again)
{
	bool asks = before->kind == FINDING_REVERSED || (audit->fix && before->fixable);
	struct ctnl_entry entry = {};
	enum exit_code code = EXIT_OK;
	struct finding *now = NULL;
	bool answered = false;
	json_t *flow;

	/* First the number, or it could be that of an entry which has not been judged. */
	if (asks && !audit->ctnl.sock)
		code = ctnl_open(&audit->ctnl);
	if (asks && !code)
		code = ctnl_get(&audit->ctnl, &before->flow, &entry);
	if (!code)
		code = flow_find(&audit->nl, &before->flow, &flow);
	if (code || !flow)
		return code;

	if (before->kind == FINDING_OUTDATED)
		code = outdated_judge(&audit->nl, &before->flow, flow, &now, &audit->unasked);
	else
		code = judge_flow(&audit->ledger, flow, &now);
	if (!code && now && now->kind == FINDING_OUTDATED)
		code = is_answered_now(audit, &before->flow, &answered);
	if (now && (answered || !suspect_is(before, now) ||
		    (now->kind == FINDING_REVERSED && !entry.pickup))) {
		finding_free(now);
		now = NULL;
	}
	json_decref(flow);
	*again = now;
	if (!code && now && audit->fix && now->fixable && entry.found)
		code = fix(audit, &before->flow, &entry, now);
	return code;
}

/* Has any zone that is in use an entry for a socket? */
static enum exit_code find_in_zones(struct audit *audit, struct question sent, json_t **flow)
{
	enum exit_code code = EXIT_OK;

	*flow = NULL;
	for (unsigned int zone = 0; !code && !*flow && zone < ZONES; zone++) {
		if (!(audit->zones[zone / 8] >> zone % 8 & 1))
			continue;
		sent.zone = zone;
		code = flow_find(&audit->nl, &sent, flow);
	}
	return code;
}

/* A socket: it has no entry still and, after that, is still there. */
static enum exit_code look_at_socket(struct audit *audit, const struct suspect *before,
				     struct finding **again)
{
	struct ledger_socket *entry = NULL;
	struct diag_socket sock;
	enum exit_code code;
	json_t *flow;

	do {
		entry = ledger_find(&audit->ledger, IPPROTO_TCP, before->flow.ends, entry);
		if (!entry)
			return EXIT_OK;
	} while (entry->sock.cookie != before->cookie);

	code = find_in_zones(audit, before->flow, &flow);
	json_decref(flow);
	if (code || flow)
		return code;
	code = diag_find(&audit->diag, IPPROTO_TCP, before->flow.ends, entry->sock.device, &sock);
	if (code || sock.state == NF_LOOPTRACK_SOCKET_NONE || sock.cookie != before->cookie)
		return code;
	return judge_socket(&audit->ledger, &sock, again);
}

static enum exit_code second_look(struct audit *audit)
{
	enum exit_code code;

	if (!audit->suspects)
		return EXIT_OK;
	nanosleep(&pause_between, NULL);
	code = ledger_read(&audit->ledger, &audit->diag);
	for (const struct suspect *before = audit->suspects; !code && before;
	     before = before->next) {
		struct finding *again = NULL;

		if (before->kind == FINDING_MISSING)
			code = look_at_socket(audit, before, &again);
		else
			code = look_at_entry(audit, before, &again);
		if (again && !code)
			code = tell(audit, again);
		else
			finding_free(again);
	}
	return code;
}

/* What is told of NAT's ports is a sum, which does not come and go. */
static enum exit_code tell_snat(struct audit *audit)
{
	enum exit_code code = EXIT_OK;

	if (!wants_kind(audit, FINDING_SNAT_RANGE))
		return EXIT_OK;
	for (const struct snat *snat = audit->snat; !code && snat; snat = snat->next) {
		struct finding *finding = snat_finding(snat, audit->range);

		code = finding ? tell(audit, finding) : fail(EXIT_SYSTEM, "out of memory");
	}
	return code;
}

static void show_sum(const struct audit *audit)
{
	printf("%lu finding%s", audit->sum, audit->sum == 1 ? "" : "s");
	for (int kind = 0, listed = 0; kind < FINDING_KINDS; kind++)
		if (audit->count[kind])
			printf("%s %lu %s", listed++ ? "," : ":", audit->count[kind],
			       finding_kinds.word[kind]);
	printf("; %lu flow%s and %zu socket%s compared", audit->flows,
	       audit->flows == 1 ? "" : "s", audit->ledger.count,
	       audit->ledger.count == 1 ? "" : "s");
	if (audit->fix)
		printf("; %lu fixed", audit->fixed);
	if (audit->unanswered && !asks_rules(audit))
		printf("; %lu unanswered, whose rules were not asked (--kind outdated)",
		       audit->unanswered);
	if (audit->unasked)
		printf("; %lu unanswered, whose rules can't be asked or compared", audit->unasked);
	putchar('\n');
}

/* What was cut short must not look complete: it has no "]", nor a sum. */
static enum exit_code end(const struct audit *audit, enum exit_code code)
{
	if (code) {
		if (opt.json && audit->sum)
			putchar('\n');
		return code;
	}
	if (opt.json) {
		puts(audit->sum ? "]" : "[]");
		if (audit->unasked)
			fail(EXIT_OK,
			     "audit: of %lu unanswered flow%s the rules can't be asked or compared",
			     audit->unasked, audit->unasked == 1 ? "" : "s");
	} else {
		show_sum(audit);
	}
	return audit->left ? EXIT_FOUND : EXIT_OK;
}

static enum exit_code parse(struct audit *audit, int argc, char **argv)
{
	static const struct option own[] = {
		{ "fix", no_argument, NULL, LONG_ONLY + 'F' },
		{ "kind", required_argument, NULL, LONG_ONLY + 'K' },
		{ }
	};
	const struct option *long_options = filter_options(FILTER_FLOWS, own);
	enum exit_code code = EXIT_OK;
	char options[32];
	int c;

	snprintf(options, sizeof(options), "+:%s", filter_short_options(FILTER_FLOWS));
	optind = 0;
	while (!code && (c = getopt_long(argc, argv, options, long_options, NULL)) != -1) {
		if (c == '?' || c == ':')
			code = bad_option(c, argv);
		else if (c == LONG_ONLY + 'F')
			audit->fix = true;
		else if (c == LONG_ONLY + 'K')
			code = word_parse_list("audit", &finding_kinds, optarg, &audit->kinds);
		else
			code = filter_note(&audit->filter, "audit", c, optarg);
	}
	return code ? code : no_arguments(argc, argv, optind);
}

static enum exit_code compare(struct audit *audit)
{
	enum exit_code code = nl_open(&audit->nl);

	if (!code)
		code = diag_open(&audit->diag);
	if (code)
		return code;
	snat_read_range(audit->range);
	code = first_look(audit);
	if (!code)
		code = second_look(audit);
	if (!code)
		code = tell_snat(audit);
	return end(audit, code);
}

static enum exit_code cmd_audit_run(int argc, char **argv)
{
	struct audit audit = { .zones = { 1 } };
	enum exit_code code;

	code = parse(&audit, argc, argv);
	if (!code)
		code = compare(&audit);
	nl_close(&audit.nl);
	diag_close(&audit.diag);
	ctnl_close(&audit.ctnl);
	ledger_free(&audit.ledger);
	filter_free(audit.filter);
	snat_free(audit.snat);
	while (audit.suspects) {
		struct suspect *suspect = audit.suspects;

		audit.suspects = suspect->next;
		free(suspect);
	}
	return code;
}

const struct command cmd_audit = {
	.name = "audit",
	.args = "[--fix] [FILTER...]",
	.help = "where conntrack disagrees with sockets and rules",
	.run = cmd_audit_run,
};
