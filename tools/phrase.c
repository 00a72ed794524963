// SPDX-License-Identifier: GPL-2.0
/* What sentences are made of. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "number.h"
#include "out.h"
#include "phrase.h"

/* The longest that an end of a tuple may be, in a phrase that has both. */
#define END_MAX		70

/* Write an end, and a NUL. Return: where that is. */
static char *write_end(char *text, json_t *tuple, const char *address_key, const char *port_key)
{
	const char *address = out_text(tuple, address_key);
	json_t *port = json_object_get(tuple, port_key);
	bool bracketed = port && strchr(address, ':');

	if (bracketed)
		*text++ = '[';
	text = mempcpy(text, address, strnlen(address, END_MAX - sizeof("[]:65535")));
	if (bracketed)
		*text++ = ']';
	if (port) {
		*text++ = ':';
		text = number_write(text, (uint16_t)json_integer_value(port));
	}
	*text = '\0';
	return text;
}

struct phrase phrase_end(json_t *tuple, const char *address_key, const char *port_key)
{
	struct phrase phrase;

	write_end(phrase.text, tuple, address_key, port_key);
	return phrase;
}

struct phrase phrase_tuple(json_t *tuple)
{
	struct phrase phrase;
	char *end;

	end = stpcpy(write_end(phrase.text, tuple, "src", "sport"), " -> ");
	write_end(end, tuple, "dst", "dport");
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
