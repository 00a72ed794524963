// SPDX-License-Identifier: GPL-2.0
/* nf_tables: a table of our own that has packets traced, and what the kernel says of them. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/nf_looptrack.h>

#include "nft.h"
#include "nftmatch.h"
#include "out.h"

/* Tables of this and other traces: what happens in them is none of the answer. */
#define TABLE_PREFIX	"looptrack_trace_"

#define ROOM		(4 << 20)	/* for messages, in bytes */

static struct mnl_socket *sock;
static struct nft_chain *chains;
static unsigned int chain_count;
static __u64 answer[8192];

static enum exit_code refusal(int error)
{
	if (error == EPERM)
		return fail(EXIT_PRIVILEGE,
			    "trace: --rules needs CAP_NET_ADMIN in the user namespace that owns the network namespace");
	if (error == EOPNOTSUPP || error == EPROTONOSUPPORT)
		return fail(EXIT_SYSTEM,
			    "trace: --rules needs nf_tables, which the kernel does not have: %s",
			    strerror(error));
	return fail(EXIT_REFUSED, "trace: --rules: nf_tables does not take a table: %s",
		    strerror(error));
}

static struct mnl_socket *connect_nft(void)
{
	struct mnl_socket *new = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);

	if (new && mnl_socket_bind(new, 0, MNL_SOCKET_AUTOPID) < 0) {
		mnl_socket_close(new);
		new = NULL;
	}
	return new;
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

static struct nft_chain *find_chain(uint8_t family, const char *table, const char *name)
{
	struct nft_chain *chain = chains;

	while (chain && (chain->family != family || strcmp(chain->table, table) ||
			 strcmp(chain->name, name)))
		chain = chain->next;
	return chain;
}

/* One that is known keeps its number. */
static bool keep_chain(const struct nft_chain *listed)
{
	struct nft_chain *chain = find_chain(listed->family, listed->table, listed->name);
	struct nft_chain *next = chain ? chain->next : chains;
	unsigned int number = chain ? chain->number : chain_count++;

	if (!chain) {
		chain = malloc(sizeof(*chain));
		if (!chain)
			return false;
		chains = chain;
	}
	*chain = *listed;
	chain->number = number;
	chain->next = next;
	return true;
}

/* Note a base chain that is listed. */
static int take_chain(const struct nlmsghdr *nlh, void *arg)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
	struct nft_chain listed = { .family = nfg->nfgen_family }, *chain = &listed;
	const struct nlattr *attr, *hook = NULL;
	const char *type = "";

	(void)arg;
	mnl_attr_for_each(attr, nlh, sizeof(*nfg)) {
		if (mnl_attr_get_type(attr) == NFTA_CHAIN_TABLE)
			snprintf(chain->table, sizeof(chain->table), "%s", mnl_attr_get_str(attr));
		if (mnl_attr_get_type(attr) == NFTA_CHAIN_NAME)
			snprintf(chain->name, sizeof(chain->name), "%s", mnl_attr_get_str(attr));
		if (mnl_attr_get_type(attr) == NFTA_CHAIN_TYPE)
			type = mnl_attr_get_str(attr);
		if (mnl_attr_get_type(attr) == NFTA_CHAIN_USE)
			chain->rules = ntohl(mnl_attr_get_u32(attr));
		if (mnl_attr_get_type(attr) == NFTA_CHAIN_HOOK)
			hook = attr;
	}
	if (!hook || !nft_family(chain->family))
		return MNL_CB_OK;
	mnl_attr_for_each_nested(attr, hook) {
		if (mnl_attr_get_type(attr) == NFTA_HOOK_HOOKNUM)
			chain->hook = ntohl(mnl_attr_get_u32(attr));
		if (mnl_attr_get_type(attr) == NFTA_HOOK_PRIORITY)
			chain->priority = ntohl(mnl_attr_get_u32(attr));
	}
	chain->is_nat = !strcmp(type, "nat");
	/* NAT has one place in a hook; its chains have their order there. */
	if (chain->is_nat)
		chain->priority = chain->hook == NF_INET_PRE_ROUTING ||
				  chain->hook == NF_INET_LOCAL_OUT ? -100 : 100;
	return keep_chain(chain) ? MNL_CB_OK : MNL_CB_ERROR;
}

