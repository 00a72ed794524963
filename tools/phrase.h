/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PHRASE_H
#define PHRASE_H

#include <jansson.h>

/**
 * struct phrase - part of a sentence
 * @text: to be used in the sentence that it was made for
 */
struct phrase {
	char text[160];
};

/* "192.0.2.1:80", "[2001:db8::1]:80": one end of a tuple, by its keys. */
struct phrase phrase_end(json_t *tuple, const char *address_key, const char *port_key);

/* Both ends of a tuple, with "->" between. */
struct phrase phrase_tuple(json_t *tuple);

/* "curl[4711] (user 1000)": what is known of a socket's, or flow's, owner. */
struct phrase phrase_owner(json_t *owner);

#endif /* PHRASE_H */
