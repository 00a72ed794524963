// SPDX-License-Identifier: GPL-2.0
/* Addresses, ports and protocols, as the user writes them. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/nf_looptrack.h>

#include "attr.h"
#include "endpoint.h"
#include "number.h"
#include "out.h"

static enum exit_code bad_end(const char *command, const char *word)
{
	return fail(EXIT_USAGE,
		    "%s: \"%s\" is not ADDRESS, ADDRESS:PORT, [ADDRESS6]:PORT, *:PORT or *",
		    command, word);
}

bool endpoint_unmap(struct endpoint *end)
{
	if (end->family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&end->addr))
		return false;
	end->family = AF_INET;
	end->addr = (struct in6_addr) { .s6_addr32 = { end->addr.s6_addr32[3] } };
	return true;
}

static bool has_ports(uint8_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;
}

enum exit_code endpoint_parse(struct endpoint *end, const char *command, uint8_t protocol,
			      const char *word)
{
	char text[INET6_ADDRSTRLEN + 8];
	char *address = text, *port = NULL, *close;
	uint64_t number;

	if (snprintf(text, sizeof(text), "%s", word) >= (int)sizeof(text))
		return bad_end(command, word);
	if (*text == '[') {
		address = text + 1;
		close = strchr(text, ']');
		if (!close || (close[1] && close[1] != ':'))
			return bad_end(command, word);
		*close = '\0';
		port = close[1] ? close + 2 : NULL;
	} else if (strchr(text, ':') == strrchr(text, ':') && strchr(text, ':')) {
		port = strchr(text, ':');
		*port++ = '\0';
	}

	if (inet_pton(AF_INET, address, &end->addr) == 1 && *text != '[')
		end->family = AF_INET;
	else if (inet_pton(AF_INET6, address, &end->addr) == 1)
		end->family = AF_INET6;
	else if (*text == '[' || strcmp(address, "*"))
		return bad_end(command, word);
	if (port && !number_parse(port, has_ports(protocol), UINT16_MAX, &number))
		return bad_end(command, word);
	if (port)
		end->port = number;
	endpoint_unmap(end);
	if (opt.family && end->family && end->family != opt.family) {
		int wanted = opt.family == AF_INET ? 4 : 6;

		return fail(EXIT_USAGE, "%s: \"%s\" is not of IPv%d, as -%d wants", command, word,
			    wanted, wanted);
	}
	return EXIT_OK;
}

enum exit_code endpoint_parse_flow(struct endpoint ends[2], const char *command, uint8_t protocol,
				   char *const words[2])
{
	for (int i = 0; i < 2; i++) {
		enum exit_code code = endpoint_parse(&ends[i], command, protocol, words[i]);

		if (code)
			return code;
		if (ends[i].family == AF_UNSPEC)
			return fail(EXIT_USAGE, "%s: \"%s\" leaves the address out", command,
				    words[i]);
		if (has_ports(protocol) && !ends[i].port)
			return fail(EXIT_USAGE, "%s: \"%s\" leaves the port out", command,
				    words[i]);
	}
	if (ends[0].family != ends[1].family)
		return fail(EXIT_USAGE, "%s: \"%s\" and \"%s\" are not of one family", command,
			    words[0], words[1]);
	return EXIT_OK;
}

bool endpoint_find_protocol(const char *word, uint8_t *protocol)
{
	const struct protoent *entry;
	uint64_t number;

	/* What is shown is understood, whatever /etc/protocols says. */
	if (attr_find_protocol(word, protocol))
		return true;
	entry = getprotobyname(word);
	if (entry)
		number = entry->p_proto;
	else if (!number_parse(word, 0, UINT8_MAX, &number))
		return false;
	*protocol = number;
	return true;
}

enum exit_code endpoint_parse_protocol(uint8_t *protocol, const char *command, const char *word)
{
	if (endpoint_find_protocol(word, protocol))
		return EXIT_OK;
	return fail(EXIT_USAGE, "%s: \"%s\" is no IP protocol, as tcp, udp or 47", command, word);
}

static void put(struct nlmsghdr *nlh, const struct endpoint *end, int type4, int type6,
		int port_type)
{
	if (end->family == AF_INET)
		mnl_attr_put(nlh, type4, sizeof(struct in_addr), &end->addr);
	if (end->family == AF_INET6)
		mnl_attr_put(nlh, type6, sizeof(end->addr), &end->addr);
	if (end->port)
		mnl_attr_put_u16(nlh, port_type, htons(end->port));
}

void endpoint_put(struct nlmsghdr *nlh, int type, const struct endpoint ends[2])
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	put(nlh, &ends[0], NF_LOOPTRACK_A_TUPLE_SRC4, NF_LOOPTRACK_A_TUPLE_SRC6,
	    NF_LOOPTRACK_A_TUPLE_SPORT);
	put(nlh, &ends[1], NF_LOOPTRACK_A_TUPLE_DST4, NF_LOOPTRACK_A_TUPLE_DST6,
	    NF_LOOPTRACK_A_TUPLE_DPORT);
	mnl_attr_nest_end(nlh, nest);
}

void endpoint_json(json_t *object, const struct endpoint *end, const char *address_key,
		   const char *port_key)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(end->family, &end->addr, text, sizeof(text));
	json_object_set_new(object, address_key, json_string(text));
	if (end->port)
		json_object_set_new(object, port_key, json_integer(end->port));
}

static void read_end(struct endpoint *end, json_t *tuple, const char *address_key,
		     const char *port_key)
{
	const char *address = json_string_value(json_object_get(tuple, address_key)) ?: "";

	*end = (struct endpoint) {
		.port = json_integer_value(json_object_get(tuple, port_key)),
	};
	if (inet_pton(AF_INET, address, &end->addr) == 1)
		end->family = AF_INET;
	else if (inet_pton(AF_INET6, address, &end->addr) == 1)
		end->family = AF_INET6;
}

void endpoint_read_tuple(struct endpoint ends[2], json_t *tuple)
{
	read_end(&ends[0], tuple, "src", "sport");
	read_end(&ends[1], tuple, "dst", "dport");
}

static bool is_same_address(const struct endpoint *a, const struct endpoint *b)
{
	size_t size = a->family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);

	return a->family == b->family && !memcmp(&a->addr, &b->addr, size);
}

bool endpoint_is_same(const struct endpoint *a, const struct endpoint *b)
{
	return a->family != AF_UNSPEC && is_same_address(a, b) && a->port == b->port;
}

bool endpoint_wants(const struct endpoint *wanted, const struct endpoint *end)
{
	return (wanted->family == AF_UNSPEC || is_same_address(wanted, end)) &&
	       (!wanted->port || wanted->port == end->port);
}
