// SPDX-License-Identifier: GPL-2.0
/* What sentences are made of. */
#include <stdio.h>
#include <string.h>

#include "out.h"
#include "phrase.h"

struct phrase phrase_end(json_t *tuple, const char *address_key, const char *port_key)
{
	const char *address = out_text(tuple, address_key);
	json_t *port = json_object_get(tuple, port_key);
	struct phrase phrase;

	if (!port)
		snprintf(phrase.text, sizeof(phrase.text), "%s", address);
	else
		snprintf(phrase.text, sizeof(phrase.text),
			 strchr(address, ':') ? "[%s]:%d" : "%s:%d", address,
			 (int)json_integer_value(port));
	return phrase;
}

struct phrase phrase_tuple(json_t *tuple)
{
	struct phrase from = phrase_end(tuple, "src", "sport");
	struct phrase to = phrase_end(tuple, "dst", "dport");
	struct phrase phrase;

	snprintf(phrase.text, sizeof(phrase.text), "%.70s -> %.70s", from.text, to.text);
	return phrase;
}

struct phrase phrase_owner(json_t *owner)
{
	json_t *uid = json_object_get(owner, "uid"), *pid = json_object_get(owner, "pid");
	json_t *comm = json_object_get(owner, "comm");
	struct phrase phrase;
	int size = 0;

	if (comm)
		size += sprintf(phrase.text, "%.60s", json_string_value(comm));
	if (pid)
		size += sprintf(phrase.text + size, "[%" JSON_INTEGER_FORMAT "]",
				json_integer_value(pid));
	if (uid)
		sprintf(phrase.text + size,
			size ? " (user %" JSON_INTEGER_FORMAT ")" : "user %" JSON_INTEGER_FORMAT,
			json_integer_value(uid));
	else if (!size)
		sprintf(phrase.text, "somebody");
	return phrase;
}
