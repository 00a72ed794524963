// SPDX-License-Identifier: GPL-2.0
/* looptrack resolve: from what a proxy sees to whom it comes from */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/nf_looptrack.h>

#include "flow.h"
#include "out.h"
#include "stream.h"

/* What of a flow is an answer. */
static json_t *origin(json_t *flow)
{
	static const char *const keys[] = { "protocol", "zone", "original", "owner" };
	json_t *answer = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		json_t *value = json_object_get(flow, keys[i]);

		if (value)
			json_object_set(answer, keys[i], value);
	}
	json_decref(flow);
	return answer;
}

static void show(json_t *answer)
{
	json_t *original = json_object_get(answer, "original");
	json_t *owner = json_object_get(answer, "owner");

	printf("%s", out_text(answer, "protocol"));
	stream_tuple(original);
	if (owner)
		flow_show_owner(owner);
	putchar('\n');
}

static enum exit_code resolve(struct nl *nl, const struct question *question)
{
	enum exit_code code;
	json_t *flow;

	code = flow_get(nl, question, &flow);
	if (code)
		return code;

	flow = origin(flow);
	if (opt.json)
		return out_json(flow);
	show(flow);
	json_decref(flow);
	return EXIT_OK;
}

/* One line, of @length bytes; a comment is none. */
static enum exit_code resolve_line(struct nl *nl, const char *where, char *line, size_t length,
				   struct question *question)
{
	char *words[4], *rest = line;
	enum exit_code code;
	size_t count = 0;

	if (strlen(line) != length)
		return fail(EXIT_USAGE, "%s: this is no text", where);
	line[strcspn(line, "#")] = '\0';
	while (count < ARRAY_SIZE(words) &&
	       (words[count] = strtok_r(count ? NULL : line, " \t\r\n", &rest)))
		count++;
	if (!count)
		return EXIT_OK;
	if (count != 3)
		return fail(EXIT_USAGE, "%s: this is not PROTOCOL LOCAL PEER", where);
	code = flow_parse(question, where, words);
	return code ? code : resolve(nl, question);
}

static char stdin_line[32];	/* "stdin:7", the one that is looked at */

/* All of a request is from there. */
static const char *find_line(size_t offset)
{
	static char where[sizeof(stdin_line) + 2];

	(void)offset;
	snprintf(where, sizeof(where), "%s: ", stdin_line);
	return where;
}

/* One each line. What can't be answered is complained about, and the rest goes on,
 * unless it would be the same with each.
 *
 * Return: the code of the last complaint.
 */
static enum exit_code resolve_lines(struct nl *nl, struct question *question)
{
	enum exit_code code = EXIT_OK, last = EXIT_OK;
	unsigned int number = 0;
	char *line = NULL;
	ssize_t length = 0;
	size_t size = 0;

	nl->find_line = find_line;
	while (code <= EXIT_REFUSED && out_flush()) {
		length = getline(&line, &size, stdin);
		if (length < 0)
			break;
		snprintf(stdin_line, sizeof(stdin_line), "stdin:%u", ++number);
		code = resolve_line(nl, stdin_line, line, length, question);
		last = code ?: last;
	}
	/* A line that no memory can hold is no end of the file either. */
	if (length < 0 && !feof(stdin))
		last = fail(EXIT_SYSTEM, "cannot read stdin: %s", strerror(errno));
	free(line);
	return last;
}

static enum exit_code cmd_resolve_run(int argc, char **argv)
{
	struct question question = {};
	enum exit_code code;
	struct nl nl;

	code = flow_parse_zone(&question.zone, "resolve", argc, argv);
	if (code)
		return code;
	argc -= optind;
	argv += optind;
	if (argc != 3 && !(argc == 1 && !strcmp(argv[0], "-")))
		return fail(EXIT_USAGE,
			    "resolve: say PROTOCOL LOCAL PEER, as a proxy sees them, or - to read lines of these");
	if (argc == 3)
		code = flow_parse(&question, "resolve", argv);
	if (code)
		return code;

	code = nl_open(&nl);
	if (!code)
		code = argc == 3 ? resolve(&nl, &question) : resolve_lines(&nl, &question);
	nl_close(&nl);
	return code;
}

const struct command cmd_resolve = {
	.name = "resolve",
	.args = "PROTO LOCAL PEER | -",
	.help = "from what a proxy sees to whom it comes from",
	.run = cmd_resolve_run,
};
