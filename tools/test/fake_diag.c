// SPDX-License-Identifier: GPL-2.0
/* The sockets of the kernel that fake.c makes up, and its conntrack's own netlink. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/nf_looptrack.h>
#include <linux/sock_diag.h>

#include "fake.h"

/* Those that an audit looks at: who listens at 7000 and 5555, and a connection that
 * conntrack has no entry for. IPv4 may be in IPv6's clothes.
 */
static const struct fake_socket {
	int protocol;
	int family;
	int state;
	const char *src;
	int sport;
	const char *dst;
	int dport;
	int cookie;
} sockets[] = {
	{ IPPROTO_TCP, AF_INET6, NF_LOOPTRACK_SOCKET_LISTEN, "::", 7000, "::", 0, 51 },
	{ IPPROTO_TCP, AF_INET, NF_LOOPTRACK_SOCKET_LISTEN, "0.0.0.0", 22, "0.0.0.0", 0, 52 },
	{ IPPROTO_TCP, AF_INET6, NF_LOOPTRACK_SOCKET_ESTABLISHED, "::ffff:127.0.0.1", 7000,
	  "::ffff:127.0.0.1", 40003, 21 },
	{ IPPROTO_TCP, AF_INET, NF_LOOPTRACK_SOCKET_ESTABLISHED, "127.0.0.1", 40003,
	  "127.0.0.1", 7000, 22 },
	{ IPPROTO_TCP, AF_INET, NF_LOOPTRACK_SOCKET_ESTABLISHED, "127.0.0.1", 40004,
	  "203.0.113.1", 80, 31 },
	{ IPPROTO_UDP, AF_INET, NF_LOOPTRACK_SOCKET_CLOSE, "127.0.0.1", 5555, "0.0.0.0", 0, 41 },
};

static void put_socket(const struct nlmsghdr *request, const struct fake_socket *s)
{
	struct nlmsghdr *nlh = begin(SOCK_DIAG_BY_FAMILY, request->nlmsg_seq);
	struct inet_diag_msg *msg = mnl_nlmsg_put_extra_header(nlh, sizeof(*msg));

	msg->idiag_family = s->family;
	msg->idiag_state = s->state;
	msg->id.idiag_sport = htons(s->sport);
	msg->id.idiag_dport = htons(s->dport);
	inet_pton(s->family, s->src, msg->id.idiag_src);
	inet_pton(s->family, s->dst, msg->id.idiag_dst);
	msg->id.idiag_cookie[0] = s->cookie;
	msg->idiag_uid = 33;
	msg->idiag_inode = 1000 + s->cookie;
	mnl_attr_put_u8(nlh, INET_DIAG_SHUTDOWN, 0);
	if (s->family == AF_INET6)
		mnl_attr_put_u8(nlh, INET_DIAG_SKV6ONLY, is("sixonly"));
	end(nlh);
}

static void put_done(const struct nlmsghdr *request)
{
	struct nlmsghdr *nlh = begin(NLMSG_DONE, request->nlmsg_seq);

	*(int *)mnl_nlmsg_put_extra_header(nlh, sizeof(int)) = is("undiagnosed") ? -ENOENT : 0;
	nlh->nlmsg_flags = NLM_F_MULTI | (is("restless") ? NLM_F_DUMP_INTR : 0);
	end(nlh);
}

bool put_diag(const struct nlmsghdr *request)
{
	const struct inet_diag_req_v2 *req = mnl_nlmsg_get_payload(request);
	bool listed = request->nlmsg_flags & NLM_F_DUMP;
	bool found = false;

	for (unsigned int i = 0; i < sizeof(sockets) / sizeof(*sockets); i++) {
		const struct fake_socket *s = &sockets[i];

		if (s->protocol != req->sdiag_protocol || s->family != req->sdiag_family)
			continue;
		if (listed ? !(1U << s->state & req->idiag_states) :
			     ntohs(req->id.idiag_sport) != s->sport)
			continue;
		if (!listed && is("closing"))
			continue;
		put_socket(request, s);
		found = true;
	}
	if (listed)
		put_done(request);
	else if (!found)
		put_ack(request, ENOENT, NULL, 0, 0);
	return listed || !found;
}

static void put_flags(struct nlmsghdr *nlh, int type)
{
	struct nf_ct_tcp_flags flags = { .flags = is("begun") ? 0 : IP_CT_TCP_FLAG_BE_LIBERAL };

	mnl_attr_put(nlh, type, sizeof(flags), &flags);
}

static void put_entry(const struct nlmsghdr *request)
{
	struct nlmsghdr *nlh = begin(NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW,
				     request->nlmsg_seq);
	struct nlattr *info, *tcp;

	mnl_nlmsg_put_extra_header(nlh, sizeof(struct nfgenmsg));
	mnl_attr_put_u32(nlh, CTA_ID, htonl(77));
	mnl_attr_put_u32(nlh, CTA_TIMEOUT, htonl(98));
	mnl_attr_put_u32(nlh, CTA_MARK, htonl(6));
	info = mnl_attr_nest_start(nlh, CTA_PROTOINFO);
	tcp = mnl_attr_nest_start(nlh, CTA_PROTOINFO_TCP);
	put_flags(nlh, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL);
	put_flags(nlh, CTA_PROTOINFO_TCP_FLAGS_REPLY);
	mnl_attr_nest_end(nlh, tcp);
	mnl_attr_nest_end(nlh, info);
	end(nlh);
}

static void print_tuple(const struct nlattr *tuple)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, tuple)
		if (mnl_attr_get_type(attr) == CTA_TUPLE_PROTO)
			fprintf(stderr, " %u>%u", port_of(attr, CTA_PROTO_SRC_PORT),
				port_of(attr, CTA_PROTO_DST_PORT));
}

/* What conntrack is asked to do, for the test to see. */
static void print_order(const char *what, const struct nlmsghdr *request)
{
	const struct nlattr *attr;

	fputs(what, stderr);
	mnl_attr_for_each(attr, request, sizeof(struct nfgenmsg)) {
		switch (mnl_attr_get_type(attr)) {
		case CTA_TUPLE_ORIG:
		case CTA_TUPLE_REPLY:
			print_tuple(attr);
			break;
		case CTA_ZONE:
			fprintf(stderr, " zone %u", ntohs(mnl_attr_get_u16(attr)));
			break;
		case CTA_ID:
			fprintf(stderr, " id %u", ntohl(mnl_attr_get_u32(attr)));
			break;
		case CTA_MARK:
			fprintf(stderr, " mark %u", ntohl(mnl_attr_get_u32(attr)));
			break;
		}
	}
	fputc('\n', stderr);
}

bool put_ctnl(const struct nlmsghdr *request)
{
	int message = request->nlmsg_type & 0xff;

	if (is("mutect") || is("forbidden")) {
		put_ack(request, is("mutect") ? EINVAL : EPERM, NULL, 0, 0);
		return true;
	}
	if (message == IPCTNL_MSG_CT_GET) {
		put_entry(request);
		return false;
	}
	print_order(message == IPCTNL_MSG_CT_DELETE ? "delete" : "new", request);
	if (is("outrun")) {
		put_ack(request, message == IPCTNL_MSG_CT_DELETE ? ENOENT : EEXIST, NULL, 0, 0);
		return true;
	}
	return false;
}