static void drop_chains(void)
{
	while (chains) {
		struct nft_chain *next = chains->next;

		free(chains);
		chains = next;
	}
	chain_count = 0;
}

static void list_chains(void)
{
	char request[MNL_NLMSG_HDRLEN + sizeof(struct nfgenmsg)] = "";
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(request);
	struct mnl_socket *lister = connect_nft();
	struct nfgenmsg *nfg;
	ssize_t received;

	if (!lister)
		return;
	nlh->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = 1;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = NFPROTO_UNSPEC;
	if (mnl_socket_sendto(lister, nlh, nlh->nlmsg_len) >= 0) {
		do
			received = mnl_socket_recvfrom(lister, answer, sizeof(answer));
		while (received > 0 &&
		       mnl_cb_run(answer, received, 1, mnl_socket_get_portid(lister), take_chain,
				  NULL) > MNL_CB_STOP);
	}
	mnl_socket_close(lister);
}

const struct nft_chain *nft_find_chain(const struct nft_step *step)
{
	const struct nft_chain *chain = find_chain(step->family, step->table, step->chain);
	static struct timespec listed;
	struct timespec now;

	if (chain)
		return chain;
	/* It has come since; or gone, and to list all costs something. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	if ((now.tv_sec - listed.tv_sec) * 10 + (now.tv_nsec - listed.tv_nsec) / 100000000 < 2)
		return NULL;
	listed = now;
	list_chains();
	return find_chain(step->family, step->table, step->chain);
}

/*
 * Does conntrack watch this namespace? A match of ours must not make it begin to. There are
 * entries, or a rule that does NAT, which needs it.
 */
static bool has_conntrack(void)
{
	FILE *file = fopen("/proc/sys/net/netfilter/nf_conntrack_count", "re");
	unsigned long count = 0;

	if (file && fscanf(file, "%lu", &count) != 1)
		count = 0;
	if (file)
		fclose(file);
	for (const struct nft_chain *chain = chains; chain; chain = chain->next)
		if (chain->is_nat && chain->rules)
			return true;
	return count;
}

enum exit_code nft_open(uint8_t protocol, const struct endpoint ends[2])
{
	int group = NFNLGRP_NFTRACE, size = ROOM, error;
	char table[sizeof(TABLE_PREFIX) + 10];
	struct nftmatch *match;
	uint32_t last;

	sock = connect_nft();
	if (!sock)
		return refusal(errno);
	list_chains();
	/* No two sockets of a namespace have the same number. */
	snprintf(table, sizeof(table), TABLE_PREFIX "%u", mnl_socket_get_portid(sock));
	match = nftmatch_build(table, protocol, ends, has_conntrack(), &last);
	if (!match)
		return fail(EXIT_SYSTEM, "out of memory");
	if (mnl_socket_sendto(sock, match->data, match->len) < 0)
		error = errno;
	else
		error = acknowledged(last);
	free(match);
	if (error)
		return refusal(error);

	if (setsockopt(mnl_socket_get_fd(sock), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(mnl_socket_get_fd(sock), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	fcntl(mnl_socket_get_fd(sock), F_SETFL, O_NONBLOCK);
	if (mnl_socket_setsockopt(sock, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		return refusal(errno);
	return EXIT_OK;
}

void nft_close(void)
{
	if (sock)
		mnl_socket_close(sock);
	sock = NULL;
	drop_chains();
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

static void read_ports(struct nft_step *step, const struct nlattr *attr)
{
	const uint8_t *data = mnl_attr_get_payload(attr);

	if (mnl_attr_get_payload_len(attr) < 4)
		return;
	step->ends[0].port = data[0] << 8 | data[1];
	step->ends[1].port = data[2] << 8 | data[3];
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
