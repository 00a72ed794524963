// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel with nf_looptrack, as far as the tool can see: stands in for
 * libmnl's socket functions (ld --wrap). LOOPTRACK_FAKE, a list of words, says
 * what is unusual about it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/nf_looptrack.h>

#include "cgroup.h"
#include "fake.h"

#define GROUP	7
#define PORTID	4242

static __u64 replies[1024];	/* the datagram to be received next */
static char sockets[MAX_LINKS];	/* one for each protocol of netlink */
static char *tail;		/* its end */
static int readable;		/* an eventfd that always is */
static int step;		/* events sent */
static int opened;		/* sockets */
static bool has_nft;		/* nf_tables was spoken to */
static int idle;		/* times that there was no event */

int is(const char *word)
{
	const char *words = getenv("LOOPTRACK_FAKE");

	return words && strstr(words, word);
}

struct nlmsghdr *begin(int type, unsigned int seq)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(tail);

	nlh->nlmsg_type = type;
	nlh->nlmsg_seq = seq;
	nlh->nlmsg_pid = seq ? PORTID : 0;
	return nlh;
}

struct nlmsghdr *begin_genl(int type, unsigned int seq, int cmd)
{
	struct nlmsghdr *nlh = begin(type, seq);
	struct genlmsghdr *genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));

	genl->cmd = cmd;
	genl->version = 1;
	return nlh;
}

void end(const struct nlmsghdr *nlh)
{
	tail = mnl_nlmsg_get_payload_tail(nlh);
}

static void put_family(const struct nlmsghdr *request)
{
	struct nlmsghdr *nlh = begin_genl(GENL_ID_CTRL, request->nlmsg_seq, CTRL_CMD_NEWFAMILY);
	struct nlattr *groups, *group;

	mnl_attr_put_u16(nlh, CTRL_ATTR_FAMILY_ID, FAMILY);
	mnl_attr_put_u32(nlh, CTRL_ATTR_VERSION, is("newer") ? 2 : is("older") ? 0 : 1);
	groups = mnl_attr_nest_start(nlh, CTRL_ATTR_MCAST_GROUPS);
	group = mnl_attr_nest_start(nlh, 1);
	mnl_attr_put_u32(nlh, CTRL_ATTR_MCAST_GRP_ID, GROUP);
	mnl_attr_put_strz(nlh, CTRL_ATTR_MCAST_GRP_NAME, is("mute") ? "other" : "events");
	mnl_attr_nest_end(nlh, group);
	mnl_attr_nest_end(nlh, groups);
	end(nlh);
}

static void put_module(const struct nlmsghdr *request)
{
	struct nlmsghdr *nlh = begin_genl(FAMILY, request->nlmsg_seq, NF_LOOPTRACK_CMD_MODULE_GET);

	if (!is("lacking"))
		mnl_attr_put_strz(nlh, NF_LOOPTRACK_A_MODULE_VERSION, "0.9.9");
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_MODULE_NETNS_DEFAULT,
			 is("unknown") ? 9 : NF_LOOPTRACK_NETNS_ALL);
	if (is("unknown"))
		mnl_attr_put_u64(nlh, 99, 1);
	end(nlh);
}

static void put_cgroup(struct nlmsghdr *nlh, uint64_t number)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, NF_LOOPTRACK_A_FEATURE_PROXY);

	mnl_attr_put(nlh, NF_LOOPTRACK_A_PROXY_PAD, 0, NULL);
	mnl_attr_put_u64(nlh, NF_LOOPTRACK_A_PROXY_CGROUP, number);
	mnl_attr_nest_end(nlh, nest);
}

/* What loopguard knows, with the cgroup at LOOPTRACK_CGROUP, or the topmost. */
static void put_proxies(struct nlmsghdr *nlh)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, NF_LOOPTRACK_A_FEATURE_PROXY);
	uint64_t number = 1;

	cgroup_number(getenv("LOOPTRACK_CGROUP") ?: "/", &number);
	mnl_attr_put_u16(nlh, NF_LOOPTRACK_A_PROXY_PORT, 15001);
	mnl_attr_nest_end(nlh, nest);
	nest = mnl_attr_nest_start(nlh, NF_LOOPTRACK_A_FEATURE_PROXY);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_PROXY_UID, 4294967294U);
	mnl_attr_nest_end(nlh, nest);
	put_cgroup(nlh, number);
	if (is("gone"))
		put_cgroup(nlh, 123456789012345);
}

