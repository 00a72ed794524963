// SPDX-License-Identifier: GPL-2.0
/* The verdict on facts about a flow, which are read as JSON: explain without a kernel. */
#include <stdio.h>

#include "advice.h"
#include "out.h"

struct options opt;

enum exit_code bad_option(int c, char **argv)
{
	(void)c;
	(void)argv;
	return EXIT_USAGE;
}

int main(void)
{
	json_error_t error;
	json_t *facts = json_loadf(stdin, 0, &error);
	enum exit_code code;

	if (!facts)
		return fail(EXIT_USAGE, "%s", error.text);
	code = out_json(advice_get(facts));
	json_decref(facts);
	return out_close(code);
}
