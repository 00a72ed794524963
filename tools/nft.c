// SPDX-License-Identifier: GPL-2.0
/* nf_tables: a table of our own that has packets traced, and what the kernel says of them. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/nf_looptrack.h>

#include "ctnl.h"
#include "nft.h"
#include "nftchain.h"
#include "nftmatch.h"
#include "out.h"

/* Tables of this and other traces: what happens in them is none of the answer. */
#define TABLE_PREFIX	"looptrack_trace_"

#define ROOM		(4 << 20)	/* for messages, in bytes */

static struct mnl_socket *sock;
static uint32_t listening;	/* the generation of rules before the last messages came */
static __u64 answer[8192];

static enum exit_code refusal(const char *command, int error)
{
	if (error == EPERM)
		return fail(EXIT_PRIVILEGE,
			    "%s: --rules needs CAP_NET_ADMIN in the user namespace that owns the network namespace",
			    command);
	if (error == EOPNOTSUPP || error == EPROTONOSUPPORT)
		return fail(EXIT_SYSTEM,
			    "%s: --rules needs nf_tables, which the kernel does not have: %s",
			    command, strerror(error));
	return fail(EXIT_REFUSED, "%s: --rules: nf_tables does not take a table: %s", command,
		    strerror(error));
}

/* The acknowledgment of a batch; an error of any of its messages ends it, too. */
static int acknowledged(uint32_t seq)
{
	for (;;) {
		ssize_t received = mnl_socket_recvfrom(sock, answer, sizeof(answer));
		const struct nlmsghdr *nlh = (const void *)answer;
		int len = received;

		if (received < 0 && errno == EINTR)
			continue;
		if (received < 0)
			return errno;
		for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
			const struct nlmsgerr *ack = mnl_nlmsg_get_payload(nlh);

			if (nlh->nlmsg_type != NLMSG_ERROR ||
			    mnl_nlmsg_get_payload_len(nlh) < sizeof(*ack))
				continue;
			if (ack->error || nlh->nlmsg_seq == seq)
				return -ack->error;
		}
	}
}

/*
 * Does conntrack watch packets of this family here? A match of ours must not make it begin
 * to. There are entries, or a rule that does NAT, which needs it.
 */
static bool is_tracked(int family)
{
	return nftchain_has_nat(family) || ctnl_has_entries(family);
}

/*
 * A match by entry has conntrack watch all families of the table: an IPv4 trace on a host
 * that tracks IPv4 alone must have a table of IPv4 alone.
 */
static struct nftmatch *build(uint8_t protocol, const struct endpoint ends[2], uint32_t *last)
{
	int family = ends[0].family ?: ends[1].family ?: opt.family;
	char table[sizeof(TABLE_PREFIX) + 10];
	bool by_entry;

	/* No two sockets of a namespace have the same number. */
	snprintf(table, sizeof(table), TABLE_PREFIX "%u", mnl_socket_get_portid(sock));
	if (family == AF_UNSPEC)
		by_entry = is_tracked(AF_INET) && is_tracked(AF_INET6);
	else
		by_entry = is_tracked(family);
	return nftmatch_build(table, family, protocol, ends, by_entry, last);
}

enum exit_code nft_open(const char *command, uint8_t protocol, const struct endpoint ends[2])
{
	int group = NFNLGRP_NFTRACE, size = ROOM, error;
	struct nftmatch *match;
	uint32_t last;

	sock = nftchain_connect();
	if (!sock)
		return refusal(command, errno);
	match = build(protocol, ends, &last);
	if (!match)
		return fail(EXIT_SYSTEM, "out of memory");
	if (mnl_socket_sendto(sock, match->data, match->len) < 0)
		error = errno;
	else
		error = acknowledged(last);
	free(match);
	if (error)
		return refusal(command, error);