/* What listeners leaves alone. */
static void put_exempt(struct nlmsghdr *nlh, uint16_t from, uint16_t to)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, NF_LOOPTRACK_A_FEATURE_EXEMPT);

	mnl_attr_put_u16(nlh, NF_LOOPTRACK_A_EXEMPT_FROM, from);
	if (to)
		mnl_attr_put_u16(nlh, NF_LOOPTRACK_A_EXEMPT_TO, to);
	mnl_attr_nest_end(nlh, nest);
}

static void put_features(const struct nlmsghdr *request)
{
	struct nlmsghdr *nlh = begin_genl(FAMILY, request->nlmsg_seq,
					  NF_LOOPTRACK_CMD_FEATURE_GET);
	int last = NF_LOOPTRACK_FEATURE_MAX;

	if (is("unknown"))
		last += 2;
	if (is("few"))
		last = 1;
	if (is("bare"))
		last = -1;
	for (int i = 0; i <= last; i++) {
		struct nlattr *nest = mnl_attr_nest_start(nlh, NF_LOOPTRACK_A_CONFIG_FEATURE);
		bool acts = i <= NF_LOOPTRACK_FEATURE_LINGER ||
			    i == NF_LOOPTRACK_FEATURE_ORIGIN;
		bool marks = i == NF_LOOPTRACK_FEATURE_PASSMARK;
		bool skips = i == NF_LOOPTRACK_FEATURE_EXPRESS && is("express");
		bool guards = i == NF_LOOPTRACK_FEATURE_LOOPGUARD &&
			      (is("guarding") || is("proxied"));
		bool listens = i == NF_LOOPTRACK_FEATURE_LISTENERS &&
			       (is("listening") || is("exempted"));
		int mode = acts || skips || is("enforcing") ? NF_LOOPTRACK_MODE_ENFORCE :
					   NF_LOOPTRACK_MODE_OFF;

		mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FEATURE_ID, i);
		mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FEATURE_MODE, mode);
		mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FEATURE_DEFAULT,
				 i > NF_LOOPTRACK_FEATURE_MAX ? 17 : mode);
		if (acts || marks || skips || guards || listens || is("future"))
			mnl_attr_put(nlh, NF_LOOPTRACK_A_FEATURE_SUPPORTED, 0, NULL);
		if (marks && is("marking")) {
			mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FEATURE_MARK, 0x80001000);
			mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_FEATURE_MARK_MASK, ~0U);
		}
		if (guards && is("proxied"))
			put_proxies(nlh);
		if (listens && is("exempted")) {
			put_exempt(nlh, 500, 0);
			put_exempt(nlh, 4500, 4500);
			put_exempt(nlh, 27015, 27020);
		}
		mnl_attr_nest_end(nlh, nest);
	}
	end(nlh);
}

static void put_counters(const struct nlmsghdr *request)
{
	struct nlmsghdr *nlh = begin_genl(FAMILY, request->nlmsg_seq, NF_LOOPTRACK_CMD_STATS_GET);
	int last = NF_LOOPTRACK_A_STATS_MAX;

	if (is("short"))
		mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_STATS_CLASH_SEEN, 1);
	for (int i = NF_LOOPTRACK_A_STATS_PAD + 1; i <= last + is("unknown"); i++) {
		mnl_attr_put(nlh, NF_LOOPTRACK_A_STATS_PAD, 0, NULL);
		mnl_attr_put_u64(nlh, i, is("huge") ? ~0ULL : 100ULL + i);
	}
	end(nlh);
}

static void print_proxy(const struct nlattr *proxy)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, proxy) {
		unsigned int len = mnl_attr_get_payload_len(attr);

		fprintf(stderr, "%c%llu", "??puc"[mnl_attr_get_type(attr)],
			len == 2 ? mnl_attr_get_u16(attr) : len == 4 ? mnl_attr_get_u32(attr) :
			(unsigned long long)mnl_attr_get_u64(attr));
	}
}

static void print_exempt(const struct nlattr *exempt)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, exempt)
		fprintf(stderr, "%c%u", "?e-"[mnl_attr_get_type(attr)], mnl_attr_get_u16(attr));
}

