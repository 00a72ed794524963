// SPDX-License-Identifier: GPL-2.0
/* The flows of the kernel that fake.c makes up. */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/nf_looptrack.h>

#include "fake.h"

#define MANY	300	/* datagrams, of a list that is longer than any buffer */

static unsigned int list_seq;	/* of the list that is read, or 0 */
static int lists;		/* that were asked for */
static int part;		/* of the list: datagrams sent */

static void put_pass(struct nlmsghdr *nlh, int type, uint64_t packets, uint64_t bytes)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put(nlh, NF_LOOPTRACK_A_PASS_PAD, 0, NULL);
	mnl_attr_put_u64(nlh, NF_LOOPTRACK_A_PASS_PACKETS, packets);
	mnl_attr_put_u64(nlh, NF_LOOPTRACK_A_PASS_BYTES, bytes);
	mnl_attr_nest_end(nlh, nest);
}

static void put_socket(struct nlmsghdr *nlh, int type, int state, uint64_t cookie, uint32_t uid)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_SOCKET_STATE, state);
	if (cookie)
		mnl_attr_put_u64(nlh, NF_LOOPTRACK_A_SOCKET_COOKIE, cookie);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_SOCKET_UID, uid);
	mnl_attr_nest_end(nlh, nest);
}

/* @pid: 0 if the reader can't see it; @comm: NULL if the process isn't known */
static void put_owner(struct nlmsghdr *nlh, uint64_t cookie, uint32_t uid, uint32_t pid,
		      const char *comm)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, NF_LOOPTRACK_A_FLOW_OWNER);

	mnl_attr_put_u64(nlh, NF_LOOPTRACK_A_OWNER_COOKIE, cookie);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_OWNER_UID, uid);
	if (pid)
		mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_OWNER_PID, pid);
	if (comm) {
		mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_OWNER_GID, 100);
		mnl_attr_put_strz(nlh, NF_LOOPTRACK_A_OWNER_COMM, comm);
		mnl_attr_put_u64(nlh, NF_LOOPTRACK_A_OWNER_CGROUP, 4321);
	}
	mnl_attr_put_u64(nlh, NF_LOOPTRACK_A_OWNER_SINCE, 1795336262123456789ULL);
	mnl_attr_nest_end(nlh, nest);
}

static struct nlmsghdr *begin_flow(unsigned int seq, int protocol, int zone)
{
	struct nlmsghdr *nlh = begin_genl(FAMILY, seq, NF_LOOPTRACK_CMD_FLOW_GET);

	mnl_attr_put_u8(nlh, NF_LOOPTRACK_A_FLOW_PROTOCOL, protocol);
	if (is("crooked") && zone)		/* half of it */
		mnl_attr_put_u8(nlh, NF_LOOPTRACK_A_FLOW_ZONE, zone);
	else
		mnl_attr_put_u16(nlh, NF_LOOPTRACK_A_FLOW_ZONE, zone);
	return nlh;
}

/* All there is to be told: redirected, between two local sockets, of a process. */
static void put_redirected(unsigned int seq, int port)
{
	struct nlmsghdr *nlh = begin_flow(seq, IPPROTO_TCP, 0);

	put_tuple(nlh, NF_LOOPTRACK_A_FLOW_ORIGINAL, "10.1.0.2", port, "203.0.113.1", 80);
	put_tuple(nlh, NF_LOOPTRACK_A_FLOW_REPLY, "127.0.0.1", 7000, "10.1.0.2", port);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FLOW_STATUS, is("offloaded") ? 0x41ae :
			 is("virtual") ? 0x18e : 0x1ae);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FLOW_TCP_STATE, NF_LOOPTRACK_TCP_ESTABLISHED);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FLOW_TIMEOUT, 431999);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FLOW_MARK, 0x1001);
	put_pass(nlh, NF_LOOPTRACK_A_FLOW_FIRST_ORIGINAL, 5, 300);
	put_pass(nlh, NF_LOOPTRACK_A_FLOW_FIRST_REPLY, 4, 250);
	put_pass(nlh, NF_LOOPTRACK_A_FLOW_SECOND_ORIGINAL, 3, 200);
	put_pass(nlh, NF_LOOPTRACK_A_FLOW_SECOND_REPLY, 2, 150);
	mnl_attr_put(nlh, NF_LOOPTRACK_A_FLOW_IS_LOOPBACK, 0, NULL);
	put_socket(nlh, NF_LOOPTRACK_A_FLOW_CLIENT, NF_LOOPTRACK_SOCKET_ESTABLISHED, 12, 1000);
	put_socket(nlh, NF_LOOPTRACK_A_FLOW_SERVER, NF_LOOPTRACK_SOCKET_ESTABLISHED, 0, 65534);
	put_owner(nlh, 12, 1000, 4711, "curl");
	end(nlh);
}