	if (setsockopt(mnl_socket_get_fd(sock), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(mnl_socket_get_fd(sock), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	fcntl(mnl_socket_get_fd(sock), F_SETFL, O_NONBLOCK);
	listening = nftchain_generation();
	if (mnl_socket_setsockopt(sock, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		return refusal(command, errno);
	return EXIT_OK;
}

void nft_close(void)
{
	if (sock)
		mnl_socket_close(sock);
	sock = NULL;
	nftchain_free();
}

int nft_fd(void)
{
	return sock ? mnl_socket_get_fd(sock) : -1;
}

static void read_network(struct nft_step *step, const struct nlattr *attr)
{
	unsigned int len = mnl_attr_get_payload_len(attr);
	const uint8_t *data = mnl_attr_get_payload(attr);

	if (len >= 20 && data[0] >> 4 == 4) {
		step->length = data[2] << 8 | data[3];
		step->protocol = data[9];
		for (int i = 0; i < 2; i++) {
			step->ends[i].family = AF_INET;
			memcpy(&step->ends[i].addr, data + 12 + 4 * i, 4);
		}
		step->has_packet = true;
	} else if (len >= 40 && data[0] >> 4 == 6) {
		step->length = data[4] << 8 | data[5];
		/* A jumbogram does not say how long it is. */
		step->length += step->length ? 40 : 0;
		step->protocol = data[6];
		for (int i = 0; i < 2; i++) {
			step->ends[i].family = AF_INET6;
			memcpy(&step->ends[i].addr, data + 8 + 16 * i, 16);
		}
		step->has_packet = true;
	}
}

/* Behind read_network(): the kernel puts headers in their order. */
static void read_ports(struct nft_step *step, const struct nlattr *attr)
{
	bool is_icmp = step->protocol == IPPROTO_ICMP || step->protocol == IPPROTO_ICMPV6;
	const uint8_t *data = mnl_attr_get_payload(attr);

	if (mnl_attr_get_payload_len(attr) < (is_icmp ? 6 : 4))
		return;
	/* As conntrack has it: the id, and type and code. */
	step->ends[0].port = is_icmp ? data[4] << 8 | data[5] : data[0] << 8 | data[1];
	step->ends[1].port = is_icmp ? data[0] << 8 | data[1] : data[2] << 8 | data[3];
}

static void read_verdict(struct nft_step *step, const struct nlattr *nest)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) == NFTA_VERDICT_CODE)
			step->verdict = ntohl(mnl_attr_get_u32(attr));
		if (mnl_attr_get_type(attr) == NFTA_VERDICT_CHAIN)
			snprintf(step->target, sizeof(step->target), "%s",
				 mnl_attr_get_str(attr));
	}
}

static void read_attr(struct nft_step *step, const struct nlattr *attr)
{
	switch (mnl_attr_get_type(attr)) {
	case NFTA_TRACE_TABLE:
		snprintf(step->table, sizeof(step->table), "%s", mnl_attr_get_str(attr));
		break;
	case NFTA_TRACE_CHAIN:
		snprintf(step->chain, sizeof(step->chain), "%s", mnl_attr_get_str(attr));
		break;
	case NFTA_TRACE_RULE_HANDLE:
		step->handle = be64toh(mnl_attr_get_u64(attr));
		break;
	case NFTA_TRACE_TYPE:
		step->is_policy = ntohl(mnl_attr_get_u32(attr)) == NFT_TRACETYPE_POLICY;
		break;
	case NFTA_TRACE_ID:
		step->id = mnl_attr_get_u32(attr);
		break;
	case NFTA_TRACE_VERDICT:
		read_verdict(step, attr);
		break;
	case NFTA_TRACE_POLICY:
		step->verdict = ntohl(mnl_attr_get_u32(attr));
		break;
	case NFTA_TRACE_NETWORK_HEADER:
		read_network(step, attr);
		break;
	case NFTA_TRACE_TRANSPORT_HEADER:
		read_ports(step, attr);
		break;
	default:
		break;
	}
}

/* A datagram is one message. */
static bool read_step(struct nft_step *step, size_t received)
{
	const struct nlmsghdr *nlh = (const void *)answer;
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;

	if (!mnl_nlmsg_ok(nlh, received) ||
	    nlh->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_TRACE) ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(*nfg))
		return false;
	memset(step, 0, sizeof(*step));
	step->verdict = NFT_CONTINUE;
	step->family = nfg->nfgen_family;
	mnl_attr_for_each(attr, nlh, sizeof(*nfg))
		read_attr(step, attr);
	return nft_family(step->family) &&
	       strncmp(step->table, TABLE_PREFIX, strlen(TABLE_PREFIX));
}

/*
 * A handle is that of another rule once the rules were replaced, and a message does not say
 * which generation of them it is about. So that is asked before messages are taken, and
 * behind them. All of these came after the question before those that were taken the last
 * time: if the answer was the same then, there was no other generation meanwhile.
 *
 *	CPU 0 (the tool)		CPU 1
 *	generation 7, then take
 *	messages: none
 *					a packet meets rule 4
 *					rules are replaced: generation 8
 *	generation 8, take messages:
 *	rule 4; generation 8
 *
 * Both questions of this turn say 8, and rule 4 is one of 7: the question of the turn
 * before tells that it may be.
 */
uint32_t nft_begin(void)
{
	uint32_t before = listening;

	listening = nftchain_generation();
	return before;
}

uint32_t nft_end(uint32_t before)
{
	return before && before == nftchain_generation() ? before : 0;
}

int nft_next(struct nft_step *step)
{
	ssize_t received;

	while (sock) {
		received = mnl_socket_recvfrom(sock, answer, sizeof(answer));
		if (received < 0 && errno == EINTR)
			continue;
		if (received < 0)
			return errno == ENOBUFS ? -1 : 0;
		if (read_step(step, received))
			return 1;
	}
	return 0;
}

const char *nft_family(uint8_t family)
{
	switch (family) {
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	case NFPROTO_INET:
		return "inet";
	default:
		return NULL;
	}
}

const char *nft_verdict(int32_t verdict)
{
	switch (verdict) {
	case NFT_CONTINUE:
		return "continue";
	case NFT_BREAK:
		return "break";
	case NFT_JUMP:
		return "jump";
	case NFT_GOTO:
		return "goto";
	case NFT_RETURN:
		return "return";
	}
	switch (verdict & NF_VERDICT_MASK) {
	case NF_DROP:
		return "drop";
	case NF_ACCEPT:
		return "accept";
	case NF_STOLEN:
		return "stolen";
	case NF_QUEUE:
		return "queue";
	default:
		return "unknown";
	}
}