/* What was asked for, in the order of the attributes, for the test to see. */
static void print_set(const struct nlmsghdr *request)
{
	const struct nlattr *nest, *attr;

	fputs("set", stderr);
	mnl_attr_for_each(nest, request, GENL_HDRLEN) {
		fputc(' ', stderr);
		mnl_attr_for_each_nested(attr, nest)
			if (mnl_attr_get_type(attr) == NF_LOOPTRACK_A_FEATURE_PROXY)
				print_proxy(attr);
			else if (mnl_attr_get_type(attr) == NF_LOOPTRACK_A_FEATURE_NO_PROXY)
				fputc('n', stderr);
			else if (mnl_attr_get_type(attr) == NF_LOOPTRACK_A_FEATURE_EXEMPT)
				print_exempt(attr);
			else if (mnl_attr_get_type(attr) == NF_LOOPTRACK_A_FEATURE_NO_EXEMPT)
				fputc('x', stderr);
			else
				fprintf(stderr, "%c%u", "?fm??vk"[mnl_attr_get_type(attr)],
					mnl_attr_get_u32(attr));
	}
	fputc('\n', stderr);
}

/* Likewise: protocol, zone and tuple. */
void print_flow(const char *what, const struct nlmsghdr *request, int tuple)
{
	const struct nlattr *attr, *end;
	const uint8_t *data;

	fputs(what, stderr);
	mnl_attr_for_each(attr, request, GENL_HDRLEN) {
		if (mnl_attr_get_payload_len(attr) == sizeof(uint8_t))
			fprintf(stderr, " %u", mnl_attr_get_u8(attr));
		if (mnl_attr_get_payload_len(attr) == sizeof(uint16_t))
			fprintf(stderr, " zone %u", mnl_attr_get_u16(attr));
		if (mnl_attr_get_payload_len(attr) == sizeof(uint32_t))
			fprintf(stderr, " #%u", mnl_attr_get_u32(attr));
		if (mnl_attr_get_type(attr) != tuple)
			continue;
		mnl_attr_for_each_nested(end, attr) {
			data = mnl_attr_get_payload(end);
			fprintf(stderr, " %u:", mnl_attr_get_type(end));
			for (int i = 0; i < mnl_attr_get_payload_len(end); i++)
				fprintf(stderr, "%02x", data[i]);
		}
	}
	fputc('\n', stderr);
}

uint16_t port_of(const struct nlattr *nest, int type)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
		if (mnl_attr_get_type(attr) == type)
			return ntohs(mnl_attr_get_u16(attr));
	return 0;
}

void put_ack(const struct nlmsghdr *request, int error, const char *message, int offset,
	     int missing)
{
	struct nlmsghdr *nlh = begin(NLMSG_ERROR, request->nlmsg_seq);
	struct nlmsgerr *ack = mnl_nlmsg_put_extra_header(nlh, sizeof(*ack));

	ack->error = -error;
	ack->msg = *request;
	nlh->nlmsg_flags = NLM_F_CAPPED;
	if (is("uncapped")) {
		memcpy(mnl_nlmsg_put_extra_header(nlh, request->nlmsg_len - MNL_NLMSG_HDRLEN),
		       mnl_nlmsg_get_payload(request), request->nlmsg_len - MNL_NLMSG_HDRLEN);
		nlh->nlmsg_flags = 0;
	}
	if (message || offset || missing)
		nlh->nlmsg_flags |= NLM_F_ACK_TLVS;
	if (message)
		mnl_attr_put_strz(nlh, NLMSGERR_ATTR_MSG, message);
	if (offset)
		mnl_attr_put_u32(nlh, NLMSGERR_ATTR_OFFS, offset);
	if (missing)
		mnl_attr_put_u32(nlh, NLMSGERR_ATTR_MISS_TYPE, missing);
	end(nlh);
}

static void put_addresses(struct nlmsghdr *nlh, int six, const char *src, const char *dst)
{
	struct in6_addr addr;

	inet_pton(six ? AF_INET6 : AF_INET, src, &addr);
	mnl_attr_put(nlh, six ? NF_LOOPTRACK_A_TUPLE_SRC6 : NF_LOOPTRACK_A_TUPLE_SRC4,
		     six ? 16 : 4, &addr);
	inet_pton(six ? AF_INET6 : AF_INET, dst, &addr);
	mnl_attr_put(nlh, six ? NF_LOOPTRACK_A_TUPLE_DST6 : NF_LOOPTRACK_A_TUPLE_DST4,
		     six ? 16 : 4, &addr);
}

