// SPDX-License-Identifier: GPL-2.0
/* Counters and modes as metrics, in Prometheus's text format. */
#include <stdio.h>
#include <string.h>

#include "attr.h"
#include "looptrack.h"
#include "prometheus.h"

/**
 * struct label - what tells samples of one metric apart
 * @name: of the label
 * @value: anything in UTF-8; NULL for a label that is left out
 */
struct label {
	const char *name;
	const char *value;
};

static void write_escaped(const char *text, const char *special)
{
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\\n", stdout);
		else if (strchr(special, *text))
			printf("\\%c", *text);
		else
			putchar(*text);
	}
}

static void write_family(const char *metric, const char *type, const char *help)
{
	printf("# HELP looptrack_%s ", metric);
	write_escaped(help, "\\");
	printf("\n# TYPE looptrack_%s %s\n", metric, type);
}

/* A sample with the labels up to that without a name. */
static void write_sample(const char *metric, const struct label *label, json_int_t value)
{
	char before = '{';

	printf("looptrack_%s", metric);
	for (; label->name; label++) {
		if (!label->value)
			continue;
		printf("%c%s=\"", before, label->name);
		write_escaped(label->value, "\\\"");
		putchar('"');
		before = ',';
	}
	printf("%s %" JSON_INTEGER_FORMAT "\n", before == ',' ? "}" : "", value);
}

static void write_info(json_t *module)
{
	const struct label labels[] = {
		{ "netns", opt.netns },
		{ "version", json_string_value(json_object_get(module, "version")) },
		{ }
	};

	write_family("info", "gauge", "The module that is loaded.");
	write_sample("info", labels, 1);
}

static void write_modes(json_t *features)
{
	json_t *feature;
	size_t i;

	write_family("feature_mode", "gauge", "1 for the mode that a feature is in.");
	json_array_foreach(features, i, feature) {
		const char *name = json_string_value(json_object_get(feature, "name"));
		const char *mode = json_string_value(json_object_get(feature, "mode"));

		if (!name || !mode || attr_word(&attr_features, name) < 0)
			continue;
		for (unsigned int j = 0; j < attr_modes.count; j++) {
			const struct label labels[] = {
				{ "netns", opt.netns },
				{ "feature", name },
				{ "mode", attr_modes.word[j] },
				{ }
			};

			write_sample("feature_mode", labels, !strcmp(mode, attr_modes.word[j]));
		}
	}
}

static void write_counters(json_t *counters)
{
	const struct label labels[] = { { "netns", opt.netns }, { } };
	const char *key;
	json_t *value;

	json_object_foreach(counters, key, value) {
		const char *doc = attr_doc(&attr_stats, key);
		char metric[64];

		if (!doc)
			continue;
		snprintf(metric, sizeof(metric), "%s_total", key);
		write_family(metric, "counter", doc);
		write_sample(metric, labels, json_integer_value(value));
	}
}

void prometheus_write(json_t *module, json_t *config, json_t *counters)
{
	write_info(module);
	write_modes(json_object_get(config, "features"));
	write_counters(counters);
}