/* Without accounting, NATed to another port, of a process that nobody knows. */
static void put_rewritten(unsigned int seq)
{
	struct nlmsghdr *nlh = begin_flow(seq, IPPROTO_UDP, 5);

	put_tuple(nlh, NF_LOOPTRACK_A_FLOW_ORIGINAL, "2001:db8::2", 1024, "2001:db8:9::1", 53);
	put_tuple(nlh, NF_LOOPTRACK_A_FLOW_REPLY, "2001:db8:9::1", 53, "2001:db8::2", 2048);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FLOW_STATUS, 0x198);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FLOW_TIMEOUT, 29);
	mnl_attr_put(nlh, NF_LOOPTRACK_A_FLOW_IS_REWRITTEN, 0, NULL);
	mnl_attr_put(nlh, NF_LOOPTRACK_A_FLOW_IS_STALE, 0, NULL);
	put_owner(nlh, 13, 0, 0, NULL);
	end(nlh);
}

/* Forwarded, and as plain as can be. */
static void put_plain(unsigned int seq)
{
	struct nlmsghdr *nlh = begin_flow(seq, IPPROTO_TCP, 0);

	put_tuple(nlh, NF_LOOPTRACK_A_FLOW_ORIGINAL, "10.1.0.3", 1024, "10.9.0.1", 443);
	put_tuple(nlh, NF_LOOPTRACK_A_FLOW_REPLY, "10.9.0.1", 443, "10.1.0.3", 1024);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FLOW_TCP_STATE, NF_LOOPTRACK_TCP_TIME_WAIT);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FLOW_TIMEOUT, 119);
	end(nlh);
}

/* What ICMP has instead of ports is its id, and type and code. */
static void put_ping(unsigned int seq)
{
	struct nlmsghdr *nlh = begin_flow(seq, IPPROTO_ICMP, 0);

	put_tuple(nlh, NF_LOOPTRACK_A_FLOW_ORIGINAL, "10.1.0.2", 77, "10.9.0.1", 2048);
	put_tuple(nlh, NF_LOOPTRACK_A_FLOW_REPLY, "10.9.0.1", 77, "10.1.0.2", 0);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FLOW_TIMEOUT, 30);
	end(nlh);
}

/* Of a newer kernel, and of a process that chose its name with care. */
static void put_future(unsigned int seq)
{
	struct nlmsghdr *nlh = begin_flow(seq, 253, 0);

	put_tuple(nlh, NF_LOOPTRACK_A_FLOW_ORIGINAL, "10.1.0.4", 0, "10.9.0.1", 0);
	put_tuple(nlh, NF_LOOPTRACK_A_FLOW_REPLY, "10.9.0.1", 0, "10.1.0.4", 0);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FLOW_TCP_STATE, 77);
	mnl_attr_put_u64(nlh, 99, 1);
	put_socket(nlh, NF_LOOPTRACK_A_FLOW_CLIENT, 88, 0, 4294967295U);
	put_owner(nlh, ~0ULL, 4294967295U, 0, "\033[2J\377\"\303\244\n");
	end(nlh);
}

/*
 * What an audit looks at, by source port: as it is in the list and, with @again, when it is
 * asked for. Somebody has sent on those that are "moving".
 */

static struct nlmsghdr *begin_audited(unsigned int seq, int protocol, int status, bool again)
{
	struct nlmsghdr *nlh = begin_flow(seq, protocol, is("zoned") ? 5 : 0);

	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FLOW_STATUS, status);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FLOW_TIMEOUT, again && !is("moving") ? 98 : 99);
	if (protocol == IPPROTO_TCP)
		mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FLOW_TCP_STATE,
				 NF_LOOPTRACK_TCP_ESTABLISHED);
	return nlh;
}

/* Both sockets are gone, or one, with "half" or "served". Who opened it is not known to the
 * module with "unproved"; with "unflagged" it does not say more than that.
 */