void put_tuple(struct nlmsghdr *nlh, int type, const char *src, int sport, const char *dst,
	       int dport)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	put_addresses(nlh, !!strchr(src, ':'), src, dst);
	mnl_attr_put_u16(nlh, NF_LOOPTRACK_A_TUPLE_SPORT, htons(sport));
	mnl_attr_put_u16(nlh, NF_LOOPTRACK_A_TUPLE_DPORT, htons(dport));
	mnl_attr_nest_end(nlh, nest);
}

/* A socket, as it should be or, as the words say, crooked. */
static void put_owner(struct nlmsghdr *nlh, int type, uint64_t cookie, uint32_t uid)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put(nlh, NF_LOOPTRACK_A_OWNER_PAD, 0, NULL);
	if (is("narrow"))
		mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_OWNER_COOKIE, cookie);
	else if (!is("nobody"))
		mnl_attr_put_u64(nlh, NF_LOOPTRACK_A_OWNER_COOKIE, is("huge") ? ~0ULL : cookie);
	if (is("wide"))
		mnl_attr_put_u64(nlh, NF_LOOPTRACK_A_OWNER_UID, uid);
	else if (!is("nobody"))
		mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_OWNER_UID, uid);
	if (is("unknown"))
		mnl_attr_put_u64(nlh, 99, 1);
	mnl_attr_nest_end(nlh, nest);
	if (is("cut"))			/* in the middle of the pad's header */
		nest->nla_len = MNL_ATTR_HDRLEN + 2;
	if (is("beyond"))		/* the last attribute is longer than the nest */
		((struct nlattr *)(mnl_nlmsg_get_payload_tail(nlh) - 8))->nla_len = 400;
}

/* @seq: of the list it is in, or 0 */
static struct nlmsghdr *begin_listed(unsigned int seq, int feature, int decision, int protocol,
				     int zone)
{
	struct nlmsghdr *nlh = begin_genl(FAMILY, seq, seq ? NF_LOOPTRACK_CMD_EVENT_GET :
							    NF_LOOPTRACK_CMD_EVENT);

	mnl_attr_put_u64(nlh, NF_LOOPTRACK_A_EVENT_TIME, 1795336262123456789ULL);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_EVENT_FEATURE, feature);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_EVENT_DECISION, decision);
	mnl_attr_put_u8(nlh, NF_LOOPTRACK_A_EVENT_PROTOCOL, protocol);
	mnl_attr_put_u16(nlh, NF_LOOPTRACK_A_EVENT_ZONE, zone);
	return nlh;
}

static struct nlmsghdr *begin_event(int feature, int decision, int protocol, int zone)
{
	return begin_listed(0, feature, decision, protocol, zone);
}

/* What is remembered of the redirected flow. */
static void put_history(const struct nlmsghdr *request)
{
	struct nlmsghdr *nlh;

	if (!is("remembered"))
		return;
	nlh = begin_listed(request->nlmsg_seq, NF_LOOPTRACK_FEATURE_STALE,
			   NF_LOOPTRACK_DECISION_OBSERVED, IPPROTO_TCP, 0);
	put_tuple(nlh, NF_LOOPTRACK_A_EVENT_FLOW, "10.1.0.2", 40000, "203.0.113.1", 80);
	end(nlh);
	nlh = begin_listed(request->nlmsg_seq, NF_LOOPTRACK_FEATURE_STALE,
			   NF_LOOPTRACK_DECISION_EVICTED, IPPROTO_TCP, 0);
	put_tuple(nlh, NF_LOOPTRACK_A_EVENT_FLOW, "10.1.0.3", 1, "203.0.113.1", 80);
	end(nlh);
}

