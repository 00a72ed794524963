// SPDX-License-Identifier: GPL-2.0
/*
 * A table of nf_tables whose rules match the packets of a flow and have them traced. Its
 * chains are in the hooks where packets come from:
 *
 *	before raw		by their own addresses and ports
 *	behind conntrack	by those of their entry, which they have on the other side of NAT
 *	behind dstnat		by both, which NAT may just have changed
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "nftmatch.h"

/* More than 24 rules of 12 expressions need. */
#define SIZE	65536

/**
 * struct batch - a batch that is being built
 * @tail: its end
 * @last: the last message
 * @seq: number of the last message
 * @table: name of the table
 * @family: of the table
 * @protocol: of the flow
 * @ends: of the flow
 */
struct batch {
	char *tail;
	struct nlmsghdr *last;
	uint32_t seq;
	const char *table;
	int family;
	uint8_t protocol;
	const struct endpoint *ends;
};

static bool is_icmp(uint8_t protocol)
{
	return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

bool nftmatch_has_ports(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		return true;
	default:
		return false;
	}
}

static struct nlmsghdr *begin(struct batch *b, int type, int flags, int family, int resource)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(b->tail);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++b->seq;
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(resource);
	b->last = nlh;
	return nlh;
}

static struct nlmsghdr *begin_nft(struct batch *b, int type, int flags)
{
	return begin(b, NFNL_SUBSYS_NFTABLES << 8 | type, NLM_F_CREATE | flags, b->family, 0);
}

static void end(struct batch *b, const struct nlmsghdr *nlh)
{
	b->tail = (char *)nlh + MNL_ALIGN(nlh->nlmsg_len);
}

static void put_u32(struct nlmsghdr *nlh, int type, uint32_t value)
{
	mnl_attr_put_u32(nlh, type, htonl(value));
}

/* What an expression has besides its name goes between these two. */
static struct nlattr *expr_begin(struct nlmsghdr *nlh, const char *name, struct nlattr **elem)
{
	*elem = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, name);
	return mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
}

static void expr_end(struct nlmsghdr *nlh, struct nlattr *data, struct nlattr *elem)
{
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, elem);
}

static void put_value(struct nlmsghdr *nlh, int type, const void *value, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put(nlh, NFTA_DATA_VALUE, len, value);
	mnl_attr_nest_end(nlh, nest);
}

/* What was loaded is equal to a value. */
static void put_equal(struct nlmsghdr *nlh, const void *value, size_t len)
{
	struct nlattr *elem, *data = expr_begin(nlh, "cmp", &elem);

	put_u32(nlh, NFTA_CMP_SREG, NFT_REG_1);
	put_u32(nlh, NFTA_CMP_OP, NFT_CMP_EQ);
	put_value(nlh, NFTA_CMP_DATA, value, len);
	expr_end(nlh, data, elem);
}

static void put_meta(struct nlmsghdr *nlh, int key, uint8_t value)
{
	struct nlattr *elem, *data = expr_begin(nlh, "meta", &elem);

	put_u32(nlh, NFTA_META_DREG, NFT_REG_1);
	put_u32(nlh, NFTA_META_KEY, key);
	expr_end(nlh, data, elem);
	put_equal(nlh, &value, sizeof(value));
}

static void put_payload(struct nlmsghdr *nlh, int base, int offset, const void *value, size_t len)
{
	struct nlattr *elem, *data = expr_begin(nlh, "payload", &elem);

	put_u32(nlh, NFTA_PAYLOAD_DREG, NFT_REG_1);
	put_u32(nlh, NFTA_PAYLOAD_BASE, base);
	put_u32(nlh, NFTA_PAYLOAD_OFFSET, offset);
	put_u32(nlh, NFTA_PAYLOAD_LEN, len);
	expr_end(nlh, data, elem);
	put_equal(nlh, value, len);
}

static void put_ct(struct nlmsghdr *nlh, int dir, int key, const void *value, size_t len)
{
	struct nlattr *elem, *data = expr_begin(nlh, "ct", &elem);

	put_u32(nlh, NFTA_CT_DREG, NFT_REG_1);
	put_u32(nlh, NFTA_CT_KEY, key);
	mnl_attr_put_u8(nlh, NFTA_CT_DIRECTION, dir);
	expr_end(nlh, data, elem);
	put_equal(nlh, value, len);
}

static void put_trace(struct nlmsghdr *nlh)
{
	struct nlattr *elem, *data = expr_begin(nlh, "immediate", &elem);
	const uint8_t on = 1;

	put_u32(nlh, NFTA_IMMEDIATE_DREG, NFT_REG_1);
	put_value(nlh, NFTA_IMMEDIATE_DATA, &on, sizeof(on));
	expr_end(nlh, data, elem);
	data = expr_begin(nlh, "meta", &elem);
	put_u32(nlh, NFTA_META_KEY, NFT_META_NFTRACE);
	put_u32(nlh, NFTA_META_SREG, NFT_REG_1);
	expr_end(nlh, data, elem);
}

/* ICMP has an id for conntrack's source port, behind the checksum, and for the other one type
 * and code, with which it begins.
 */