static void put_orphaned(unsigned int seq, bool again)
{
	struct nlmsghdr *nlh = begin_audited(seq, IPPROTO_TCP, is("helped") ? 0x21ae : 0x1ae,
					     again);

	put_tuple(nlh, NF_LOOPTRACK_A_FLOW_ORIGINAL, "127.0.0.1", 40001, "203.0.113.1", 80);
	put_tuple(nlh, NF_LOOPTRACK_A_FLOW_REPLY, "127.0.0.1", 7000, "127.0.0.1", 40001);
	mnl_attr_put(nlh, NF_LOOPTRACK_A_FLOW_IS_LOOPBACK, 0, NULL);
	if (!is("unproved") && !is("unflagged"))
		mnl_attr_put(nlh, NF_LOOPTRACK_A_FLOW_IS_STALE, 0, NULL);
	if (is("counted")) {
		put_pass(nlh, NF_LOOPTRACK_A_FLOW_FIRST_ORIGINAL, 5, 300);
		put_pass(nlh, NF_LOOPTRACK_A_FLOW_FIRST_REPLY, 4, 250);
	}
	if (is("served"))
		put_socket(nlh, NF_LOOPTRACK_A_FLOW_CLIENT, NF_LOOPTRACK_SOCKET_ESTABLISHED, 12,
			   1000);
	if (is("half"))
		put_socket(nlh, NF_LOOPTRACK_A_FLOW_SERVER, NF_LOOPTRACK_SOCKET_ESTABLISHED, 14,
			   33);
	if (!is("unproved"))
		put_owner(nlh, 12, 1000, 4711, "curl");
	end(nlh);
}

/* The port is another socket's now; when asked again it may be a third one's. */
static void put_taken(unsigned int seq, bool again)
{
	bool tcp = is("connected");
	struct nlmsghdr *nlh = begin_audited(seq, tcp ? IPPROTO_TCP : IPPROTO_UDP,
					     is("plain") ? 0x18e : 0x1ae, again);

	put_tuple(nlh, NF_LOOPTRACK_A_FLOW_ORIGINAL, "::1", 40002, "2001:db8::1", 53);
	put_tuple(nlh, NF_LOOPTRACK_A_FLOW_REPLY, "::1", 5353, "::1", 40002);
	mnl_attr_put(nlh, NF_LOOPTRACK_A_FLOW_IS_LOOPBACK, 0, NULL);
	if (!tcp)
		mnl_attr_put(nlh, NF_LOOPTRACK_A_FLOW_IS_STALE, 0, NULL);
	put_socket(nlh, NF_LOOPTRACK_A_FLOW_CLIENT, NF_LOOPTRACK_SOCKET_ESTABLISHED,
		   again && is("moving") ? 18 : 17, 1000);
	put_owner(nlh, 13, 0, 0, NULL);
	end(nlh);
}

/* The server, at port 7000, was the first to send. */
static void put_reversed(unsigned int seq, bool again)
{
	struct nlmsghdr *nlh = begin_audited(seq, IPPROTO_TCP, is("natted") ? 0x1ae : 0xe, again);

	put_tuple(nlh, NF_LOOPTRACK_A_FLOW_ORIGINAL, "127.0.0.1", 7000, "127.0.0.1", 40003);
	put_tuple(nlh, NF_LOOPTRACK_A_FLOW_REPLY, "127.0.0.1", 40003, "127.0.0.1", 7000);
	mnl_attr_put(nlh, NF_LOOPTRACK_A_FLOW_IS_LOOPBACK, 0, NULL);
	put_socket(nlh, NF_LOOPTRACK_A_FLOW_CLIENT, NF_LOOPTRACK_SOCKET_ESTABLISHED, 21, 33);
	put_socket(nlh, NF_LOOPTRACK_A_FLOW_SERVER, NF_LOOPTRACK_SOCKET_ESTABLISHED, 22, 1000);
	end(nlh);
}

/* Somebody else's, with a port of this host. */
static void put_masqueraded(unsigned int seq, int protocol, int port, bool again)
{
	struct nlmsghdr *nlh = begin_audited(seq, protocol, 0x19e, again);

	put_tuple(nlh, NF_LOOPTRACK_A_FLOW_ORIGINAL, "10.1.0.3", port, "10.9.0.1", 53);
	put_tuple(nlh, NF_LOOPTRACK_A_FLOW_REPLY, "10.9.0.1", 53, "127.0.0.1", port);
	end(nlh);
}

/* Redirected, unless that was taken back ("released"), and without an answer, but with
 * "settled" when asked again, or with "settling" when asked once more. With "virtual" it was not
 * NAT that redirected it.
 */
static void put_unanswered(unsigned int seq, bool again)
{
	static unsigned int looks;
	bool answered = again && (is("settled") || (is("settling") && looks++));
	bool tcp = is("connected");
	struct nlmsghdr *nlh = begin_flow(seq, tcp ? IPPROTO_TCP : IPPROTO_UDP, 0);
	int status = is("helped") ? 0x21a8 : is("expected") ? 0x1a9 :
		     is("released") ? 0x188 : 0x1a8;

	if (is("virtual"))
		status &= ~0x20;
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FLOW_STATUS, status | (answered ? 2 : 0));
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FLOW_TIMEOUT, again ? 30 : 29);
	if (is("restored"))
		mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FLOW_MARK, 6);
	if (is("owned"))
		put_owner(nlh, 12, 1000, 4711, "proxy");
	if (tcp)
		mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FLOW_TCP_STATE,
				 is("opening") ? NF_LOOPTRACK_TCP_SYN_SENT :
						 NF_LOOPTRACK_TCP_ESTABLISHED);
	put_tuple(nlh, NF_LOOPTRACK_A_FLOW_ORIGINAL, "10.1.0.2", 43000, "203.0.113.1", 80);
	if (is("released"))
		put_tuple(nlh, NF_LOOPTRACK_A_FLOW_REPLY, "203.0.113.1", 80, "10.1.0.2", 43000);
	else
		put_tuple(nlh, NF_LOOPTRACK_A_FLOW_REPLY, "127.0.0.1", 7000, "10.1.0.2", 43000);
	end(nlh);
}