/* Of features that know whose sockets the flows are. */
static int put_owned_event(int which)
{
	struct nlmsghdr *nlh;

	switch (which) {
	case 0:
		nlh = begin_event(NF_LOOPTRACK_FEATURE_PORTS, NF_LOOPTRACK_DECISION_KEPT,
				  IPPROTO_TCP, 0);
		put_tuple(nlh, NF_LOOPTRACK_A_EVENT_FLOW, "10.1.0.2", 1024, "10.9.0.1", 80);
		put_tuple(nlh, NF_LOOPTRACK_A_EVENT_WANTED, "10.1.0.2", 15001, "10.1.0.2", 1024);
		put_tuple(nlh, NF_LOOPTRACK_A_EVENT_GOT, "10.1.0.2", 15001, "10.1.0.2", 1024);
		put_tuple(nlh, NF_LOOPTRACK_A_EVENT_HOLDER, "10.1.0.2", 1024, "10.9.0.9", 80);
		put_owner(nlh, NF_LOOPTRACK_A_EVENT_OWNER, 12, 1000);
		put_owner(nlh, NF_LOOPTRACK_A_EVENT_HOLDER_OWNER, 7, 33);
		break;
	case 1:
		nlh = begin_event(NF_LOOPTRACK_FEATURE_STALE, NF_LOOPTRACK_DECISION_EVICTED,
				  IPPROTO_UDP, 5);
		put_tuple(nlh, NF_LOOPTRACK_A_EVENT_FLOW, "2001:db8::2", 1024, "2001:db8:9::1", 53);
		put_owner(nlh, NF_LOOPTRACK_A_EVENT_OWNER, 13, 0);
		put_owner(nlh, NF_LOOPTRACK_A_EVENT_HOLDER_OWNER, 8, 4294967295U);
		break;
	case 2:
		nlh = begin_event(NF_LOOPTRACK_FEATURE_LINGER, NF_LOOPTRACK_DECISION_EVICTED,
				  IPPROTO_TCP, 0);
		put_tuple(nlh, NF_LOOPTRACK_A_EVENT_HOLDER, "::1", 1024, "::1", 80);
		put_owner(nlh, NF_LOOPTRACK_A_EVENT_HOLDER_OWNER, 7, 33);
		break;
	default:
		raise(SIGINT);
		return 0;
	}
	end(nlh);
	return 0;
}

/* Each decision there is, and more. */
static int put_decision(int which)
{
	if (which < 32)
		end(begin_event(NF_LOOPTRACK_FEATURE_CLASH, which, IPPROTO_TCP, 0));
	else
		raise(SIGINT);
	return 0;
}

static void put_sight(int hook, int stage, int pass, bool nat, int state)
{
	struct nlmsghdr *nlh = begin_genl(FAMILY, 0, NF_LOOPTRACK_CMD_TRACE_PACKET);

	mnl_attr_put_u64(nlh, NF_LOOPTRACK_A_TRACE_TIME, 1795336262123456789ULL);
	mnl_attr_put_u8(nlh, NF_LOOPTRACK_A_TRACE_PROTOCOL, IPPROTO_TCP);
	put_tuple(nlh, NF_LOOPTRACK_A_TRACE_FLOW, "10.1.0.2", 1024,
		  nat ? "127.0.0.1" : "10.9.0.1", nat ? 7000 : 80);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_TRACE_HOOK, hook);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_TRACE_STAGE, stage);
	if (pass)
		mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_TRACE_PASS, pass);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_TRACE_PACKET, 77);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_TRACE_LENGTH, 60);
	mnl_attr_put_u8(nlh, NF_LOOPTRACK_A_TRACE_TCP_FLAGS, 0x12);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_TRACE_MARK, pass == 2 ? 0x1000 : 0);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_TRACE_STATE, state);
	if (state) {
		mnl_attr_put(nlh, NF_LOOPTRACK_A_TRACE_IS_COMMITTED, 0, NULL);
		put_tuple(nlh, NF_LOOPTRACK_A_TRACE_ORIGINAL, "10.1.0.2", 1024, "10.9.0.1", 80);
		put_tuple(nlh, NF_LOOPTRACK_A_TRACE_REPLY, "127.0.0.1", 7000, "10.1.0.2", 1024);
	}
	mnl_attr_put_strz(nlh, NF_LOOPTRACK_A_TRACE_OUT,
			  is("renamed") ? "a\033[2J" : "lo");
	if (is("lost"))
		mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_TRACE_LOST, 5);
	end(nlh);
}

