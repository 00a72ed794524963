// SPDX-License-Identifier: GPL-2.0
/* Ports that the feature listeners leaves alone: in words, in netlink and in JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/nf_looptrack.h>

#include "exempt.h"
#include "number.h"
#include "out.h"

/* Split "PORT-PORT" into its two numbers; a single port is both. */
static bool parse_range(const char *word, uint16_t *from, uint16_t *to)
{
	const char *dash = strchr(word, '-');
	uint64_t first, last;
	char start[8];

	if (!dash) {
		if (!number_parse(word, 1, UINT16_MAX, &first))
			return false;
		*from = first;
		*to = first;
		return true;
	}
	if (dash - word >= (int)sizeof(start))
		return false;
	snprintf(start, sizeof(start), "%.*s", (int)(dash - word), word);
	if (!number_parse(start, 1, UINT16_MAX, &first) ||
	    !number_parse(dash + 1, 1, UINT16_MAX, &last) || last < first)
		return false;
	*from = first;
	*to = last;
	return true;
}

enum exit_code exempt_parse(struct exempts *exempts, const char *where, const char *word)
{
	uint16_t from, to;
	bool none;

	if (!word)
		return fail(EXIT_USAGE, "%s: no port given behind exempt", where);
	none = !strcmp(word, "none");
	if (exempts->none || (exempts->count && none))
		return fail(EXIT_USAGE, "%s: exempt none goes with no other exempt", where);
	if (none) {
		exempts->none = true;
		return EXIT_OK;
	}
	if (!parse_range(word, &from, &to))
		return fail(EXIT_USAGE,
			    "%s: exempt \"%s\" is none of: PORT, FIRST-LAST (1 to 65535), none",
			    where, word);
	if (exempts->count == EXEMPTS_MAX)
		return fail(EXIT_USAGE, "%s: more than %u exempt ranges", where, EXEMPTS_MAX);
	exempts->range[exempts->count].from = from;
	exempts->range[exempts->count++].to = to;
	return EXIT_OK;
}

void exempt_put(struct nlmsghdr *nlh, const struct exempts *exempts)
{
	if (exempts->none)
		mnl_attr_put(nlh, NF_LOOPTRACK_A_FEATURE_NO_EXEMPT, 0, NULL);
	for (unsigned int i = 0; i < exempts->count; i++) {
		struct nlattr *nest = mnl_attr_nest_start(nlh, NF_LOOPTRACK_A_FEATURE_EXEMPT);
		uint16_t from = exempts->range[i].from, to = exempts->range[i].to;

		mnl_attr_put_u16(nlh, NF_LOOPTRACK_A_EXEMPT_FROM, from);
		if (to != from)
			mnl_attr_put_u16(nlh, NF_LOOPTRACK_A_EXEMPT_TO, to);
		mnl_attr_nest_end(nlh, nest);
	}
}

void exempt_text(json_t *exempt, char *text, size_t size)
{
	json_int_t from = json_integer_value(json_object_get(exempt, "from"));
	json_int_t to = json_integer_value(json_object_get(exempt, "to"));

	if (!to || to == from)
		snprintf(text, size, "exempt %" JSON_INTEGER_FORMAT, from);
	else
		snprintf(text, size, "exempt %" JSON_INTEGER_FORMAT "-%" JSON_INTEGER_FORMAT,
			 from, to);
}
