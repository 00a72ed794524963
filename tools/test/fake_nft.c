// SPDX-License-Identifier: GPL-2.0
/* nf_tables of the kernel of fake.c: two base chains, and what they say of its packet. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "fake.h"

/* Questions for the generation, before rules are met, and before they are listed. */
#define REPLACED	3
#define RELISTED	5

static struct nlmsghdr *begin_nft(unsigned int seq, int type)
{
	struct nlmsghdr *nlh = begin(NFNL_SUBSYS_NFTABLES << 8 | type, seq);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));

	nfg->nfgen_family = NFPROTO_INET;
	return nlh;
}

static void put_chain(const struct nlmsghdr *request, const char *name, int hook, int priority)
{
	struct nlmsghdr *nlh = begin_nft(request->nlmsg_seq, NFT_MSG_NEWCHAIN);
	struct nlattr *nest;

	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, "fw");
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, name);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TYPE, "filter");
	nest = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(nlh, NFTA_HOOK_HOOKNUM, htonl(hook));
	mnl_attr_put_u32(nlh, NFTA_HOOK_PRIORITY, htonl(priority));
	mnl_attr_nest_end(nlh, nest);
	end(nlh);
}

/* What the table is called, and how many rules are in it, for the test to see. */
static void put_batch(const struct nlmsghdr *request, size_t len)
{
	int left = len, rules = 0, error = is("untabled") ? EOPNOTSUPP : is("barred") ? EPERM : 0;
	const struct nlmsghdr *nlh;
	int family = -1;

	for (nlh = request; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		if (nlh->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE))
			family = *(const uint8_t *)mnl_nlmsg_get_payload(nlh);
		rules += (nlh->nlmsg_type & 255) == NFT_MSG_NEWRULE &&
			 nlh->nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES;
		if (nlh->nlmsg_flags & NLM_F_ACK)
			put_ack(nlh, error, NULL, 0, 0);
	}
	fprintf(stderr, "table of family %d with %d rules\n", family, rules);
}

/* Rules are "replaced" as soon as they were met, and "relisted" while nft lists them. */
static void put_generation(const struct nlmsghdr *request)
{
	struct nlmsghdr *nlh = begin_nft(request->nlmsg_seq, NFT_MSG_NEWGEN);
	static int asked;

	asked++;
	mnl_attr_put_u32(nlh, NFTA_GEN_ID, htonl(1 + (is("replaced") && asked > REPLACED) +
						 (is("relisted") && asked > RELISTED)));
	end(nlh);
	put_ack(request, 0, NULL, 0, 0);
}

/* Has conntrack entries? Of both families, or of one. */
static void put_entries(const struct nlmsghdr *request)
{
	const struct nfgenmsg *asked = mnl_nlmsg_get_payload(request);
	int family = asked->nfgen_family;
	struct nlmsghdr *nlh;
	struct nfgenmsg *nfg;

	if (is("tracked") || (is("watching4") && family == AF_INET)) {
		nlh = begin(NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW, request->nlmsg_seq);
		nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
		nfg->nfgen_family = family;
		end(nlh);
	}
	end(begin(NLMSG_DONE, request->nlmsg_seq));
}

bool put_nft(const struct nlmsghdr *request, size_t len)
{
	if (request->nlmsg_type == (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET) &&
	    (request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP) {
		put_entries(request);
		return true;
	}
	if (request->nlmsg_type == NFNL_MSG_BATCH_BEGIN) {
		put_batch(request, len);
		return true;
	}
	if (request->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN)) {
		put_generation(request);
		return true;
	}
	if (request->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN))
		return false;
	put_chain(request, "out", NF_INET_LOCAL_OUT, -290);
	put_chain(request, "pre", NF_INET_PRE_ROUTING, -310);
	end(begin(NLMSG_DONE, request->nlmsg_seq));
	return true;
}

static struct nlmsghdr *begin_trace(const char *table, const char *chain, int type, int handle)
{
	struct nlmsghdr *nlh = begin_nft(0, NFT_MSG_TRACE);

	mnl_attr_put_strz(nlh, NFTA_TRACE_TABLE, table);
	mnl_attr_put_strz(nlh, NFTA_TRACE_CHAIN, chain);
	mnl_attr_put_u32(nlh, NFTA_TRACE_TYPE, htonl(type));
	mnl_attr_put_u32(nlh, NFTA_TRACE_ID, 5);
	if (handle)
		mnl_attr_put_u64(nlh, NFTA_TRACE_RULE_HANDLE, htobe64(handle));
	return nlh;
}

static void put_verdict(struct nlmsghdr *nlh, int verdict, const char *target)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_TRACE_VERDICT);

	mnl_attr_put_u32(nlh, NFTA_VERDICT_CODE, htonl(verdict));
	if (target)
		mnl_attr_put_strz(nlh, NFTA_VERDICT_CHAIN, target);
	mnl_attr_nest_end(nlh, nest);
}

/* The packet of fake.c, 60 bytes long, before NAT or behind it; or another one. */
static void put_packet(struct nlmsghdr *nlh, const char *dst, int dport)
{
	uint8_t network[20] = { 0x45, 0, 0, 60, [9] = IPPROTO_TCP };
	uint8_t transport[20] = { 1024 >> 8, 1024 & 255, dport >> 8, dport & 255 };

	inet_pton(AF_INET, "10.1.0.2", network + 12);
	inet_pton(AF_INET, dst, network + 16);
	mnl_attr_put(nlh, NFTA_TRACE_NETWORK_HEADER, sizeof(network), network);
	mnl_attr_put(nlh, NFTA_TRACE_TRANSPORT_HEADER, sizeof(transport), transport);
}

/* One datagram is one message. False if there is none. */
bool put_nft_trace(void)
{
	static int step;
	struct nlmsghdr *nlh;

	switch (step++) {
	case 0:			/* of another trace */
		nlh = begin_trace("looptrack_trace_99", "output", NFT_TRACETYPE_RULE, 3);
		put_packet(nlh, "10.9.0.1", 80);
		put_verdict(nlh, NFT_CONTINUE, NULL);
		break;
	case 1:
		nlh = begin_trace("fw", "out", NFT_TRACETYPE_RULE, 4);
		put_packet(nlh, "10.9.0.1", 80);
		put_verdict(nlh, NFT_CONTINUE, NULL);
		break;
	case 2:
		nlh = begin_trace("fw", "out", NFT_TRACETYPE_POLICY, 0);
		mnl_attr_put_u32(nlh, NFTA_TRACE_POLICY, htonl(NF_ACCEPT));
		break;
	case 3:			/* with "cut" what tells the packet is lost */
		if (is("cut")) {
			errno = ENOBUFS;
			return false;
		}
		nlh = begin_trace("fw", "pre", NFT_TRACETYPE_RULE, 6);
		put_packet(nlh, "127.0.0.1", 7000);
		put_verdict(nlh, NFT_JUMP, "a\033b");
		break;
	case 4:
		nlh = begin_trace("fw", "pre", is("policed") ? NFT_TRACETYPE_POLICY :
							       NFT_TRACETYPE_RULE,
				  is("policed") ? 0 : 14);
		if (is("policed"))
			mnl_attr_put_u32(nlh, NFTA_TRACE_POLICY, htonl(NF_DROP));
		else
			put_verdict(nlh, NF_DROP, NULL);
		break;
	case 5:
		errno = is("drowned") ? ENOBUFS : EAGAIN;
		return false;
	default:
		errno = EAGAIN;
		return false;
	}
	end(nlh);
	return true;
}