/* What was decided about the flow, and about another one. */
static void put_decided(void)
{
	struct nlmsghdr *nlh = begin_event(NF_LOOPTRACK_FEATURE_STALE,
					   NF_LOOPTRACK_DECISION_EVICTED, IPPROTO_TCP, 0);

	put_tuple(nlh, NF_LOOPTRACK_A_EVENT_FLOW, "10.1.0.2", 1024, "10.9.0.1", 80);
	end(nlh);
	nlh = begin_event(NF_LOOPTRACK_FEATURE_LINGER, NF_LOOPTRACK_DECISION_EVICTED,
			  IPPROTO_TCP, 0);
	put_tuple(nlh, NF_LOOPTRACK_A_EVENT_HOLDER, "::1", 1024, "::1", 80);
	end(nlh);
}

/* What was seen last is dropped, or a packet that nothing is known of. */
static void put_dropped(void)
{
	struct nlmsghdr *nlh = begin_genl(FAMILY, 0, NF_LOOPTRACK_CMD_TRACE_DROP);
	bool done = is("ended");

	mnl_attr_put_u64(nlh, NF_LOOPTRACK_A_TRACE_TIME, 1795336262123999999ULL);
	mnl_attr_put_u8(nlh, NF_LOOPTRACK_A_TRACE_PROTOCOL, IPPROTO_TCP);
	put_tuple(nlh, NF_LOOPTRACK_A_TRACE_FLOW, "10.1.0.2", 1024, "127.0.0.1", 7000);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_TRACE_HOOK,
			 done ? NF_LOOPTRACK_HOOK_LOCAL_IN : NF_LOOPTRACK_HOOK_PRE_ROUTING);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_TRACE_STAGE,
			 done ? NF_LOOPTRACK_STAGE_END : NF_LOOPTRACK_STAGE_START);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_TRACE_PASS, 2);
	mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_TRACE_PACKET, is("strange") ? 78 : 77);
	mnl_attr_put_u64(nlh, NF_LOOPTRACK_A_TRACE_SEEN, 1795336262123456789ULL);
	mnl_attr_put_strz(nlh, NF_LOOPTRACK_A_TRACE_REASON,
			  is("unreasoned") ? "NOT_SPECIFIED" :
			  is("filtered") ? "NETFILTER_DROP" :
			  is("renamed") ? "a\033[2J" : "NO_SOCKET");
	if (!is("nameless"))
		mnl_attr_put_strz(nlh, NF_LOOPTRACK_A_TRACE_FUNCTION, "tcp_v4_rcv");
	if (is("lost"))
		mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_TRACE_LOST, 5);
	end(nlh);
}

/* A packet of a flow that is redirected. */
static ssize_t put_traced(int which)
{
	switch (which) {
	case 0:
		put_sight(NF_LOOPTRACK_HOOK_LOCAL_OUT, NF_LOOPTRACK_STAGE_START, 0, false, 0);
		break;
	case 1:			/* nothing new */
		if (is("decided"))
			put_decided();
		put_sight(NF_LOOPTRACK_HOOK_LOCAL_OUT, NF_LOOPTRACK_STAGE_RAW, 0, false, 0);
		break;
	case 2:
		put_sight(NF_LOOPTRACK_HOOK_LOCAL_OUT, NF_LOOPTRACK_STAGE_DSTNAT, 1, true, 2);
		break;
	case 3:
		if (is("ended"))
			put_sight(NF_LOOPTRACK_HOOK_LOCAL_IN, NF_LOOPTRACK_STAGE_END, 2, true, 2);
		else
			put_sight(NF_LOOPTRACK_HOOK_PRE_ROUTING, NF_LOOPTRACK_STAGE_START, 2, true,
				  2);
		break;
	case 4:			/* of the future */
		if (is("dropped"))
			put_dropped();
		else
			put_sight(9, 17, 0, true, 23);
		break;
	default:
		/* What was read is shown when nothing comes for a while. */
		if (is("cut"))
			usleep(17000);
		if (!has_nft || ++idle > (is("cut") ? 140 : 100))
			raise(SIGINT);
		errno = EAGAIN;
		return has_nft ? -1 : 0;
	}
	return 0;
}

