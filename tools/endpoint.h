/* SPDX-License-Identifier: GPL-2.0 */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "looptrack.h"

struct nlmsghdr;

/**
 * struct endpoint - one end of a flow
 * @family: of its address, or AF_UNSPEC if it may be any
 * @addr: address
 * @port: port, or 0 if it may be any
 */
struct endpoint {
	int family;
	struct in6_addr addr;
	uint16_t port;
};

/* Make an IPv6 address that is an IPv4 one in disguise what it is; false if it is none. */
bool endpoint_unmap(struct endpoint *end);

/*
 * Understand "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80",
 * "*" or "*:80", an argument of @command. "::ffff:192.0.2.1", as a socket for both
 * families sees a peer, is 192.0.2.1. What is not tcp or udp may have 0 in the place
 * of ports.
 */
enum exit_code endpoint_parse(struct endpoint *end, const char *command, uint8_t protocol,
			      const char *word);

/* Likewise, but a flow needs two addresses of one family, and tcp and udp ports. */
enum exit_code endpoint_parse_flow(struct endpoint ends[2], const char *command, uint8_t protocol,
				   char *const words[2]);

/* "tcp", or a number; false for other words. */
bool endpoint_find_protocol(const char *word, uint8_t *protocol);

/* Likewise, an argument of @command. */
enum exit_code endpoint_parse_protocol(uint8_t *protocol, const char *command, const char *word);

/* Add both ends of a flow to a request, as an attribute of the set tuple. */
void endpoint_put(struct nlmsghdr *nlh, int type, const struct endpoint ends[2]);

/* Tell an end under two keys of @object, as attr_decode() does it with a tuple. */
void endpoint_json(json_t *object, const struct endpoint *end, const char *address_key,
		   const char *port_key);

/* And back: both ends of what attr_decode() made of a tuple. */
void endpoint_read_tuple(struct endpoint ends[2], json_t *tuple);

/* Are both the same address and port? */
bool endpoint_is_same(const struct endpoint *a, const struct endpoint *b);

/* Is an end one of those that are wanted, of any address or port perhaps? */
bool endpoint_wants(const struct endpoint *wanted, const struct endpoint *end);

#endif /* ENDPOINT_H */
