// SPDX-License-Identifier: GPL-2.0
/* Conntrack's own netlink: what the module leaves to it. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "ctnl.h"
#include "out.h"

#define BUFFER	64	/* longs: more than a request has */

static void put_tuple(struct nlmsghdr *nlh, int type, uint8_t protocol,
		      const struct endpoint *src, const struct endpoint *dst)
{
	bool six = src->family == AF_INET6;
	size_t len = six ? sizeof(struct in6_addr) : sizeof(struct in_addr);
	struct nlattr *tuple = mnl_attr_nest_start(nlh, type);
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);

	mnl_attr_put(nlh, six ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, len, &src->addr);
	mnl_attr_put(nlh, six ? CTA_IP_V6_DST : CTA_IP_V4_DST, len, &dst->addr);
	mnl_attr_nest_end(nlh, nest);
	nest = mnl_attr_nest_start(nlh, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(nlh, CTA_PROTO_NUM, protocol);
	mnl_attr_put_u16(nlh, CTA_PROTO_SRC_PORT, htons(src->port));
	mnl_attr_put_u16(nlh, CTA_PROTO_DST_PORT, htons(dst->port));
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_nest_end(nlh, tuple);
}

/* A request about the entry that has @src and @dst in its original direction. */
static struct nlmsghdr *ctnl_request(__u64 buffer[BUFFER], uint8_t message,
				     const struct question *flow, const struct endpoint *src,
				     const struct endpoint *dst)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));

	nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | message;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nfg->nfgen_family = src->family;
	nfg->version = NFNETLINK_V0;
	put_tuple(nlh, CTA_TUPLE_ORIG, flow->protocol, src, dst);
	mnl_attr_put_u16(nlh, CTA_ZONE, htons(flow->zone));
	return nlh;
}

/**
 * struct wanted - attributes that are looked for, on their way down
 * @type: of the one to be found
 * @min: how long it is at least
 * @attr: that one, or NULL
 */
struct wanted {
	uint16_t type;
	size_t min;
	const struct nlattr *attr;
};

static int find(const struct nlattr *attr, void *data)
{
	struct wanted *wanted = data;

	if (mnl_attr_get_type(attr) == wanted->type &&
	    mnl_attr_get_payload_len(attr) >= wanted->min)
		wanted->attr = attr;
	return MNL_CB_OK;
}

static const struct nlattr *find_nested(const struct nlattr *nest, uint16_t type, size_t min)
{
	struct wanted wanted = { .type = type, .min = min };

	if (nest)
		mnl_attr_parse_nested(nest, find, &wanted);
	return wanted.attr;
}

static const struct nlattr *find_attr(const struct nlmsghdr *nlh, uint16_t type, size_t min)
{
	struct wanted wanted = { .type = type, .min = min };

	mnl_attr_parse(nlh, sizeof(struct nfgenmsg), find, &wanted);
	return wanted.attr;
}

/* Conntrack can't know the windows of what it did not see begin, and lets all pass. */
static bool is_liberal(const struct nlattr *tcp, uint16_t type)
{
	const struct nlattr *attr = find_nested(tcp, type, sizeof(struct nf_ct_tcp_flags));
	const struct nf_ct_tcp_flags *flags;

	if (!attr)
		return false;
	flags = mnl_attr_get_payload(attr);
	return flags->flags & IP_CT_TCP_FLAG_BE_LIBERAL;
}

static uint32_t read_u32(const struct nlmsghdr *nlh, uint16_t type)
{
	const struct nlattr *attr = find_attr(nlh, type, sizeof(uint32_t));

	return attr ? mnl_attr_get_u32(attr) : 0;
}

static void read_entry(struct ctnl_entry *entry, const struct nlmsghdr *nlh)
{
	const struct nlattr *tcp = find_nested(find_attr(nlh, CTA_PROTOINFO, 0),
					       CTA_PROTOINFO_TCP, 0);

	entry->found = true;
	entry->id = read_u32(nlh, CTA_ID);
	entry->timeout = read_u32(nlh, CTA_TIMEOUT);
	entry->mark = read_u32(nlh, CTA_MARK);
	entry->pickup = is_liberal(tcp, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL) &&
			is_liberal(tcp, CTA_PROTOINFO_TCP_FLAGS_REPLY);
}

static enum exit_code refusal(int error)
{
	switch (error) {
	case EPERM:
		return fail(EXIT_PRIVILEGE,
			    "not permitted: to ask conntrack needs CAP_NET_ADMIN in the user namespace that owns the network namespace");
	case EINVAL:
	case EOPNOTSUPP:
		return fail(EXIT_SYSTEM,
			    "conntrack does not answer: %s; load what does with \"modprobe nf_conntrack_netlink\"",
			    strerror(error));
	default:
		return fail(EXIT_REFUSED, "conntrack refused: %s", strerror(error));
	}
}

/* Send a request and wait for its end. That the entry is not there is no failure, nor that
 * another one has its place: it is not found then.
 */
static enum exit_code ctnl_talk(struct ctnl *ctnl, struct nlmsghdr *request,
				struct ctnl_entry *entry)
{
	const struct nlmsghdr *nlh;
	const int *error;
	int len;