static ssize_t put_event(int which)
{
	struct nlmsghdr *nlh;

	if (is("traced"))
		return put_traced(which);
	if (is("owned"))
		return put_owned_event(which);
	if (is("decisions"))
		return put_decision(which);
	switch (which) {
	case 0:
		nlh = begin_event(NF_LOOPTRACK_FEATURE_CLASH, NF_LOOPTRACK_DECISION_REPICKED,
				  IPPROTO_TCP, 0);
		put_tuple(nlh, NF_LOOPTRACK_A_EVENT_FLOW, "10.1.0.2", 1024, "10.9.0.1", 80);
		put_tuple(nlh, NF_LOOPTRACK_A_EVENT_WANTED, "10.9.0.1", 80, "192.0.2.1", 1024);
		put_tuple(nlh, NF_LOOPTRACK_A_EVENT_GOT, "10.9.0.1", 80, "192.0.2.1", 23456);
		put_tuple(nlh, NF_LOOPTRACK_A_EVENT_HOLDER, "10.2.0.2", 1024, "10.9.0.1", 80);
		mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_EVENT_PICKS, 1);
		break;
	case 1:
		nlh = begin_event(NF_LOOPTRACK_FEATURE_CLASH, NF_LOOPTRACK_DECISION_EXHAUSTED,
				  IPPROTO_UDP, 5);
		put_tuple(nlh, NF_LOOPTRACK_A_EVENT_FLOW, "2001:db8::2", 1024, "2001:db8:9::1", 53);
		put_tuple(nlh, NF_LOOPTRACK_A_EVENT_WANTED, "2001:db8:9::1", 53, "2001:db8:5::1",
			  1024);
		mnl_attr_put_u32(nlh, NF_LOOPTRACK_A_EVENT_PICKS, 8);
		break;
	case 2:
		if (!is("lost"))
			return 0;
		errno = ENOBUFS;
		return -1;
	case 3:			/* of the future */
		nlh = begin_event(NF_LOOPTRACK_FEATURE_CLASH, 77, 253, 0);
		put_tuple(nlh, NF_LOOPTRACK_A_EVENT_FLOW, "10.1.0.3", 0, "10.9.0.1", 0);
		mnl_attr_put_u64(nlh, 99, 1);
		break;
	case 4:
		if (!is("unloaded"))
			return 0;
		nlh = begin_genl(GENL_ID_CTRL, 0, CTRL_CMD_DELFAMILY);
		mnl_attr_put_u16(nlh, CTRL_ATTR_FAMILY_ID, FAMILY);
		break;
	default:
		raise(is("killed") ? SIGTERM : SIGINT);
		return 0;
	}
	end(nlh);
	return 0;
}

/* The queues of its NFQUEUE, as proc(5) shows them. */
FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
	static char queues[] =
		"    0   4711     3 2 65535     0     0       77  1\n"
		" 2053 -12345     0 2 65535     0     0        0  1\n";
	static char many[12 * 52];

	if (!strcmp(path, "/proc/net/ip_tables_names") && is("legacy"))
		return fmemopen((char *)"nat\nfil\033ter\n", 12, "r");
	if (!strcmp(path, "/proc/net/ip6_tables_names") && is("shrouded")) {
		errno = EACCES;
		return NULL;
	}
	if (!strncmp(path, "/proc/net/ip", 12)) {
		errno = ENOENT;
		return NULL;
	}
	if (strcmp(path, "/proc/net/netfilter/nfnetlink_queue"))
		return __real_fopen(path, mode);
	if (is("queued"))
		return fmemopen(queues, sizeof(queues) - 1, "r");
	for (int i = 0; is("queueing") && i < 12; i++)
		snprintf(many + 51 * i, 52, "%5d %6d %5d %1d %5d %5d %5d %8d %2d\n", i, 4711, i, 2,
			 65535, 0, 0, 0, 1);
	if (is("queueing"))
		return fmemopen(many, strlen(many), "r");
	if (is("queueless"))
		return __real_fopen("/dev/null", mode);
	errno = is("veiled") ? EACCES : ENOENT;
	return NULL;
}

/* What is looked at twice is the same in less time. */
int __wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
	(void)time;
	(void)left;
	return 0;
}

struct mnl_socket *__wrap_mnl_socket_open2(int bus, int flags)
{
	(void)flags;
	return (struct mnl_socket *)&sockets[bus];
}

int __wrap_mnl_socket_bind(struct mnl_socket *sock, unsigned int groups, pid_t pid)
{
	(void)sock;
	(void)groups;
	(void)pid;
	if (!opened++)
		readable = eventfd(1, EFD_CLOEXEC);
	return 0;
}

int __wrap_mnl_socket_close(struct mnl_socket *sock)
{
	(void)sock;
	return --opened ? 0 : close(readable);
}

int __wrap_mnl_socket_get_fd(const struct mnl_socket *sock)
{
	(void)sock;
	return readable;
}

