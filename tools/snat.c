// SPDX-License-Identifier: GPL-2.0
/* Ports of this host that NAT gives to other hosts' flows. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter/nf_conntrack_common.h>

#include "attr.h"
#include "flow.h"
#include "out.h"
#include "snat.h"

/* Of IPv6, too, and of the namespace that this process is in. */
#define RANGE	"/proc/sys/net/ipv4/ip_local_port_range"

void snat_read_range(uint16_t range[2])
{
	FILE *file = fopen(RANGE, "re");

	if (!file || fscanf(file, "%hu %hu", &range[0], &range[1]) != 2)
		memset(range, 0, 2 * sizeof(*range));
	if (file)
		fclose(file);
}

static struct snat *find(struct snat **list, uint8_t protocol, const struct endpoint *end)
{
	struct snat *snat;

	for (snat = *list; snat; snat = snat->next)
		if (snat->protocol == protocol && snat->end.family == end->family &&
		    IN6_ARE_ADDR_EQUAL(&snat->end.addr, &end->addr))
			return snat;
	snat = calloc(1, sizeof(*snat));
	if (!snat)
		return NULL;
	snat->protocol = protocol;
	snat->end = *end;
	snat->end.port = 0;
	snat->lowest = UINT16_MAX;
	snat->next = *list;
	*list = snat;
	return snat;
}

enum exit_code snat_count(struct snat **list, const struct ledger *ledger,
			  const uint16_t range[2], json_t *flow)
{
	uint32_t status = json_integer_value(json_object_get(flow, "status"));
	uint8_t protocol = flow_protocol(flow);
	struct endpoint original[2], reply[2];
	struct snat *snat;

	if (!(status & IPS_SRC_NAT) || !protocol)
		return EXIT_OK;
	endpoint_read_tuple(original, json_object_get(flow, "original"));
	endpoint_read_tuple(reply, json_object_get(flow, "reply"));
	if (reply[1].port < range[0] || reply[1].port > range[1] ||
	    ledger_is_local(ledger, &original[0]) || !ledger_is_local(ledger, &reply[1]))
		return EXIT_OK;

	snat = find(list, protocol, &reply[1]);
	if (!snat)
		return fail(EXIT_SYSTEM, "out of memory");
	snat->flows++;
	if (reply[1].port < snat->lowest)
		snat->lowest = reply[1].port;
	if (reply[1].port > snat->highest)
		snat->highest = reply[1].port;
	return EXIT_OK;
}

struct finding *snat_finding(const struct snat *snat, const uint16_t range[2])
{
	json_t *flow = json_object();
	struct finding *f = finding_new(FINDING_SNAT_RANGE, flow);

	json_object_set_new(flow, "protocol", json_string(attr_protocol(snat->protocol)));
	json_decref(flow);
	if (!f)
		return NULL;
	endpoint_json(f->facts, &snat->end, "address", "port");
	json_object_set_new(f->facts, "flows", json_integer(snat->flows));
	json_object_set_new(f->facts, "lowest", json_integer(snat->lowest));
	json_object_set_new(f->facts, "highest", json_integer(snat->highest));
	json_object_set_new(f->facts, "range", json_pack("[i, i]", range[0], range[1]));
	finding_cause(f,
		      "NAT has given %lu flows of other hosts ports of this address from %u to %u, and local sockets get theirs out of %u to %u",
		      snat->flows, snat->lowest, snat->highest, range[0], range[1]);
	finding_remedy(f,
		       "nothing has to be done; to keep them apart give SNAT rules ports outside of net.ipv4.ip_local_port_range (--to-ports, or \"to :FIRST-LAST\")");
	return f;
}

void snat_free(struct snat *list)
{
	while (list) {
		struct snat *snat = list;

		list = snat->next;
		free(snat);
	}
}