static bool put_audited(unsigned int seq, int port, bool again)
{
	switch (port) {
	case 40001:
		put_orphaned(seq, again);
		break;
	case 40002:
		put_taken(seq, again);
		break;
	case 7000:
		put_reversed(seq, again);
		break;
	case 5555:
		put_masqueraded(seq, IPPROTO_UDP, port, again);
		break;
	case 41000:
	case 42000:
		put_masqueraded(seq, IPPROTO_TCP, port, again);
		break;
	case 43000:
		put_unanswered(seq, again);
		break;
	default:
		return false;
	}
	return true;
}

static void put_all_audited(unsigned int seq)
{
	static const int ports[] = { 40001, 40002, 7000, 5555, 41000, 42000 };

	for (unsigned int i = 0; i < sizeof(ports) / sizeof(*ports); i++)
		if (ports[i] == 40002 || !is("sixflows"))
			put_audited(seq, ports[i], false);
	if (is("unanswered"))
		put_audited(seq, 43000, false);
}

static uint16_t asked_port(const struct nlmsghdr *request)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, request, GENL_HDRLEN)
		if (mnl_attr_get_type(attr) == NF_LOOPTRACK_A_FLOW_TUPLE)
			return port_of(attr, NF_LOOPTRACK_A_TUPLE_SPORT);
	return 0;
}

static void put_done(unsigned int seq)
{
	struct nlmsghdr *nlh = begin(NLMSG_DONE, seq);
	int *error = mnl_nlmsg_put_extra_header(nlh, sizeof(*error));

	nlh->nlmsg_flags = NLM_F_MULTI;
	*error = is("broken") ? -ENOMEM : is("reasoned") ? -EINVAL : 0;
	if (is("reasoned")) {
		nlh->nlmsg_flags |= NLM_F_ACK_TLVS;
		mnl_attr_put_strz(nlh, NLMSGERR_ATTR_MSG, "the table has burnt down");
	}
	if (is("halfdone"))
		nlh->nlmsg_len -= 2;
	end(nlh);
}

bool put_flows(void)
{
	unsigned int seq = list_seq;

	if (!seq)
		return false;
	if (is("many") && part < MANY) {
		for (int i = 0; i < 10; i++)
			put_redirected(seq, 1024 + 10 * part + i);
	} else if (!part && is("audited") && !is("flowless")) {
		put_all_audited(seq);
	} else if (part == 1 && is("audited") && !is("flowless") && !is("sixflows")) {
		put_redirected(seq, 40000);
	} else if (!part && !is("flowless") && !is("many")) {
		put_redirected(seq, 40000);
		put_rewritten(seq);
	} else if (part == 1 && !is("flowless") && !is("audited")) {
		put_plain(seq);
		put_ping(seq);
		put_future(seq);
		put_redirected(seq + 1000, 1);	/* somebody else's */
	} else {
		put_done(seq);
		list_seq = 0;
	}
	part++;
	return true;
}

bool put_flow(const struct nlmsghdr *request)
{
	if ((request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP) {
		list_seq = request->nlmsg_seq;
		part = 0;
		if (is("watched") && ++lists == 3)
			raise(SIGINT);
		return true;
	}
	if (is("audited")) {
		int port = asked_port(request);
		bool ruined = is("ruined") && port == 40001;

		if (!is("passing") && !ruined && put_audited(request->nlmsg_seq, port, true))
			return false;
		put_ack(request, ruined ? EINVAL : ENOENT, "there is no such flow", 0, 0);
		return true;
	}
	print_flow("flow", request, NF_LOOPTRACK_A_FLOW_TUPLE);
	if (is("gone")) {
		put_ack(request, ENOENT, "there is no such flow", 0, 0);
		return true;
	}
	if (is("forwarded"))
		put_plain(request->nlmsg_seq);
	else if (is("futuristic"))
		put_future(request->nlmsg_seq);
	else
		put_redirected(request->nlmsg_seq, 40000);
	return false;
}