unsigned int __wrap_mnl_socket_get_portid(const struct mnl_socket *sock)
{
	(void)sock;
	return PORTID;
}

int __wrap_mnl_socket_setsockopt(const struct mnl_socket *sock, int type, void *buf,
				 socklen_t len)
{
	(void)sock;
	(void)len;
	if (type != NETLINK_ADD_MEMBERSHIP || *(int *)buf != GROUP || !is("unprivileged"))
		return 0;
	errno = EPERM;
	return -1;
}

ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *sock, const void *buf, size_t len)
{
	const struct nlmsghdr *request = buf;
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(request);
	/* The mode of the second feature: behind headers, nest, nest and its id. */
	int mode_offset = MNL_NLMSG_HDRLEN + GENL_HDRLEN + 20 + 4 + 8;
	int bus = (const char *)sock - sockets;

	tail = (char *)replies;
	if (bus == NETLINK_NETFILTER && put_nft(request, len)) {
		has_nft = true;
		return len;
	}
	if (!is("audited") && put_stack(request))
		return len;
	end(begin(NLMSG_NOOP, request->nlmsg_seq + 1000));	/* none of our business */
	if (is("audited") && (bus == NETLINK_SOCK_DIAG || bus == NETLINK_NETFILTER)) {
		if (bus == NETLINK_SOCK_DIAG ? put_diag(request) : put_ctnl(request))
			return len;
		put_ack(request, 0, NULL, 0, 0);
		return len;
	}
	if (request->nlmsg_type == GENL_ID_CTRL) {
		if (is("absent")) {
			put_ack(request, ENOENT, NULL, 0, 0);
			return len;
		}
		put_family(request);
	} else if (is("unprivileged")) {
		put_ack(request, EPERM, NULL, 0, 0);
		return len;
	} else if (is("lame")) {
		put_ack(request, EOPNOTSUPP, NULL, 0, 0);
		return len;
	} else if (is("demanding")) {
		put_ack(request, EINVAL, NULL, 0, 3);
		return len;
	} else if (is("stern")) {
		put_ack(request, EINVAL, NULL, 0, 0);
		return len;
	} else if (is("refusing")) {
		put_ack(request, EOPNOTSUPP, "this module cannot do that",
			is("whole") ? mode_offset - 12 : mode_offset, 0);
		return len;
	} else if (genl->cmd == NF_LOOPTRACK_CMD_MODULE_GET) {
		put_module(request);
	} else if (genl->cmd == NF_LOOPTRACK_CMD_FEATURE_GET) {
		put_features(request);
	} else if (genl->cmd == NF_LOOPTRACK_CMD_STATS_GET) {
		put_counters(request);
	} else if (genl->cmd == NF_LOOPTRACK_CMD_FEATURE_SET) {
		print_set(request);
	} else if (genl->cmd == NF_LOOPTRACK_CMD_TRACE_START) {
		print_flow("trace", request, NF_LOOPTRACK_A_TRACE_FLOW);
		if (is("flooded"))
			return len;
	} else if (genl->cmd == NF_LOOPTRACK_CMD_EVENT_GET) {
		put_history(request);
	} else if (genl->cmd == NF_LOOPTRACK_CMD_FLOW_GET) {
		if (put_flow(request))
			return len;
	} else if (genl->cmd == NF_LOOPTRACK_CMD_RULES_GET) {
		if (put_rules(request))
			return len;
	}
	if (is("silent") && request->nlmsg_type != GENL_ID_CTRL)
		tail = (char *)replies;
	put_ack(request, 0, is("warning") ? "take care" : NULL, 0, 0);
	return len;
}

ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *sock, void *buf, size_t size)
{
	static bool drowned;
	ssize_t err = 0;
	size_t len;

	if (tail == (char *)replies && (const char *)sock - sockets == NETLINK_NETFILTER &&
	    has_nft && !put_nft_trace())
		return -1;
	if (tail == (char *)replies && is("flooded") && !drowned) {
		drowned = true;
		errno = ENOBUFS;
		return -1;
	}
	if (tail == (char *)replies && !put_flows())
		err = put_event(step++);
	if (err)
		return err;
	len = tail - (char *)replies;
	tail = (char *)replies;
	if (len > size)
		abort();
	memcpy(buf, replies, len);
	return len;
}