	request->nlmsg_seq = ++ctnl->seq;
	if (mnl_socket_sendto(ctnl->sock, request, request->nlmsg_len) < 0)
		return fail(EXIT_SYSTEM, "cannot ask conntrack: %s", strerror(errno));
	for (;;) {
		ssize_t received = mnl_socket_recvfrom(ctnl->sock, ctnl->answer,
						       sizeof(ctnl->answer));

		if (received < 0 && errno == EINTR)
			continue;
		if (received < 0)
			return fail(EXIT_SYSTEM, "conntrack does not answer: %s", strerror(errno));
		len = received;
		for (nlh = (const void *)ctnl->answer; mnl_nlmsg_ok(nlh, len);
		     nlh = mnl_nlmsg_next(nlh, &len)) {
			if (nlh->nlmsg_seq != ctnl->seq)
				continue;
			if (nlh->nlmsg_type != NLMSG_ERROR) {
				read_entry(entry, nlh);
				continue;
			}
			error = mnl_nlmsg_get_payload(nlh);
			if (!*error)
				return EXIT_OK;
			entry->found = false;
			if (*error == -ENOENT || *error == -EEXIST)
				return EXIT_OK;
			return refusal(-*error);
		}
	}
}

enum exit_code ctnl_get(struct ctnl *ctnl, const struct question *flow,
			struct ctnl_entry *entry)
{
	__u64 buffer[BUFFER] = {};

	*entry = (struct ctnl_entry) { };
	return ctnl_talk(ctnl, ctnl_request(buffer, IPCTNL_MSG_CT_GET, flow, &flow->ends[0],
					    &flow->ends[1]), entry);
}

enum exit_code ctnl_delete(struct ctnl *ctnl, const struct question *flow,
			   struct ctnl_entry *entry)
{
	__u64 buffer[BUFFER] = {};
	struct nlmsghdr *nlh = ctnl_request(buffer, IPCTNL_MSG_CT_DELETE, flow, &flow->ends[0],
					    &flow->ends[1]);

	mnl_attr_put_u32(nlh, CTA_ID, entry->id);
	return ctnl_talk(ctnl, nlh, entry);
}

static void put_liberal(struct nlmsghdr *nlh, int type)
{
	const struct nf_ct_tcp_flags flags = {
		.flags = IP_CT_TCP_FLAG_SACK_PERM | IP_CT_TCP_FLAG_BE_LIBERAL,
		.mask = IP_CT_TCP_FLAG_SACK_PERM | IP_CT_TCP_FLAG_BE_LIBERAL,
	};

	mnl_attr_put(nlh, type, sizeof(flags), &flags);
}

enum exit_code ctnl_turn(struct ctnl *ctnl, const struct question *flow,
			 struct ctnl_entry *entry)
{
	const uint32_t status = IPS_CONFIRMED | IPS_SEEN_REPLY | IPS_ASSURED;
	__u64 buffer[BUFFER] = {};
	struct nlattr *info, *tcp;
	enum exit_code code;
	struct nlmsghdr *nlh;

	code = ctnl_delete(ctnl, flow, entry);
	if (code || !entry->found)
		return code;
	nlh = ctnl_request(buffer, IPCTNL_MSG_CT_NEW, flow, &flow->ends[1], &flow->ends[0]);
	nlh->nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
	put_tuple(nlh, CTA_TUPLE_REPLY, flow->protocol, &flow->ends[0], &flow->ends[1]);
	mnl_attr_put_u32(nlh, CTA_STATUS, htonl(status));
	mnl_attr_put_u32(nlh, CTA_TIMEOUT, entry->timeout);
	if (entry->mark)
		mnl_attr_put_u32(nlh, CTA_MARK, entry->mark);
	info = mnl_attr_nest_start(nlh, CTA_PROTOINFO);
	tcp = mnl_attr_nest_start(nlh, CTA_PROTOINFO_TCP);
	mnl_attr_put_u8(nlh, CTA_PROTOINFO_TCP_STATE, TCP_CONNTRACK_ESTABLISHED);
	put_liberal(nlh, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL);
	put_liberal(nlh, CTA_PROTOINFO_TCP_FLAGS_REPLY);
	mnl_attr_nest_end(nlh, tcp);
	mnl_attr_nest_end(nlh, info);
	return ctnl_talk(ctnl, nlh, entry);
}

enum exit_code ctnl_open(struct ctnl *ctnl)
{
	ctnl->seq = 0;
	ctnl->sock = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!ctnl->sock || mnl_socket_bind(ctnl->sock, 0, MNL_SOCKET_AUTOPID) < 0)
		return fail(EXIT_SYSTEM, "cannot ask conntrack: %s", strerror(errno));
	return EXIT_OK;
}

void ctnl_close(struct ctnl *ctnl)
{
	if (ctnl->sock)
		mnl_socket_close(ctnl->sock);
}

/* Is this the first of the entries? Then there is one. */
static bool has_entry(struct mnl_socket *sock)
{
	static __u64 answer[8192];
	ssize_t received = mnl_socket_recvfrom(sock, answer, sizeof(answer));
	const struct nlmsghdr *nlh = (const void *)answer;

	return received > 0 && mnl_nlmsg_ok(nlh, received) &&
	       nlh->nlmsg_type == (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW);
}

bool ctnl_has_entries(int family)
{
	struct mnl_socket *sock = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	__u64 buffer[BUFFER];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	bool has = false;

	if (!sock)
		return false;
	nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	if (mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) >= 0 &&
	    mnl_socket_sendto(sock, nlh, nlh->nlmsg_len) >= 0)
		has = has_entry(sock);
	mnl_socket_close(sock);
	return has;
}