static void put_header_end(struct nlmsghdr *nlh, const struct endpoint *end, bool dst,
			   uint8_t protocol)
{
	int offset = is_icmp(protocol) ? (dst ? 0 : 4) : (dst ? 2 : 0);
	uint16_t port = htons(end->port);

	if (end->family == AF_INET)
		put_payload(nlh, NFT_PAYLOAD_NETWORK_HEADER, dst ? 16 : 12, &end->addr, 4);
	if (end->family == AF_INET6)
		put_payload(nlh, NFT_PAYLOAD_NETWORK_HEADER, dst ? 24 : 8, &end->addr, 16);
	if (end->port && nftmatch_has_ports(protocol))
		put_payload(nlh, NFT_PAYLOAD_TRANSPORT_HEADER, offset, &port, 2);
}

static void put_entry_end(struct nlmsghdr *nlh, const struct endpoint *end, bool dst, bool ports,
			  int dir)
{
	uint16_t port = htons(end->port);

	if (end->family == AF_INET)
		put_ct(nlh, dir, dst ? NFT_CT_DST_IP : NFT_CT_SRC_IP, &end->addr, 4);
	if (end->family == AF_INET6)
		put_ct(nlh, dir, dst ? NFT_CT_DST_IP6 : NFT_CT_SRC_IP6, &end->addr, 16);
	if (end->port && ports)
		put_ct(nlh, dir, dst ? NFT_CT_PROTO_DST : NFT_CT_PROTO_SRC, &port, 2);
}

/* @dir: by this tuple of the packet's entry; -1: by its header */
static void add_rule(struct batch *b, const char *chain, bool swap, int dir)
{
	const struct endpoint *from = &b->ends[swap], *to = &b->ends[!swap];
	bool ports = nftmatch_has_ports(b->protocol);
	struct nlmsghdr *nlh = begin_nft(b, NFT_MSG_NEWRULE, NLM_F_APPEND);
	struct nlattr *list;

	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, b->table);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, chain);
	list = mnl_attr_nest_start(nlh, NFTA_RULE_EXPRESSIONS);
	put_meta(nlh, NFT_META_L4PROTO, b->protocol);
	if (dir < 0) {
		put_header_end(nlh, from, false, b->protocol);
		put_header_end(nlh, to, true, b->protocol);
	} else {
		put_entry_end(nlh, from, false, ports, dir);
		put_entry_end(nlh, to, true, ports, dir);
	}
	put_trace(nlh);
	mnl_attr_nest_end(nlh, list);
	end(b, nlh);
}

static void add_chain(struct batch *b, const char *chain, int hook, int priority)
{
	struct nlmsghdr *nlh = begin_nft(b, NFT_MSG_NEWCHAIN, 0);
	struct nlattr *nest;

	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, b->table);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, chain);
	nest = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);
	put_u32(nlh, NFTA_HOOK_HOOKNUM, hook);
	put_u32(nlh, NFTA_HOOK_PRIORITY, priority);
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TYPE, "filter");
	end(b, nlh);
}

static void add_table(struct batch *b)
{
	struct nlmsghdr *nlh = begin_nft(b, NFT_MSG_NEWTABLE, NLM_F_EXCL);

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, b->table);
	put_u32(nlh, NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER);
	end(b, nlh);
}

static bool is_any(const struct endpoint *end)
{
	return end->family == AF_UNSPEC && !end->port;
}

struct nftmatch *nftmatch_build(const char *table, int family, uint8_t protocol,
				const struct endpoint ends[2], bool by_entry, uint32_t *last)
{
	/* Behind that of defragmentation, which is at -400: fragments have no ports. */
	static const struct {
		const char *name;
		int hook;
		int priority;
		bool by_header;
		bool by_entry;
	} chains[] = {
		{ "prerouting", NF_INET_PRE_ROUTING, -399, true, false },
		{ "output", NF_INET_LOCAL_OUT, -399, true, false },
		{ "prerouting_entry", NF_INET_PRE_ROUTING, -199, false, true },
		{ "output_entry", NF_INET_LOCAL_OUT, -199, false, true },
		{ "prerouting_nat", NF_INET_PRE_ROUTING, -99, true, true },
		{ "output_nat", NF_INET_LOCAL_OUT, -99, true, true },
	};
	bool all = is_any(&ends[0]) && is_any(&ends[1]);
	struct nftmatch *match = calloc(1, sizeof(*match) + SIZE);
	struct batch b = {
		.table = table,
		.family = family == AF_INET ? NFPROTO_IPV4 :
			  family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_INET,
		.protocol = protocol,
		.ends = ends,
	};

	if (!match)
		return NULL;
	b.tail = match->data;
	end(&b, begin(&b, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
	add_table(&b);
	for (size_t i = 0; i < ARRAY_SIZE(chains); i++) {
		/* The first two match all there is. */
		if (i >= 2 && (all || (!by_entry && !chains[i].by_header)))
			continue;
		add_chain(&b, chains[i].name, chains[i].hook, chains[i].priority);
		for (int swap = 0; swap < (all ? 1 : 2); swap++) {
			if (chains[i].by_header)
				add_rule(&b, chains[i].name, swap, -1);
			for (int dir = 0; chains[i].by_entry && by_entry && dir < IP_CT_DIR_MAX;
			     dir++)
				add_rule(&b, chains[i].name, swap, dir);
		}
	}
	/* The kernel acknowledges no end of a batch. */
	b.last->nlmsg_flags |= NLM_F_ACK;
	*last = b.seq;
	end(&b, begin(&b, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
	match->len = b.tail - match->data;
	return match;
}
