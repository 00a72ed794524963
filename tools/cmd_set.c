// SPDX-License-Identifier: GPL-2.0
/* looptrack set: change the modes of features, all or none */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/**
 * struct order - what is to become of a feature
 * @given: anything at all
 * @marked: @mark and @mask were given
 * @mode: its mode
 * @mark: bits to set
 * @mask: bits to change
 */
struct order {
	bool given, marked;
	uint32_t mode, mark, mask;
};

static struct order orders[NF_LOOPTRACK_FEATURE_MAX + 1];

/* A number as C writes it, from 0 to 0xffffffff, that ends before @end. */
static bool number(const char *text, const char *end, uint32_t *value)
{
	unsigned long long n;
	char *stop;

	/* strtoull() would take a sign, and blanks before it. */
	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	n = strtoull(text, &stop, 0);
	*value = n;
	return stop == end && !errno && n <= UINT32_MAX;
}

static enum exit_code parse_mark(const char *feature, const char *text, struct order *order)
{
	const char *slash;

	if (order != &orders[NF_LOOPTRACK_FEATURE_PASSMARK])
		return fail(EXIT_USAGE, "set: feature \"%s\" has no mark, only passmark has",
			    feature);
	if (!text)
		return fail(EXIT_USAGE, "set: no mark given; say mark VALUE/MASK");
	slash = strchr(text, '/');
	if (!slash || !number(text, slash, &order->mark) ||
	    !number(slash + 1, slash + strlen(slash), &order->mask))
		return fail(EXIT_USAGE, "set: mark \"%s\" is not VALUE/MASK, as in 0x1000/0x1000",
			    text);
	if (!order->mask)
		return fail(EXIT_USAGE, "set: mark \"%s\" changes no bit", text);
	if (order->mark & ~order->mask)
		return fail(EXIT_USAGE, "set: mark \"%s\" has bits outside of its mask", text);
	order->marked = true;
	return EXIT_OK;
}

/* Understand all of "FEATURE MODE [mark VALUE/MASK] ...". */
static enum exit_code parse(int argc, char **argv)
{
	enum exit_code code;

	if (argc < 2)
		return fail(EXIT_USAGE, "set: no feature given; say FEATURE MODE ...");

	for (int i = 1; i < argc; i += 2) {
		int feature = attr_word(&attr_features, argv[i]);
		struct order *order;
		int word;

		if (feature < 0)
			return unknown_word(&attr_features, argv[i]);
		if (i + 1 == argc)
			return fail(EXIT_USAGE, "set: no mode given for feature \"%s\"", argv[i]);
		word = attr_word(&attr_modes, argv[i + 1]);
		if (word < 0)
			return unknown_word(&attr_modes, argv[i + 1]);
		order = &orders[feature];
		if (order->given)
			return fail(EXIT_USAGE, "set: feature \"%s\" is given twice", argv[i]);
		order->given = true;
		order->mode = word;
		if (i + 2 < argc && !strcmp(argv[i + 2], "mark")) {
			code = parse_mark(argv[i], argv[i + 3], order);
			if (code)
				return code;
			i += 2;
		}
	}
	return EXIT_OK;
}

static enum exit_code cmd_set_run(int argc, char **argv)
{
	enum exit_code code = parse(argc, argv);
	struct nlmsghdr *nlh;
	struct nl nl;

	if (code)
		return code;
	code = nl_open(&nl);
	if (code)
		goto close;
	nlh = nl_request(&nl, NF_LOOPTRACK_CMD_FEATURE_SET);
	for (unsigned int i = 0; i < ARRAY_SIZE(orders); i++) {
		const struct order *order = &orders[i];
		struct nlattr *nest;

		if (!order->given)
			continue;
		nest = mnl_attr_nest_start(nlh, NF_LOOPTRACK_A_CONFIG_FEATURE);
		mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FEATURE_ID, i);
		mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FEATURE_MODE, order->mode);
		if (order->marked) {
			mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FEATURE_MARK, order->mark);
			mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FEATURE_MARK_MASK, order->mask);
		}
		mnl_attr_nest_end(nlh, nest);
	}
	code = nl_talk(&nl, &attr_config, NULL);
close:
	nl_close(&nl);
	return code;
}

const struct command cmd_set = {
	.name = "set",
	.args = "FEATURE MODE [mark VALUE/MASK] ...",
	.help = "change modes, all or none",
	.run = cmd_set_run,
};
