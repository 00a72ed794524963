/* SPDX-License-Identifier: GPL-2.0 */
#ifndef ATTR_H
#define ATTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct nlmsghdr;

/**
 * enum attr_type - what an attribute carries
 *
 * Decides how long its payload must be and what it becomes in JSON.
 */
enum attr_type {
	ATTR_IGNORE,	/* padding, and whatever this tool does not know */
	ATTR_FLAG,	/* true; false if absent */
	ATTR_STRING,
	ATTR_NAME,	/* a string that anybody chose, of a process or device */
	ATTR_U16,
	ATTR_BE16,
	ATTR_U32,
	ATTR_U64,
	ATTR_ENUM,	/* u32; one of @words */
	ATTR_TCP_FLAGS,	/* u8; their names with commas between, a string */
	ATTR_PROTOCOL,	/* u8; an IP protocol's name or number, a string */
	ATTR_TIME,	/* u64, ns since 1970; RFC 3339 in local time */
	ATTR_IP4,
	ATTR_IP6,
	ATTR_NEST,	/* object of @nest */
	ATTR_LIST,	/* one of several equal nests; array of objects of @nest */
	ATTR_ARRAY,	/* nest of nests; array of objects of @nest */
};

/**
 * struct attr_words - the words of an enumeration
 * @what: what the words name; a value without a word is shown as "what-N"
 * @word: word of each value
 * @count: number of words
 */
struct attr_words {
	const char *what;
	const char *const *word;
	unsigned int count;
};

/**
 * struct attr_desc - one attribute
 * @name: its name in the specification, with underscores
 * @key: its key in JSON, if that is another one
 * @doc: what it means
 * @type: what it carries
 * @words: for ATTR_ENUM
 * @nest: for ATTR_NEST, ATTR_LIST and ATTR_ARRAY
 */
struct attr_desc {
	const char *name;
	const char *key;
	const char *doc;
	enum attr_type type;
	const struct attr_words *words;
	const struct attr_set *nest;
};

/**
 * struct attr_set - the attributes of a message or nest
 * @desc: attributes by number
 * @count: number of them
 * @unknown: if set, unknown attributes are integers, shown as "unknown-N"
 */
struct attr_set {
	const struct attr_desc *desc;
	unsigned int count;
	const char *unknown;
};

extern const struct attr_words attr_features, attr_modes, attr_decisions, attr_tcp_states,
	attr_socket_states, attr_hooks, attr_stages;
extern const struct attr_set attr_ctrl, attr_extack;
extern const struct attr_set attr_module, attr_config, attr_stats, attr_event,
	attr_trace, attr_flow, attr_rules;

/* Number of the word, or -1 */
int attr_word(const struct attr_words *words, const char *word);

/* Name of an IP protocol, or NULL if it is shown as a number */
const char *attr_protocol(uint8_t protocol);

/* And back; false if no protocol is shown so. */
bool attr_find_protocol(const char *name, uint8_t *protocol);

/* As it is shown: its name, or its number in @number. */
const char *attr_protocol_text(uint8_t protocol, char number[4]);

/* A name that anybody chose. What is not printable ASCII is shown as "?": it might not
 * even be UTF-8, and must not reach a terminal.
 */
json_t *attr_name(const char *name);

/* The meaning of what is shown under @key, or NULL */
const char *attr_doc(const struct attr_set *set, const char *key);

/**
 * attr_decode() - make a JSON object of netlink attributes
 * @set: what may be found
 * @data: the first attribute
 * @len: bytes of all attributes
 *
 * Attributes that @set does not know are skipped: a newer module may send them.
 *
 * Return: the object, or NULL with errno EBADMSG if a known attribute has not
 * the length or contents it must have, else ENOMEM.
 */
json_t *attr_decode(const struct attr_set *set, const void *data, size_t len);

/**
 * attr_locate() - name the attribute at an offset, as extack gives it
 * @set: attributes of the message
 * @nlh: a generic netlink message
 * @offset: where the attribute starts, counted from @nlh
 *
 * Return: for example 'feature.mode in "clash enforce"', to be freed; NULL if
 * no attribute starts there.
 */
char *attr_locate(const struct attr_set *set, const struct nlmsghdr *nlh, size_t offset);

#endif /* ATTR_H */
