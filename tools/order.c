// SPDX-License-Identifier: GPL-2.0
/* What is to become of features: from the user's words to a request. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "order.h"
#include "out.h"
#include "word.h"

/* The longest line names each feature once, a mark, proxies and exempt ports. */
#define WORDS_MAX	96

static enum exit_code parse_mark(const char *where, const char *text, struct order *order)
{
	if (!text)
		return fail(EXIT_USAGE, "%s: no mark given; say mark VALUE/MASK", where);
	if (!strchr(text, '/') || !number_parse_mark(text, &order->mark, &order->mask))
		return fail(EXIT_USAGE, "%s: mark \"%s\" is not VALUE/MASK, as in 0x1000/0x1000",
			    where, text);
	if (!order->mask)
		return fail(EXIT_USAGE, "%s: mark \"%s\" changes no bit", where, text);
	if (order->mark & ~order->mask)
		return fail(EXIT_USAGE, "%s: mark \"%s\" has bits outside of its mask", where,
			    text);
	order->marked = true;
	return EXIT_OK;
}

/* What only some features have, behind the mode of one; @used: words of it. */
static enum exit_code parse_more(const char *where, unsigned int feature, int count,
				 char **words, struct order *order, int *used)
{
	const char *name = attr_features.word[feature];
	enum exit_code code;

	*used = 0;
	if (count && !strcmp(words[0], "mark")) {
		if (feature != NF_LOOPTRACK_FEATURE_PASSMARK)
			return fail(EXIT_USAGE,
				    "%s: feature \"%s\" has no mark, only passmark has", where,
				    name);
		code = parse_mark(where, count > 1 ? words[1] : NULL, order);
		if (code)
			return code;
		*used = 2;
	}
	while (*used < count && !strcmp(words[*used], "proxy")) {
		int more;

		if (feature != NF_LOOPTRACK_FEATURE_LOOPGUARD)
			return fail(EXIT_USAGE,
				    "%s: feature \"%s\" has no proxies, only loopguard has", where,
				    name);
		++*used;
		code = proxy_parse(&order->proxies, where, count - *used, words + *used, &more);
		if (code)
			return code;
		*used += more;
	}
	while (*used < count && !strcmp(words[*used], "exempt")) {
		if (feature != NF_LOOPTRACK_FEATURE_LISTENERS)
			return fail(EXIT_USAGE,
				    "%s: feature \"%s\" has no exempt ports, only listeners has",
				    where, name);
		code = exempt_parse(&order->exempts, where,
				    *used + 1 < count ? words[*used + 1] : NULL);
		if (code)
			return code;
		*used += 2;
	}
	return EXIT_OK;
}

enum exit_code orders_parse(struct orders *orders, const char *where, unsigned int line,
			    int count, char **words)
{
	for (int i = 0; i < count; i += 2) {
		unsigned int feature, mode;
		struct order *order;
		enum exit_code code;
		int used;

		code = word_parse(where, &attr_features, words[i], &feature);
		if (code)
			return code;
		if (i + 1 == count)
			return fail(EXIT_USAGE, "%s: no mode given for feature \"%s\"", where,
				    words[i]);
		code = word_parse(where, &attr_modes, words[i + 1], &mode);
		if (code)
			return code;
		order = &orders->feature[feature];
		if (order->given)
			return fail(EXIT_USAGE, "%s: feature \"%s\" is given twice", where,
				    words[i]);
		*order = (struct order){ .given = true, .mode = mode, .line = line };
		code = parse_more(where, feature, count - i - 2, words + i + 2, order, &used);
		if (code)
			return code;
		i += used;
	}
	return EXIT_OK;
}

/* What ends a word of a line, and what ends a line. */
#define BLANKS	" \t\r"
#define ENDS	"#\n"

bool order_is_word(const char *text)
{
	return !text[strcspn(text, BLANKS ENDS)];
}

/* The words of a line that ends with NUL; a comment is none. */
static enum exit_code parse_line(struct orders *orders, const char *where, unsigned int line,
				 char *text)
{
	char *words[WORDS_MAX], *word, *rest;
	int count = 0;

	text[strcspn(text, ENDS)] = '\0';
	for (word = strtok_r(text, BLANKS, &rest); word; word = strtok_r(NULL, BLANKS, &rest)) {
		if (count == WORDS_MAX)
			return fail(EXIT_USAGE, "%s: too many words; say one feature a line",
				    where);
		words[count++] = word;
	}
	return orders_parse(orders, where, line, count, words);
}

enum exit_code orders_parse_text(struct orders *orders, const char *name, char *text,
				 size_t size)
{
	char *end = text + size;
	enum exit_code code = EXIT_OK;

	for (unsigned int line = 1; text < end && !code; line++) {
		char *stop = memchr(text, '\n', end - text) ?: end;
		char *where;

		if (asprintf(&where, "%s:%u", name, line) < 0)
			return fail(EXIT_SYSTEM, "out of memory");
		*stop = '\0';
		if (text + strlen(text) < stop)
			code = fail(EXIT_USAGE, "%s: this is no text", where);
		else
			code = parse_line(orders, where, line, text);
		free(where);
		text = stop + 1;
	}
	return code;
}

void orders_put(struct orders *orders, struct nl *nl)
{
	struct nlmsghdr *nlh = nl_request(nl, NF_LOOPTRACK_CMD_FEATURE_SET);

	for (unsigned int i = 0; i < ARRAY_SIZE(orders->feature); i++) {
		struct order *order = &orders->feature[i];
		struct nlattr *nest;

		if (!order->given)
			continue;
		order->offset = nlh->nlmsg_len;
		nest = mnl_attr_nest_start(nlh, NF_LOOPTRACK_A_CONFIG_FEATURE);
		mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FEATURE_ID, i);
		mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FEATURE_MODE, order->mode);
		if (order->marked) {
			mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FEATURE_MARK, order->mark);
			mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FEATURE_MARK_MASK, order->mask);
		}
		proxy_put(nlh, &order->proxies);
		exempt_put(nlh, &order->exempts);
		mnl_attr_nest_end(nlh, nest);
	}
}

bool order_mark(const json_t *feature, char *text, size_t size)
{
	const json_t *mark = json_object_get(feature, "mark");
	const json_t *mask = json_object_get(feature, "mark_mask");

	if (!mark || !mask)
		return false;
	snprintf(text, size, "mark 0x%llx/0x%llx", json_integer_value(mark),
		 json_integer_value(mask));
	return true;
}
