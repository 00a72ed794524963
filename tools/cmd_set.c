// SPDX-License-Identifier: GPL-2.0
/* looptrack set: change the modes of features, all or none */
#include <stdio.h>
#include <stdlib.h>

#include <linux/nf_looptrack.h>

#include "nl.h"
#include "out.h"

/* The words of an enumeration as one string, for a complaint. */
static enum exit_code unknown_word(const struct attr_words *words, const char *word)
{
	char *list = NULL;
	size_t size;
	FILE *out;

	out = open_memstream(&list, &size);
	if (!out)
		return fail(EXIT_SYSTEM, "out of memory");
	for (unsigned int i = 0; i < words->count; i++)
		fprintf(out, " %s", words->word[i]);
	fclose(out);
	fail(EXIT_USAGE, "set: %s \"%s\" is none of:%s", words->what, word, list ?: "");
	free(list);
	return EXIT_USAGE;
}

/* Put "FEATURE MODE ..." into a request, after having understood all of it. */
static enum exit_code parse(int argc, char **argv, unsigned int *mode, bool *given)
{
	if (argc < 2)
		return fail(EXIT_USAGE, "set: no feature given; say FEATURE MODE ...");

	for (int i = 1; i < argc; i += 2) {
		int feature = attr_word(&attr_features, argv[i]);
		int word;

		if (feature < 0)
			return unknown_word(&attr_features, argv[i]);
		if (i + 1 == argc)
			return fail(EXIT_USAGE, "set: no mode given for feature \"%s\"", argv[i]);
		word = attr_word(&attr_modes, argv[i + 1]);
		if (word < 0)
			return unknown_word(&attr_modes, argv[i + 1]);
		if (given[feature])
			return fail(EXIT_USAGE, "set: feature \"%s\" is given twice", argv[i]);
		given[feature] = true;
		mode[feature] = word;
	}
	return EXIT_OK;
}

static enum exit_code cmd_set_run(int argc, char **argv)
{
	unsigned int mode[NF_LOOPTRACK_FEATURE_MAX + 1];
	bool given[NF_LOOPTRACK_FEATURE_MAX + 1] = { };
	enum exit_code code = parse(argc, argv, mode, given);
	struct nlmsghdr *nlh;
	struct nl nl;

	if (code)
		return code;
	code = nl_open(&nl);
	if (code)
		goto close;
	nlh = nl_request(&nl, NF_LOOPTRACK_CMD_FEATURE_SET);
	for (unsigned int i = 0; i < ARRAY_SIZE(given); i++) {
		struct nlattr *nest;

		if (!given[i])
			continue;
		nest = mnl_attr_nest_start(nlh, NF_LOOPTRACK_A_CONFIG_FEATURE);
		mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FEATURE_ID, i);
		mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FEATURE_MODE, mode[i]);
		mnl_attr_nest_end(nlh, nest);
	}
	code = nl_talk(&nl, &attr_config, NULL);
close:
	nl_close(&nl);
	return code;
}

const struct command cmd_set = {
	.name = "set",
	.args = "FEATURE MODE ...",
	.help = "change modes, all or none",
	.run = cmd_set_run,
};
